//! A sink that is connected to its server and has nothing to deliver lets the processor sleep.

use super::amqp::Rabbit;
use super::kafka::{Kafka, TOPIC};
use super::nats::Nats;
use super::redis::Redis;
use super::sql::Database;
use super::{Subject, nothing_is_pending, post, started};
use crate::idle::all_sleep;

#[tokio::test]
#[ignore = "needs the servers of all sinks and takes a minute: run by tests/run"]
async fn idle_sinks_wake_at_most_twice_a_second() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    let rabbit = Rabbit::new(folder, "declare = true");
    rabbit.declare_exchange();
    rabbit.bind();
    let kafka = Kafka::durable(folder, "");
    kafka.create_topic(TOPIC);
    let subjects: Vec<(&str, Box<dyn Subject>)> = vec![
        ("amqp", Box::new(rabbit)),
        ("kafka", Box::new(kafka)),
        ("mysql", Box::new(Database::mysql(folder))),
        ("nats", Box::new(Nats::new(folder, "create_stream = true"))),
        ("postgres", Box::new(Database::postgres(folder))),
        ("redis", Box::new(Redis::new(folder, ""))),
    ];
    let mut services = Vec::new();
    for (name, subject) in &subjects {
        let folder = folder.join(format!("livehook-{name}"));
        std::fs::create_dir(&folder).unwrap();
        let livehook = started(&folder, &subject.configure()).await;
        post(&livehook, 0..50).await;
        nothing_is_pending(&livehook).await;
        services.push((*name, livehook));
    }
    let logs: Vec<String> = services.iter().map(|(_, livehook)| livehook.log()).collect();
    let idle: Vec<_> = services.iter().map(|(name, livehook)| (*name, livehook)).collect();
    all_sleep(&idle).await;
    for ((name, livehook), log) in services.iter_mut().zip(logs) {
        post(livehook, 50..100).await;
        nothing_is_pending(livehook).await;
        assert_eq!(livehook.log(), log, "{name}: the connection has lasted");
        livehook.stop().await;
    }
}
