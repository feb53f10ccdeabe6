//! The sink `kafka`, against two independent brokers. Its own client library reads back what arrived; `tests/sinks.py` uses another
//! one.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rskafka::client::ClientBuilder;
use rskafka::client::partition::{OffsetAt, UnknownTopicHandling};

use super::server::Server;
use super::{
    Fault, Subject, all_arrived, block_on, by_stream, callback, conforms, metric, nothing_is_pending, partition_key,
    post, started, survives_a_long_stop, wait_for,
};
use crate::client::{Client, post_all};

/// The topic of the tests.
pub(super) const TOPIC: &str = "livehook";
const PARTITIONS: i32 = 3;

/// A broker, and the faults that it can show.
pub(super) struct Kafka {
    server: Server,
    /// The port that the broker advertises.
    port: u16,
    faults: Vec<Fault>,
    more: &'static str,
}

impl Kafka {
    /// A broker that keeps its data. Clients reach it directly.
    pub(super) fn durable(directory: &Path, more: &'static str) -> Kafka {
        let server = Server::start("noida", directory, &[]).orderly();
        Kafka { port: server.port, server, faults: vec![Fault::Away, Fault::Stopped], more }
    }

    /// A broker behind a proxy. It forgets its data if it ends.
    fn behind_proxy(directory: &Path, more: &'static str) -> Kafka {
        let server = Server::start("tansu", directory, &["{proxy}"]);
        let faults = vec![Fault::Stopped, Fault::Reset, Fault::LostAcknowledgement];
        Kafka { port: server.proxy.address.port(), server, faults, more }
    }

    fn brokers(&self) -> Vec<String> {
        vec![format!("127.0.0.1:{}", self.port)]
    }

    /// Gives the topic more partitions, by another client: the library has no such request.
    fn set_partitions(&self, count: i32) {
        let script = "import sys\n\
            from confluent_kafka.admin import AdminClient, NewPartitions\n\
            client = AdminClient({'bootstrap.servers': sys.argv[1]})\n\
            made = client.create_partitions([NewPartitions(sys.argv[2], int(sys.argv[3]))])\n\
            [one.result(20) for one in made.values()]";
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("target");
        let is_packages = |folder: &PathBuf| folder.to_string_lossy().contains("python-sinks-");
        let folders = std::fs::read_dir(target).unwrap().map(|entry| entry.unwrap().path());
        let mut command = Command::new("python3");
        command.env("PYTHONPATH", std::env::join_paths(folders.filter(is_packages)).unwrap());
        command.args(["-c", script, &self.brokers()[0], TOPIC, &count.to_string()]);
        assert!(command.status().unwrap().success(), "the topic gets no more partitions");
    }

    pub(super) fn create_topic(&self, name: &str) {
        with(&self.brokers(), async |client| {
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
        records_at(&self.brokers(), 0..PARTITIONS).concat()
    }
}

/// Runs a future with a client of the brokers.
fn with<T: Send>(brokers: &[String], work: impl AsyncFnOnce(rskafka::client::Client) -> T + Send) -> T {
    block_on(async || work(ClientBuilder::new(brokers.to_vec()).build().await.unwrap()).await)
}

/// The records of each of these partitions, in order.
pub(super) fn records_at(brokers: &[String], partitions: impl IntoIterator<Item = i32>) -> Vec<Vec<String>> {
    let partitions: Vec<i32> = partitions.into_iter().collect();
    with(brokers, async |client| {
        let mut of_partitions = Vec::new();
        for &partition in &partitions {
            let client = client.partition_client(TOPIC, partition, UnknownTopicHandling::Retry).await.unwrap();
            let end = client.get_offset(OffsetAt::Latest).await.unwrap();
            let (mut lines, mut next) = (Vec::new(), 0);
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
            of_partitions.push(lines);
        }
        of_partitions
    })
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
    wait_for(&livehook, "has no topic `livehook`").await;
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

/// A topic gets more partitions while livehook runs. The next events of a stream go to the partition that the new number gives.
#[tokio::test]
#[ignore = "needs noida-db and takes a minute: run by tests/run"]
async fn kafka_gets_more_partitions() {
    const STREAMS: u64 = 40;
    let directory = tempfile::tempdir().unwrap();
    let kafka = Kafka::durable(directory.path(), "");
    kafka.create_topic(TOPIC);
    let mut livehook = started(directory.path(), &kafka.configure()).await;
    let send = async |from: u64| {
        let numbered = |number| callback(&format!("s{}", number % STREAMS), number);
        post_all(livehook.receiver, from..from + 2 * STREAMS, numbered).await;
        nothing_is_pending(&livehook).await;
    };
    send(0).await;
    let before = records_at(&kafka.brokers(), 0..PARTITIONS);
    kafka.set_partitions(2 * PARTITIONS);
    tokio::time::sleep(Duration::from_secs(61)).await;
    send(2 * STREAMS).await;
    let after = records_at(&kafka.brokers(), 0..2 * PARTITIONS);

    let journal = livehook.journal();
    let arrived: usize = after.iter().map(Vec::len).sum();
    assert_eq!(arrived, journal.len(), "each once");
    let mut old_partitions = HashMap::new();
    for (partition, lines) in before.iter().enumerate() {
        assert_eq!(*lines, after[partition][..lines.len()]);
        old_partitions.extend(lines.iter().map(|line| (partition_key(line), partition)));
    }
    for (partition, lines) in after.iter().enumerate() {
        let new = &lines[before.get(partition).map_or(0, Vec::len)..];
        assert!(!new.is_empty(), "{partition} has no event");
        for (key, lines) in by_stream(new) {
            // The partition is hash % 6 now, and was hash % 3.
            assert_eq!(partition % before.len(), old_partitions[&key], "{key}");
            let stored = journal[2 * STREAMS as usize..].iter().filter(|line| partition_key(line) == key);
            assert!(lines.into_iter().eq(stored), "in order");
        }
    }
    livehook.stop().await;
}
