//! The sink `kafka`, against a cluster of three brokers that fail on command.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use super::kafka::{TOPIC, records_at};
use super::server::Server;
use super::{
    Fault, STREAMS, Subject, all_arrived, callback, metric, nothing_is_pending, partition_key, post, started, wait_for,
};
use crate::client::Client;
use crate::process::Livehook;

const PARTITIONS: i32 = 3;

/// The cluster. It keeps its records in memory.
struct Cluster {
    server: Server,
    brokers: Vec<String>,
}

impl Cluster {
    fn start(directory: &Path) -> Cluster {
        let mut cluster = Cluster { server: Server::start("kafka_cluster", directory, &[]), brokers: Vec::new() };
        cluster.brokers = cluster.ask("brokers").split(',').map(str::to_owned).collect();
        cluster
    }

    /// Sends a command. `tests/servers/kafka_cluster` lists them.
    fn ask(&self, command: &str) -> String {
        let mut connection = TcpStream::connect(("127.0.0.1", self.server.port)).unwrap();
        writeln!(connection, "{command}").unwrap();
        let mut answer = String::new();
        BufReader::new(connection).read_line(&mut answer).unwrap();
        answer.trim().to_owned()
    }

    /// Sends a command whose answer is 0.
    fn order(&self, command: &str) {
        assert_eq!(self.ask(command), "0", "{command}");
    }

    fn create_topic(&self) {
        self.order(&format!("topic {TOPIC} {PARTITIONS}"));
    }

    /// Lets the next broker lead each partition.
    fn move_leaders(&self, round: i32) {
        for partition in 0..PARTITIONS {
            self.order(&format!("lead {TOPIC} {partition} {}", (partition + round) % 3 + 1));
        }
    }
}

impl Subject for Cluster {
    fn configure(&self) -> String {
        format!("type = \"kafka\"\nbrokers = {:?}\ntimeout_secs = 2\n", self.brokers)
    }

    fn faults(&self) -> Vec<Fault> {
        Vec::new()
    }

    fn fail(&mut self, fault: Fault) {
        panic!("{fault:?} has a command of its own");
    }

    fn mend(&mut self) {}

    fn received(&self) -> Vec<String> {
        records_at(&self.brokers, 0..PARTITIONS).concat()
    }
}

/// Another broker leads each partition, again and again while events come. A broker that doesn't lead stores nothing, so nothing is
/// repeated.
#[tokio::test]
#[ignore = "needs librdkafka and takes some seconds: run by tests/run"]
async fn leaders_of_kafka_move() {
    let directory = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(directory.path());
    cluster.create_topic();
    let mut livehook = started(directory.path(), &cluster.configure()).await;
    let moved = async {
        for round in 0..5 {
            cluster.move_leaders(round);
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    };
    let posted = async {
        for part in 0..15 {
            post(&livehook, part * 50..(part + 1) * 50).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::join!(moved, posted);
    all_arrived(&livehook, &cluster, false).await;
    assert_eq!(metric(&livehook, "livehook_dead_letters").await, 0);
    livehook.stop().await;
}

/// Errors that concern every event: they wait, and the log says what to do.
#[tokio::test]
#[ignore = "needs librdkafka and takes some seconds: run by tests/run"]
async fn errors_of_brokers_lose_no_event() {
    let directory = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(directory.path());
    cluster.create_topic();
    let mut livehook = started(directory.path(), &cluster.configure()).await;
    for (number, (code, said)) in (0..).zip([
        // NOT_LEADER_OR_FOLLOWER, although the metadata name this leader.
        (6, "NotLeaderOrFollower"),
        (7, "RequestTimedOut"),
        (19, "too few replicas are in sync"),
        (29, "let the user write to the topic and describe it"),
        (56, "look at the disk of the broker"),
    ]) {
        cluster.order(&format!("fail 1000 {code}"));
        post(&livehook, number * 50..(number + 1) * 50).await;
        wait_for(&livehook, said).await;
        assert!(metric(&livehook, "livehook_delivery_lag_records").await > 0, "{said}");
        cluster.ask("work");
        all_arrived(&livehook, &cluster, false).await;
    }
    assert_eq!(metric(&livehook, "livehook_dead_letters").await, 0);
    livehook.stop().await;
}

/// The brokers refuse one event of a request as too large. It becomes a dead letter, and the others of its stream pass.
#[tokio::test]
#[ignore = "needs librdkafka and takes some seconds: run by tests/run"]
async fn one_event_is_too_large_for_kafka() {
    let directory = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(directory.path());
    let mut livehook = started(directory.path(), &cluster.configure()).await;
    let mut client = Client::connect(livehook.receiver).await.unwrap();
    for number in 0..20 {
        assert_eq!(client.post(&callback("s1", number)).await.unwrap().status, 200);
    }
    // Without a topic the events wait, so they all are in the first request. MESSAGE_TOO_LARGE refuses that, and then its first event.
    wait_for(&livehook, "has no topic").await;
    cluster.order("fail 2 10");
    cluster.create_topic();
    nothing_is_pending(&livehook).await;
    assert_eq!(metric(&livehook, "livehook_dead_letters").await, 1, "{}", livehook.log());
    assert_eq!(cluster.received(), livehook.journal()[1..], "in order");
    livehook.stop().await;
}

/// Waits until the partitions have every event of their streams, except for the one of the broker that is gone.
async fn others_arrive(livehook: &Livehook, cluster: &Cluster, partitions: &[HashSet<String>], gone: usize) {
    let others = || (0..partitions.len()).filter(|partition| *partition != gone);
    let expected: usize = others()
        .map(|partition| {
            livehook.journal().iter().filter(|line| partitions[partition].contains(&partition_key(line))).count()
        })
        .sum();
    assert!(expected > 0);
    let deadline = Instant::now() + Duration::from_secs(20);
    let others: Vec<i32> = others().map(|partition| partition as i32).collect();
    loop {
        let mut arrived: Vec<String> = records_at(&cluster.brokers, others.iter().copied()).concat();
        arrived.sort_unstable();
        arrived.dedup();
        if arrived.len() == expected {
            return;
        }
        assert!(Instant::now() < deadline, "{} of {expected}: {}", arrived.len(), livehook.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A broker goes away while it leads, and comes back. The events of the other partitions go on. Only events whose answer got lost may
/// repeat.
#[tokio::test]
#[ignore = "needs librdkafka and takes some seconds: run by tests/run"]
async fn brokers_of_kafka_go_and_come() {
    let directory = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(directory.path());
    cluster.create_topic();
    cluster.move_leaders(0);
    let mut livehook = started(directory.path(), &cluster.configure()).await;
    post(&livehook, 0..STREAMS).await;
    all_arrived(&livehook, &cluster, false).await;
    let partitions: Vec<HashSet<String>> = records_at(&cluster.brokers, 0..PARTITIONS)
        .iter()
        .map(|lines| lines.iter().map(|line| partition_key(line)).collect())
        .collect();
    for broker in 1..=3 {
        let before = 300 * broker;
        let gone = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            cluster.order(&format!("down {broker}"));
        };
        tokio::join!(post(&livehook, before..before + 200), gone);
        post(&livehook, before + 200..before + 300).await;
        let gone_partition = broker as usize - 1;
        others_arrive(&livehook, &cluster, &partitions, gone_partition).await;
        assert!(metric(&livehook, "livehook_delivery_lag_records").await > 0, "{}", livehook.log());
        cluster.order(&format!("up {broker}"));
        all_arrived(&livehook, &cluster, true).await;
    }
    assert_eq!(metric(&livehook, "livehook_dead_letters").await, 0);
    livehook.stop().await;
}
