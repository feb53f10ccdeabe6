//! The sink `kafka`, against two independent brokers. Its own client library reads back what arrived; `tests/sinks.py` uses another
//! one.

use std::path::Path;
use std::time::{Duration, Instant};

use rskafka::client::ClientBuilder;
use rskafka::client::partition::{OffsetAt, UnknownTopicHandling};

use super::server::Server;
use super::{Fault, Subject, all_arrived, callback, conforms, metric, post, started, survives_a_long_stop};
use crate::client::Client;

/// The topic of the tests.
const TOPIC: &str = "livehook";
const PARTITIONS: i32 = 3;

/// A broker, and the faults that it can show.
struct Kafka {
    server: Server,
    /// The port that the broker advertises.
    port: u16,
    faults: Vec<Fault>,
    more: &'static str,
}

impl Kafka {
    /// A broker that keeps its data. Clients reach it directly.
    fn durable(directory: &Path, more: &'static str) -> Kafka {
        let server = Server::start("noida", directory, &[]).orderly();
        Kafka { port: server.port, server, faults: vec![Fault::Away, Fault::Stopped], more }
    }

    /// A broker behind a proxy. It forgets its data if it ends.
    fn behind_proxy(directory: &Path, more: &'static str) -> Kafka {
        let server = Server::start("tansu", directory, &["{proxy}"]);
        let faults = vec![Fault::Stopped, Fault::Reset, Fault::LostAcknowledgement];
        Kafka { port: server.proxy.address.port(), server, faults, more }
    }

    /// Runs a future with a client of the broker, on a thread of its own.
    fn with<T: Send>(&self, work: impl AsyncFn(rskafka::client::Client) -> T + Sync) -> T {
        let run = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                work(ClientBuilder::new(vec![format!("127.0.0.1:{}", self.port)]).build().await.unwrap()).await
            })
        };
        std::thread::scope(|scope| scope.spawn(run).join().unwrap())
    }

    fn create_topic(&self, name: &str) {
        self.with(async |client| {
            client.controller_client().unwrap().create_topic(name, PARTITIONS, 1, 5000).await.unwrap();
        });
    }
}

impl Subject for Kafka {
    fn configure(&self) -> String {
        format!("type = \"kafka\"\nbrokers = [\"127.0.0.1:{}\"]\ntimeout_secs = 2\n{}\n", self.port, self.more)
    }

    fn faults(&self) -> Vec<Fault> {
        self.faults.clone()
    }

    fn fail(&mut self, fault: Fault) {
        self.server.fail(fault);
    }

    fn mend(&mut self) {
        self.server.mend();
    }

    fn received(&self) -> Vec<String> {
        self.with(async |client| {
            let mut lines = Vec::new();
            for partition in 0..PARTITIONS {
                let client = client.partition_client(TOPIC, partition, UnknownTopicHandling::Retry).await.unwrap();
                let end = client.get_offset(OffsetAt::Latest).await.unwrap();
                let mut next = 0;
                while next < end {
                    let (records, _) = client.fetch_records(next, 1..1_000_000, 1000).await.unwrap();
                    for record in records {
                        // A batch may begin before the offset that was asked for.
                        if record.offset < next {
                            continue;
                        }
                        next = record.offset + 1;
                        lines.push(String::from_utf8(record.record.value.unwrap()).unwrap());
                    }
                }
            }
            lines
        })
    }
}

#[tokio::test]
#[ignore = "needs noida-db and takes half a minute: run by tests/run"]
async fn the_kafka_sink_conforms() {
    let directory = tempfile::tempdir().unwrap();
    let kafka = Kafka::durable(directory.path(), "batch_events_max = 50");
    kafka.create_topic(TOPIC);
    conforms(kafka, directory.path()).await;
}

#[tokio::test]
#[ignore = "needs tansu and takes half a minute: run by tests/run"]
async fn the_kafka_sink_conforms_behind_a_proxy() {
    let directory = tempfile::tempdir().unwrap();
    let kafka = Kafka::behind_proxy(directory.path(), "batch_events_max = 50\ncompression = \"lz4\"");
    kafka.create_topic(TOPIC);
    conforms(kafka, directory.path()).await;
}

#[tokio::test]
#[ignore = "needs noida-db and takes some seconds: run by tests/run"]
async fn errors_of_kafka_lose_no_event() {
    let directory = tempfile::tempdir().unwrap();
    let kafka = Kafka::durable(directory.path(), "");
    let file = "[[sinks]]\nname = \"file\"\ntype = \"file\"\npath = \"events.jsonl\"\n";
    let mut livehook = started(directory.path(), &(kafka.configure() + file)).await;
    post(&livehook, 0..50).await;
    let deadline = Instant::now() + Duration::from_secs(20);
    while !livehook.log().contains("has no topic `livehook`") {
        assert!(Instant::now() < deadline, "{}", livehook.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    kafka.create_topic(TOPIC);
    all_arrived(&livehook, &kafka, true).await;
    let mut client = Client::connect(livehook.receiver).await.unwrap();
    assert_eq!(client.post(&callback("s1", 51)).await.unwrap().status, 200);
    all_arrived(&livehook, &kafka, true).await;
    assert_eq!(metric(&livehook, "livehook_dead_letters").await, 0);
    assert_eq!(livehook.lines("events.jsonl").len(), 51, "the other sink has every event");
    livehook.stop().await;
}

#[tokio::test]
#[ignore = "needs tansu and takes half a minute: run by tests/run"]
async fn a_long_stop_of_kafka_is_survived() {
    let directory = tempfile::tempdir().unwrap();
    let kafka = Kafka::behind_proxy(directory.path(), "");
    kafka.create_topic(TOPIC);
    survives_a_long_stop(kafka, directory.path()).await;
}
