//! The sink `amqp`, against a real RabbitMQ server. Its own client library reads back what arrived; `tests/sinks.py` uses another one.

use std::path::Path;
use std::time::Duration;

use lapin::options::{BasicConsumeOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, ExchangeKind};

use super::server::Server;
use super::{
    Fault, Subject, a_large_event_is_set_aside, all_arrived, block_on, conforms, metric, nothing_is_pending, post,
    started, survives_a_long_stop, wait_for,
};

/// The exchange of the tests, and its queue.
const EXCHANGE: &str = "livehook";
const QUEUE: &str = "all";

/// The server, and further keys of the sink.
pub(super) struct Rabbit {
    server: Server,
    more: &'static str,
}

impl Rabbit {
    pub(super) fn new(directory: &Path, more: &'static str) -> Rabbit {
        let rabbit = Rabbit { server: Server::start("rabbitmq", directory, &[]), more };
        rabbit.with(async |channel| {
            let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
            channel.queue_declare(QUEUE.into(), durable, FieldTable::default()).await.unwrap();
        });
        rabbit
    }

    /// Runs a future with a channel of the server.
    fn with<T: Send>(&self, work: impl AsyncFnOnce(Channel) -> T + Send) -> T {
        let uri = format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.server.port);
        block_on(async || {
            let connection = lapin::Connection::connect(&uri, lapin::ConnectionProperties::default()).await.unwrap();
            let result = work(connection.create_channel().await.unwrap()).await;
            // The channel may be about to close. Now and then the library closes the connection and never says so.
            let _ = tokio::time::timeout(Duration::from_secs(5), connection.close(200, "done".into())).await;
            result
        })
    }

    pub(super) fn declare_exchange(&self) {
        self.with(async |channel| {
            let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
            channel
                .exchange_declare(EXCHANGE.into(), ExchangeKind::Topic, durable, FieldTable::default())
                .await
                .unwrap();
        });
    }

    pub(super) fn bind(&self) {
        self.with(async |channel| {
            let [queue, exchange] = [QUEUE.into(), EXCHANGE.into()];
            let options = QueueBindOptions::default();
            channel.queue_bind(queue, exchange, "#".into(), options, FieldTable::default()).await.unwrap();
        });
    }

    fn unbind(&self) {
        self.with(async |channel| {
            channel.queue_unbind(QUEUE.into(), EXCHANGE.into(), "#".into(), FieldTable::default()).await.unwrap();
        });
    }

    /// Every message of a queue. It stays in the queue.
    fn messages(&self, queue: &'static str) -> Vec<String> {
        self.with(async |channel| {
            let passive = QueueDeclareOptions { passive: true, durable: true, ..QueueDeclareOptions::default() };
            let found = channel.queue_declare(queue.into(), passive, FieldTable::default()).await.unwrap();
            let options = BasicConsumeOptions::default();
            let mut consumer =
                channel.basic_consume(queue.into(), "".into(), options, FieldTable::default()).await.unwrap();
            let mut messages = Vec::new();
            for _ in 0..found.message_count() {
                let delivery = futures_util::StreamExt::next(&mut consumer).await.unwrap().unwrap();
                messages.push(String::from_utf8(delivery.data).unwrap());
            }
            messages
        })
    }
}

impl Subject for Rabbit {
    fn configure(&self) -> String {
        let port = self.server.proxy.address.port();
        format!("type = \"amqp\"\nurl = \"amqp://127.0.0.1:{port}\"\ntimeout_secs = 2\n{}\n", self.more)
    }

    fn faults(&self) -> Vec<Fault> {
        vec![Fault::Away, Fault::Stopped, Fault::Reset, Fault::LostAcknowledgement, Fault::Refusing]
    }

    fn fail(&mut self, fault: Fault) {
        match fault {
            Fault::Refusing => self.unbind(),
            fault => self.server.fail(fault),
        }
    }

    fn mend(&mut self) {
        self.server.mend();
        self.bind();
    }

    fn received(&self) -> Vec<String> {
        self.messages(QUEUE)
    }
}

#[tokio::test]
#[ignore = "needs rabbitmq-server and takes two minutes: run by tests/run"]
async fn the_amqp_sink_conforms() {
    let directory = tempfile::tempdir().unwrap();
    let rabbit = Rabbit::new(directory.path(), "declare = true\nbatch_events_max = 50");
    rabbit.declare_exchange();
    rabbit.bind();
    conforms(rabbit, directory.path()).await;
}

#[tokio::test]
#[ignore = "needs rabbitmq-server and takes half a minute: run by tests/run"]
async fn errors_of_rabbitmq_lose_no_event() {
    let directory = tempfile::tempdir().unwrap();
    let rabbit = Rabbit::new(directory.path(), "");
    let file = "[[sinks]]\nname = \"file\"\ntype = \"file\"\npath = \"events.jsonl\"\n";
    let mut livehook = started(directory.path(), &(rabbit.configure() + file)).await;
    post(&livehook, 0..50).await;
    wait_for(&livehook, "create the exchange").await;
    rabbit.declare_exchange();
    wait_for(&livehook, "no queue takes the routing key push%2Eexample%2Ecom.live.s").await;
    rabbit.bind();
    all_arrived(&livehook, &rabbit, true).await;

    // A full queue refuses events, and livehook tries until there is room.
    rabbit.unbind();
    rabbit.with(async |channel| {
        let mut limits = FieldTable::default();
        limits.insert("x-max-length".into(), AMQPValue::LongInt(10));
        limits.insert("x-overflow".into(), AMQPValue::LongString("reject-publish".into()));
        let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        channel.queue_declare("small".into(), durable, limits).await.unwrap();
        let [queue, exchange] = ["small".into(), EXCHANGE.into()];
        channel
            .queue_bind(queue, exchange, "#".into(), QueueBindOptions::default(), FieldTable::default())
            .await
            .unwrap();
    });
    post(&livehook, 50..100).await;
    wait_for(&livehook, "is it full?").await;
    assert!(metric(&livehook, "livehook_delivery_lag_records").await > 0);
    rabbit.with(async |channel| {
        channel.queue_delete("small".into(), lapin::options::QueueDeleteOptions::default()).await.unwrap();
    });
    rabbit.bind();
    nothing_is_pending(&livehook).await;
    assert_eq!(metric(&livehook, "livehook_dead_letters").await, 0);
    assert_eq!(livehook.lines("events.jsonl").len(), 100, "the other sink has every event");
    livehook.stop().await;
}

#[tokio::test]
#[ignore = "needs rabbitmq-server and takes half a minute: run by tests/run"]
async fn a_long_stop_of_rabbitmq_is_survived() {
    let directory = tempfile::tempdir().unwrap();
    let rabbit = Rabbit::new(directory.path(), "declare = true");
    rabbit.declare_exchange();
    rabbit.bind();
    survives_a_long_stop(rabbit, directory.path()).await;
}

/// The server takes no message while it has too little free space, and refuses a message above its limit.
#[tokio::test]
#[ignore = "needs rabbitmq-server and takes half a minute: run by tests/run"]
async fn limits_of_rabbitmq_lose_no_event() {
    let directory = tempfile::tempdir().unwrap();
    let mut rabbit = Rabbit::new(directory.path(), "");
    rabbit.declare_exchange();
    rabbit.bind();
    let mut livehook = started(directory.path(), &rabbit.configure()).await;
    rabbit.server.restart_with(&["disk_free_limit.absolute = 100000GB", "max_message_size = 2000"]);
    post(&livehook, 0..50).await;
    wait_for(&livehook, "the alarm of memory or disk is on").await;
    assert!(metric(&livehook, "livehook_delivery_lag_records").await > 0);
    rabbit.server.restart_with(&["disk_free_limit.absolute = 1MB", "max_message_size = 2000"]);
    all_arrived(&livehook, &rabbit, true).await;

    a_large_event_is_set_aside(&livehook).await;
    livehook.stop().await;
}
