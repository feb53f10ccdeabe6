//! One suite that every sink passes, with the real program and a real destination: every event arrives, in order within its
//! stream, across outages of every kind and restarts of either side.
//!
//! A new sink is one file here with a [`Subject`]: how its destination runs and fails, and which events arrived there.

mod address_change;
#[cfg(feature = "amqp")]
mod amqp;
mod command;
mod file;
mod http;
#[cfg(all(feature = "amqp", feature = "kafka", feature = "nats", feature = "redis", feature = "sql"))]
mod idle;
#[cfg(feature = "kafka")]
mod kafka;
#[cfg(feature = "kafka")]
mod kafka_cluster;
mod log;
#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "connection")]
#[allow(dead_code, reason = "the tests of one sink use only a part of it")]
mod proxy;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "connection")]
#[allow(dead_code, reason = "the tests of one sink use only a part of it")]
mod server;
#[cfg(feature = "sql")]
mod sql;
mod storm;

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use super::client::{Client, id_of, now_secs, post_all, sign};
use super::process::Livehook;

/// Short waits, so that the tests are quick.
const RETRY: &str = "retry = { wait_ms_first = 20, wait_ms_max = 50 }";

/// The number of streams that share the events of a test.
const STREAMS: u64 = 7;

/// The stream whose events the destination rejects, if it can reject any.
const POISON: &str = "poison";

/// How a destination fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// It ends, and comes back as a new process.
    Away,
    /// It runs and does nothing (SIGSTOP).
    Stopped,
    /// It resets connections.
    Reset,
    /// It takes events, but its acknowledgement never arrives.
    LostAcknowledgement,
    /// It reports that it can't take events now.
    Refusing,
}

/// A sink under test.
trait Subject {
    /// The keys of the sink, except for name and `retry`.
    fn configure(&self) -> String;
    /// Starts livehook as the sink needs it.
    fn start(&mut self, livehook: &mut Livehook) {
        livehook.start();
    }
    /// How its destination can fail.
    fn faults(&self) -> Vec<Fault>;
    /// Makes the destination fail from now on.
    fn fail(&mut self, fault: Fault);
    /// Makes the destination work again.
    fn mend(&mut self);
    /// The line of every event that arrived.
    fn received(&self) -> Vec<String>;
    /// Whether an event may arrive twice after a fault or a restart.
    fn may_repeat(&self) -> bool {
        true
    }
    /// Whether the destination rejects [`POISON`].
    fn refuses_poison(&self) -> bool {
        false
    }
    /// Whether the sink keeps order over all streams, and not only within each.
    fn is_in_order(&self) -> bool {
        false
    }
}

/// A signed callback of a stream.
fn callback(stream: &str, number: u64) -> String {
    let event_type = u8::from(number.is_multiple_of(2));
    let members = format!(
        r#""app":"push.example.com","appid":12345678,"appname":"live","event_time":1703731478,"event_type":{event_type},
        "sequence":"{}","stream_id":"{stream}","stream_param":"a=b""#,
        6_674_468_118_806_000_000 + number
    );
    sign(&members, now_secs() + 600)
}

/// Posts callbacks with these numbers.
async fn post(livehook: &Livehook, numbers: Range<u64>) {
    post_all(livehook.receiver, numbers, |number| callback(&format!("s{}", number % STREAMS), number)).await;
}

/// The partition key of an event. Events with the same key must stay in order.
fn partition_key(line: &str) -> String {
    let event: serde_json::Value = serde_json::from_str(line).unwrap();
    event["partitionkey"].as_str().unwrap().to_owned()
}

/// The lines of each stream, in order.
fn by_stream<'l>(lines: impl IntoIterator<Item = &'l String>) -> HashMap<String, Vec<&'l String>> {
    let mut streams: HashMap<String, Vec<&String>> = HashMap::new();
    for line in lines {
        streams.entry(partition_key(line)).or_default().push(line);
    }
    streams
}

/// Waits until every event of the journal except poison has arrived, and checks the order and the number of arrivals.
async fn all_arrived(livehook: &Livehook, subject: &dyn Subject, may_repeat: bool) {
    let is_poison = |line: &String| subject.refuses_poison() && line.contains(&format!(r#""subject":"{POISON}""#));
    let expected: Vec<String> = livehook.journal().into_iter().filter(|line| !is_poison(line)).collect();
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let received = subject.received();
        let mut seen = HashSet::new();
        let first_arrivals: Vec<&String> = received.iter().filter(|line| seen.insert(id_of(line))).collect();
        if first_arrivals.len() >= expected.len() {
            let (arrived, stored) = (by_stream(first_arrivals.iter().copied()), by_stream(&expected));
            assert!(arrived == stored, "in order within each stream, byte for byte, and nothing else");
            assert!(!subject.is_in_order() || first_arrivals.into_iter().eq(&expected), "in order");
            assert!(may_repeat || received.len() == expected.len(), "an event arrived twice");
            return;
        }
        assert!(Instant::now() < deadline, "{} of {} arrived: {}", seen.len(), expected.len(), livehook.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The value of a metric of the sink under test.
async fn metric(livehook: &Livehook, name: &str) -> i64 {
    let answer = Client::connect(livehook.admin).await.unwrap().get("/metrics", "").await.unwrap();
    let series = format!("{name}{{sink=\"it\"}} ");
    let value = answer.body.lines().find_map(|line| line.strip_prefix(&series));
    value.unwrap_or_else(|| panic!("{series}: {}", answer.body)).parse::<f64>().unwrap() as i64
}

/// Starts livehook with the sink under test, which has these keys. Other sinks may follow them.
async fn started(directory: &Path, keys: &str) -> Livehook {
    let mut livehook = Livehook::configure(directory, "", &format!("[[sinks]]\nname = \"it\"\n{RETRY}\n{keys}"));
    livehook.start();
    livehook.ready().await;
    livehook
}

/// Runs a future of a client library to its end, within a minute, because some libraries wait for an answer for ever. It gets a
/// thread and a runtime of its own, so that a test can wait for it within its own runtime.
#[cfg(feature = "connection")]
fn block_on<T: Send>(work: impl AsyncFnOnce() -> T + Send) -> T {
    let run = || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let result = runtime.block_on(async { tokio::time::timeout(Duration::from_mins(1), work()).await });
        result.expect("the server answers its client")
    };
    std::thread::scope(|scope| scope.spawn(run).join().unwrap())
}

/// Waits until the log contains this text.
#[cfg(feature = "connection")]
async fn wait_for(livehook: &Livehook, text: &str) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !livehook.log().contains(text) {
        assert!(Instant::now() < deadline, "{text}: {}", livehook.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until the sink under test has no event left.
async fn nothing_is_pending(livehook: &Livehook) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while metric(livehook, "livehook_delivery_lag_records").await > 0 {
        assert!(Instant::now() < deadline, "{}", livehook.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// An event that is larger than the destination takes becomes a dead letter, and the others pass. Posts the events 51 to 99.
#[cfg(any(feature = "amqp", feature = "nats"))]
async fn a_large_event_is_set_aside(livehook: &Livehook) {
    let mut client = Client::connect(livehook.receiver).await.unwrap();
    let large = callback("large", 51).replace("a=b", &"x".repeat(3000));
    assert_eq!(client.post(&large).await.unwrap().status, 200);
    post(livehook, 52..100).await;
    nothing_is_pending(livehook).await;
    assert_eq!(metric(livehook, "livehook_dead_letters").await, 1, "{}", livehook.log());
}

/// Runs the suite for one sink.
async fn conforms(mut subject: impl Subject, directory: &Path) {
    let config = format!("[[sinks]]\nname = \"it\"\nstart = \"earliest\"\n{RETRY}\n{}", subject.configure());
    let mut livehook = Livehook::configure(directory, "shutdown_grace_secs = 4", &config);
    let mut numbers = 0;
    let mut next = |count: u64| {
        numbers += count;
        numbers - count..numbers
    };

    // livehook starts while the destination fails, and catches up.
    subject.fail(subject.faults()[0]);
    subject.start(&mut livehook);
    livehook.ready().await;
    post(&livehook, next(200)).await;
    subject.mend();
    all_arrived(&livehook, &subject, subject.may_repeat()).await;
    let arrived = subject.received().len();
    post(&livehook, next(200)).await;
    all_arrived(&livehook, &subject, true).await;
    assert_eq!(subject.received().len(), arrived + 200, "without a fault nothing is repeated");

    for fault in subject.faults() {
        subject.fail(fault);
        post(&livehook, next(400)).await;
        tokio::time::sleep(Duration::from_millis(1200)).await;
        let lag = metric(&livehook, "livehook_delivery_lag_records").await;
        assert!(lag > 0, "{fault:?} has no effect");
        subject.mend();
        all_arrived(&livehook, &subject, subject.may_repeat()).await;

        subject.fail(fault);
        post(&livehook, next(200)).await;
        // Stops during the fault. Without `shutdown_grace_secs`, this would wait for ever.
        livehook.stop().await;
        subject.mend();
        tokio::time::sleep(Duration::from_millis(100)).await;
        subject.start(&mut livehook);
        livehook.ready().await;
        all_arrived(&livehook, &subject, subject.may_repeat()).await;
        assert_eq!(metric(&livehook, "livehook_dead_letters").await, 0, "{fault:?} is transient");
    }

    post(&livehook, next(300)).await;
    livehook.kill();
    tokio::time::sleep(Duration::from_millis(100)).await;
    subject.start(&mut livehook);
    livehook.ready().await;
    post(&livehook, next(100)).await;
    all_arrived(&livehook, &subject, subject.may_repeat()).await;

    if subject.refuses_poison() {
        poison_is_set_aside(&livehook, &subject, next(30)).await;
    }
    livehook.stop().await;
}

/// Stops the destination for half a minute, which is longer than every time limit of the sink, while another sink goes on.
#[cfg(feature = "connection")]
async fn survives_a_long_stop(mut subject: impl Subject, directory: &Path) {
    let file = "[[sinks]]\nname = \"file\"\ntype = \"file\"\npath = \"events.jsonl\"\n";
    let config = format!("[[sinks]]\nname = \"it\"\nstart = \"earliest\"\n{RETRY}\n{}{file}", subject.configure());
    let mut livehook = Livehook::configure(directory, "", &config);
    subject.start(&mut livehook);
    livehook.ready().await;
    post(&livehook, 0..200).await;
    all_arrived(&livehook, &subject, subject.may_repeat()).await;
    subject.fail(Fault::Stopped);
    let began = Instant::now();
    let mut numbers = 200;
    while began.elapsed() < Duration::from_secs(30) {
        post(&livehook, numbers..numbers + 20).await;
        numbers += 20;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert!(metric(&livehook, "livehook_delivery_lag_records").await > 0);
    assert_eq!(livehook.lines("events.jsonl").len() as u64, numbers, "the other sink has every event");
    subject.mend();
    all_arrived(&livehook, &subject, subject.may_repeat()).await;
    assert_eq!(metric(&livehook, "livehook_dead_letters").await, 0);
    livehook.stop().await;
}

/// Rejected events become dead letters, and the others pass.
async fn poison_is_set_aside(livehook: &Livehook, subject: &dyn Subject, numbers: Range<u64>) {
    let mut client = Client::connect(livehook.receiver).await.unwrap();
    let mut poisoned = 0;
    for number in numbers {
        let stream = if number % 10 == 4 { POISON.to_owned() } else { format!("s{}", number % STREAMS) };
        poisoned += i64::from(stream == POISON);
        assert_eq!(client.post(&callback(&stream, number)).await.unwrap().status, 200);
    }
    all_arrived(livehook, subject, true).await;
    nothing_is_pending(livehook).await;
    assert_eq!(metric(livehook, "livehook_dead_letters").await, poisoned);
}
