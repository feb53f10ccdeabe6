//! The sink against a scripted receiver, over real connections.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::*;
use crate::sink::http::signature::{self, WebhookSecret};
use crate::sink::testing::{all_delivered, names, reason, records_of_streams};

/// No test waits longer.
const PATIENCE: Duration = Duration::from_secs(20);

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The reply of a receiver to a request.
#[derive(Clone)]
enum Reply {
    /// These bytes.
    Text(String),
    /// This status, after a while.
    Slow(u16, Duration),
    /// A close without an answer.
    HangUp,
}

fn status(status: u16) -> Reply {
    headed(status, "")
}

fn headed(status: u16, headers: &str) -> Reply {
    Reply::Text(format!("HTTP/1.1 {status} X\r\nContent-Length: 2\r\n{headers}\r\nno"))
}

/// A request as the receiver got it.
#[derive(Clone, Debug)]
struct Request {
    head: String,
    body: String,
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }

    /// The sequences of its events: see `records_of_streams`.
    fn numbers(&self) -> Vec<usize> {
        let parts = self.body.split(r#""pushsequence":""#).skip(1);
        parts.map(|part| part[..part.find('"').unwrap()].parse().unwrap()).collect()
    }
}

#[derive(Default)]
struct Seen {
    requests: Vec<Request>,
    running: usize,
    running_most: usize,
}

/// A receiver on its own port. It runs until the tests end.
struct Receiver {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

impl Receiver {
    fn start(reply: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (reply, shared) = (Arc::new(reply), Arc::clone(&seen));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (reply, seen) = (Arc::clone(&reply), Arc::clone(&shared));
                std::thread::spawn(move || while serve(stream.as_ref().unwrap(), &*reply, &seen).is_some() {});
            }
        });
        Receiver { address, seen }
    }

    fn sink(&self, more: &str) -> HttpSink {
        let url = format!("url = \"http://{}/hook?key=hunter2\"\n{more}", self.address);
        HttpSink::new(toml::from_str(&url).unwrap())
    }

    fn requests(&self) -> Vec<Request> {
        self.seen.lock().unwrap().requests.clone()
    }

    fn numbers(&self) -> Vec<Vec<usize>> {
        self.requests().iter().map(Request::numbers).collect()
    }
}

fn serve(stream: &TcpStream, reply: &dyn Fn(&Request) -> Reply, seen: &Mutex<Seen>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let mut request = Request { head, body: String::new() };
    let length: u64 = request.header("content-length").map_or(0, |text| text.parse().unwrap());
    reader.take(length).read_to_string(&mut request.body).ok()?;
    {
        let mut seen = seen.lock().unwrap();
        seen.requests.push(request.clone());
        seen.running += 1;
        seen.running_most = seen.running_most.max(seen.running);
    }
    let answer = match reply(&request) {
        Reply::Text(text) => Some(text),
        Reply::Slow(status, wait) => {
            std::thread::sleep(wait);
            Some(format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n"))
        }
        Reply::HangUp => None,
    };
    seen.lock().unwrap().running -= 1;
    let mut stream = stream;
    match answer {
        // An answer that is shorter than its Content-Length: the connection breaks off.
        Some(text) if text.ends_with("cut") => {
            stream.write_all(text.as_bytes()).ok()?;
            stream.shutdown(std::net::Shutdown::Both).ok()
        }
        Some(text) => stream.write_all(text.as_bytes()).ok(),
        None => {
            let _ = stream.shutdown(std::net::Shutdown::Both);
            None
        }
    }
}

#[tokio::test]
async fn an_event_is_a_signed_request() {
    let receiver = Receiver::start(|_| status(204));
    let other = WebhookSecret::from_bytes(&[5; 32]).unwrap();
    let secrets = format!("secrets = [\"{SECRET}\", \"{}\"]\nheaders = {{ X-Team = \"live\" }}", other.reveal());
    let batch = records_of_streams(&["a", "b"]);
    assert!(all_delivered(&receiver.sink(&secrets).deliver(&batch).await, &batch));
    let mut requests = receiver.requests();
    requests.sort_by_key(Request::numbers);
    for (request, record) in requests.iter().zip(&batch) {
        assert!(request.head.starts_with("POST /hook?key=hunter2 HTTP/1.1\r\n"), "{}", request.head);
        assert_eq!(request.body, record.event.line());
        assert_eq!(request.header("content-type"), Some("application/cloudevents+json"));
        assert_eq!(request.header("user-agent"), Some(concat!("livehook/", env!("CARGO_PKG_VERSION"))));
        assert_eq!(request.header("x-team"), Some("live"));
        let id = record.event.id().to_string();
        assert_eq!(request.header("webhook-id"), Some(id.as_str()));
        let timestamp = request.header("webhook-timestamp").unwrap();
        assert!(jiff::Timestamp::now().as_second() - timestamp.parse::<i64>().unwrap() < 10);
        let secrets = [WebhookSecret::new(SECRET).unwrap(), other.clone()];
        let expected = signature::signatures(&secrets, &id, timestamp, request.body.as_bytes());
        assert_eq!(request.header("webhook-signature"), Some(expected.as_str()));
    }
}

#[tokio::test]
async fn a_list_keeps_its_limits() {
    let receiver = Receiver::start(|_| status(200));
    let batch = records_of_streams(&["a"; 7]);
    let mut sink = receiver.sink(&format!("secrets = [\"{SECRET}\"]\nbatch_events_max = 3"));
    assert!(all_delivered(&sink.deliver(&batch).await, &batch));
    assert_eq!(receiver.numbers(), [vec![0, 1, 2], vec![3, 4, 5], vec![6]]);
    let first = &receiver.requests()[0];
    assert_eq!(first.header("content-type"), Some("application/cloudevents-batch+json"));
    let lines: Vec<&str> = batch[..3].iter().map(|record| record.event.line()).collect();
    assert_eq!(first.body, format!("[{}]", lines.join(",")));
    assert!(first.header("webhook-id").unwrap().starts_with("batch-"));
    assert!(receiver.requests()[2].body.starts_with('['), "a single event is a list too");

    let narrow = Receiver::start(|_| status(200));
    let bytes_max = batch[0].event.line().len() * 5 / 2;
    let mut sink = narrow.sink("batch_events_max = 1000");
    sink.options.batch_bytes_max = bytes_max;
    assert!(all_delivered(&sink.deliver(&batch).await, &batch));
    assert!(narrow.requests().iter().all(|request| request.body.len() <= bytes_max));
    assert_eq!(narrow.numbers(), [vec![0, 1], vec![2, 3], vec![4, 5], vec![6]]);
    sink.options.batch_bytes_max = 10;
    assert!(all_delivered(&sink.deliver(&batch).await, &batch), "events that exceed the limit are sent alone");
}

#[tokio::test]
async fn a_failure_holds_its_own_stream_only() {
    for concurrency in [1, 4] {
        let receiver = Receiver::start(|request| if request.numbers() == [1] { status(500) } else { status(200) });
        let batch = records_of_streams(&["a", "b", "a", "b", "c", "b"]);
        let outcomes = receiver.sink(&format!("concurrency = {concurrency}")).deliver(&batch).await;
        assert_eq!(names(&outcomes), ["delivered", "retry", "delivered", "held", "delivered", "held"]);
        let refused = Receiver::start(|request| if request.numbers() == [1] { status(422) } else { status(200) });
        let outcomes = refused.sink(&format!("concurrency = {concurrency}")).deliver(&batch).await;
        assert_eq!(names(&outcomes), ["delivered", "rejected", "delivered", "delivered", "delivered", "delivered"]);
        let lenient = refused.sink("client_errors_are_transient = true").deliver(&batch).await;
        assert_eq!(names(&lenient), ["delivered", "retry", "delivered", "held", "delivered", "held"]);
    }
}

#[tokio::test]
async fn a_refused_list_is_split() {
    for (refusal, expected) in [(400, "rejected"), (500, "retry")] {
        let receiver =
            Receiver::start(move |request| if request.numbers().contains(&2) { status(refusal) } else { status(200) });
        let batch = records_of_streams(&["a", "b", "poison", "c", "a", "poison", "d"]);
        let mut sink = receiver.sink("batch_events_max = 100\nconcurrency = 1");
        let outcomes = sink.deliver(&batch).await;
        let after = if expected == "rejected" { "delivered" } else { "held" };
        assert_eq!(
            names(&outcomes),
            ["delivered", "delivered", expected, "delivered", "delivered", after, "delivered"]
        );
        assert!(receiver.requests().len() <= 8, "{:?}", receiver.numbers());
    }
}

/// Delivers a batch like a worker with `attempts_max = 3`. Returns the number of failed attempts of each event, and the number
/// of requests of the largest step.
async fn attempts(receiver: &Receiver, sink: &mut HttpSink, batch: &[Record]) -> (Vec<usize>, usize) {
    let mut attempts = vec![0; batch.len()];
    let mut pending: Vec<usize> = (0..batch.len()).collect();
    let (mut steps, mut requests_most) = (0, 0);
    while !pending.is_empty() {
        steps += 1;
        assert!(steps < 50, "{pending:?} is never done: {attempts:?}");
        let before = receiver.requests().len();
        let records: Vec<Record> = pending.iter().map(|position| batch[*position].clone()).collect();
        let outcomes = sink.deliver(&records).await;
        requests_most = requests_most.max(receiver.requests().len() - before);
        let mut left = Vec::new();
        for (position, outcome) in pending.into_iter().zip(outcomes) {
            attempts[position] += usize::from(matches!(outcome, Outcome::Retry(_)));
            if outcome != Outcome::Delivered && attempts[position] < 3 {
                left.push(position);
            }
        }
        pending = left;
    }
    (attempts, requests_most)
}

#[tokio::test]
async fn an_unanswered_event_fails_alone() {
    let streams: Vec<String> = (0..16).map(|number| format!("s{number}")).collect();
    let batch = records_of_streams(&streams.iter().map(String::as_str).collect::<Vec<_>>());
    for (poison, concurrency) in (0..16).flat_map(|poison| [(poison, 1), (poison, 4)]) {
        let reply = if poison % 2 == 0 { Reply::HangUp } else { status(502) };
        let receiver = Receiver::start(move |request| match request.numbers().contains(&poison) {
            true => reply.clone(),
            false => status(200),
        });
        let mut sink = receiver.sink(&format!("batch_events_max = 16\nconcurrency = {concurrency}"));
        let (attempts, _) = attempts(&receiver, &mut sink, &batch).await;
        assert_eq!(attempts[poison], 3, "it is tried three times");
        let innocent = attempts.iter().enumerate().filter(|(position, _)| *position != poison);
        assert!(innocent.map(|(_, attempts)| *attempts).max() <= Some(1), "{poison}: {attempts:?}");
        let arrived = receiver.numbers().into_iter().filter(|numbers| !numbers.contains(&poison)).flatten();
        assert_eq!(arrived.collect::<HashSet<usize>>().len(), 15, "the others pass");
        assert!(all_delivered(&sink.deliver(&batch[..poison]).await, &batch[..poison]));
        let again = receiver.requests().len();
        sink.deliver(&batch[..poison]).await;
        assert!(receiver.requests().len() - again <= concurrency, "lists are whole again");
    }
}

#[tokio::test]
async fn an_outage_gets_few_requests_per_step() {
    let streams: Vec<String> = (0..500).map(|number| format!("s{}", number % 50)).collect();
    let many = records_of_streams(&streams.iter().map(String::as_str).collect::<Vec<_>>());
    let one = records_of_streams(&["a"; 500]);
    for (reply, batch) in [(status(500), &many), (status(500), &one), (status(503), &many), (Reply::HangUp, &one)] {
        for more in ["concurrency = 1", "", "batch_events_max = 500\nconcurrency = 1", "batch_events_max = 100"] {
            let reply = reply.clone();
            let receiver = Receiver::start(move |_| reply.clone());
            let mut sink = receiver.sink(more);
            let mut before = 0;
            // Only the first step splits refused lists down to single events.
            for requests_most in [50, 10, 10] {
                let outcomes = sink.deliver(batch).await;
                let requests = receiver.requests().len();
                assert!(requests - before <= requests_most, "{more}: {} requests", requests - before);
                assert!(outcomes.iter().filter(|outcome| **outcome != Outcome::Held).count() <= 8);
                before = requests;
            }
        }
    }
}

#[tokio::test]
async fn streams_run_at_once_and_in_order() {
    let receiver = Receiver::start(|request| Reply::Slow(200, Duration::from_millis(request.numbers()[0] as u64 % 7)));
    let streams: Vec<String> = (0..60).map(|number| format!("s{}", number % 6)).collect();
    let batch = records_of_streams(&streams.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(all_delivered(&receiver.sink("concurrency = 3").deliver(&batch).await, &batch));
    assert_eq!(receiver.seen.lock().unwrap().running_most, 3);
    let arrived: Vec<usize> = receiver.numbers().concat();
    for stream in 0..6 {
        let of_stream: Vec<&usize> = arrived.iter().filter(|number| *number % 6 == stream).collect();
        assert!(of_stream.len() == 10 && of_stream.is_sorted(), "{of_stream:?}");
    }
}

#[tokio::test]
async fn events_of_concurrency_1_keep_their_order() {
    let batch = records_of_streams(&["a", "b", "a", "c", "b", "a"]);
    for (more, expected) in [
        ("", vec![vec![0], vec![1], vec![2], vec![3], vec![4], vec![5]]),
        ("batch_events_max = 4", vec![vec![0, 1, 2, 3], vec![4, 5]]),
    ] {
        let receiver = Receiver::start(|_| status(200));
        let mut sink = receiver.sink(&format!("concurrency = 1\n{more}"));
        assert!(all_delivered(&sink.deliver(&batch).await, &batch));
        assert_eq!(receiver.numbers(), expected);
    }
}

#[tokio::test]
async fn an_outage_costs_few_attempts() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let away = Receiver { address: nobody, seen: Arc::default() };
    let batch = records_of_streams(&["a", "b", "c", "d", "e"]);
    let outcomes = away.sink("concurrency = 2").deliver(&batch).await;
    assert_eq!(names(&outcomes), ["retry", "retry", "held", "held", "held"]);
    let reason = reason(&outcomes[0]);
    assert!(reason.starts_with(&format!("http://{nobody}/hook: no connection: Connection refused")), "{reason}");
    assert!(reason.ends_with("does the receiver run, and is `url` where it listens?"), "{reason}");

    for (headers, tried) in [("", 2), ("Retry-After: 30\r\n", 1)] {
        let busy = Receiver::start(move |_| headed(503, headers));
        let outcomes = busy.sink("concurrency = 1").deliver(&batch).await;
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Held).count(), 5 - tried);
        let retry_after = (tried == 1).then_some(Duration::from_secs(30));
        let Outcome::Retry(failure) = &outcomes[0] else { panic!("{outcomes:?}") };
        assert_eq!(failure.retry_after, retry_after);
    }
}

#[tokio::test]
async fn an_unanswered_event_lets_others_pass() {
    let receiver = Receiver::start(|request| if request.numbers() == [0] { Reply::HangUp } else { status(200) });
    let batch = records_of_streams(&["poison", "a", "b"]);
    let outcomes = receiver.sink("concurrency = 1").deliver(&batch).await;
    assert_eq!(names(&outcomes), ["retry", "delivered", "delivered"]);
}

#[tokio::test]
async fn an_incomplete_or_late_answer_is_a_retry() {
    let cut = Reply::Text("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ncut".to_owned());
    // Breaks off long after the part that is kept.
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n";
    let cut_late = Reply::Text(format!("{head}{}cut", "x".repeat(66_000)));
    let garbage = Reply::Text("SSH-2.0-x\r\n\r\n".to_owned());
    for reply in [cut, cut_late, garbage, Reply::HangUp, Reply::Slow(200, 2 * PATIENCE)] {
        let receiver = Receiver::start(move |_| reply.clone());
        let began = Instant::now();
        let outcomes = receiver.sink("timeout_secs = 1").deliver(&records_of_streams(&["a"])).await;
        assert_eq!(names(&outcomes), ["retry"]);
        assert!(began.elapsed() < PATIENCE);
    }
}

#[tokio::test]
async fn a_long_answer_is_read_up_to_a_limit() {
    let body = "x".repeat(10_000_000);
    for (status, expected) in [(422, "rejected"), (200, "delivered")] {
        let reply = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let receiver = Receiver::start(move |_| Reply::Text(reply.clone()));
        let outcomes = receiver.sink("").deliver(&records_of_streams(&["a", "b"])).await;
        assert_eq!(names(&outcomes), [expected, expected]);
        assert!(expected == "delivered" || reason(&outcomes[0]).len() < 500);
    }
    // Many times more than the sink reads.
    let reply = format!("HTTP/1.1 200 X\r\nContent-Length: 9000000000\r\n\r\n{body}{body}");
    let receiver = Receiver::start(move |_| Reply::Text(reply.clone()));
    let outcomes = receiver.sink("").deliver(&records_of_streams(&["a"])).await;
    assert_eq!(names(&outcomes), ["retry"]);
    let reason = reason(&outcomes[0]);
    assert!(reason.contains("/hook: the answer is larger than 16777216 bytes"), "{reason}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Receiver::start(|_| status(200));
    let location = format!("Location: http://{}/x?key=hunter2\r\n", elsewhere.address);
    let receiver = Receiver::start(move |_| headed(307, &location));
    let outcomes = receiver.sink("").deliver(&records_of_streams(&["a"])).await;
    assert_eq!(names(&outcomes), ["rejected"]);
    let reason = reason(&outcomes[0]);
    assert!(
        reason.contains(&format!(", to http://{}/x:", elsewhere.address)) && !reason.contains("hunter2"),
        "{reason}"
    );
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn a_token_file_is_read_for_each_batch() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    let receiver = Receiver::start(|_| status(200));
    let mut sink = receiver.sink(&format!("bearer_token_file = {path:?}"));
    let batch = records_of_streams(&["a", "b"]);
    let outcomes = sink.deliver(&batch).await;
    assert_eq!(names(&outcomes), ["retry", "held"]);
    assert!(reason(&outcomes[0]).contains("token, which cannot be read: "));
    for token in ["one", "two"] {
        std::fs::write(&path, format!("{token}\n")).unwrap();
        assert!(all_delivered(&sink.deliver(&batch).await, &batch));
        let last = receiver.requests().pop().unwrap();
        assert_eq!(last.header("authorization"), Some(format!("Bearer {token}").as_str()));
    }
    std::fs::write(&path, "\u{feff}three\r\n").unwrap();
    assert!(all_delivered(&sink.deliver(&batch).await, &batch));
    assert_eq!(receiver.requests().pop().unwrap().header("authorization"), Some("Bearer three"));
    for bad in ["", " \n", "a\nb"] {
        std::fs::write(&path, bad).unwrap();
        assert_eq!(names(&sink.deliver(&batch).await), ["retry", "held"]);
    }
}

#[tokio::test]
async fn connections_are_kept() {
    let receiver = Receiver::start(|_| status(200));
    let mut sink = receiver.sink("concurrency = 1");
    let batch = records_of_streams(&["a", "b", "c"]);
    sink.deliver(&batch).await;
    sink.deliver(&batch).await;
    assert_eq!(receiver.requests().len(), 6);
    assert!(receiver.requests().iter().all(|request| request.header("connection").is_none()));
}

#[tokio::test]
async fn a_dropped_delivery_is_sent_again() {
    let is_dropped = Arc::new(AtomicBool::new(false));
    let answers = Arc::clone(&is_dropped);
    let receiver = Receiver::start(move |_| match answers.load(Ordering::Relaxed) {
        true => status(200),
        false => Reply::Slow(200, PATIENCE),
    });
    let mut sink = receiver.sink("concurrency = 1");
    let batch = records_of_streams(&["a", "b"]);
    let is_under_way = async {
        while receiver.requests().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        _ = sink.deliver(&batch) => panic!("it has no answer"),
        () = is_under_way => is_dropped.store(true, Ordering::Relaxed),
    }
    assert!(all_delivered(&sink.deliver(&batch).await, &batch));
    assert_eq!(receiver.numbers(), [[0], [0], [1]]);
    assert!(sink.deliver(&[]).await.is_empty());
}

#[tokio::test]
async fn a_probe_sends_no_event() {
    let receiver = Receiver::start(|_| Reply::Text("HTTP/1.1 405 X\r\nContent-Length: 0\r\n\r\n".to_owned()));
    let found = receiver.sink("").probe().await.unwrap();
    assert!(found.starts_with(&format!("http://{}/hook can be reached", receiver.address)), "{found}");
    let requests = receiver.requests();
    assert!(requests.len() == 1 && requests[0].head.starts_with("HEAD ") && requests[0].body.is_empty());

    let away = Receiver { address: "127.0.0.1:1".parse().unwrap(), seen: Arc::default() };
    let error = away.sink("").probe().await.unwrap_err().to_string();
    assert!(
        error.contains("127.0.0.1:1") && error.contains("refused") && error.contains("does the receiver run"),
        "{error}"
    );
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    let probe = async |key: &str| receiver.sink(&format!("{key} = {path:?}")).probe().await.unwrap_err().to_string();
    for key in ["ca_file", "bearer_token_file"] {
        let reason = probe(key).await;
        let expected = format!("`{key}` names {}, which cannot be read: No such file", path.display());
        assert!(reason.starts_with(&expected) && reason.contains("; correct the path"), "{reason}");
    }
    for (content, rule) in [
        ("", "there is no certificate in it; give"),
        ("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", "it is damaged: "),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "it is damaged: "),
    ] {
        std::fs::write(&path, content).unwrap();
        let reason = probe("ca_file").await;
        let expected = format!("`ca_file` names {}, which cannot be used: {rule}", path.display());
        assert!(
            reason.starts_with(&expected) && reason.ends_with("give a file of certificates in PEM form"),
            "{reason}"
        );
    }
}
