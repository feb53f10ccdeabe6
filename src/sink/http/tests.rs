//! The sink against a receiver that answers as it is told, over real connections.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::*;
use crate::sink::fixture::{all_delivered, records_of_streams};

/// Nothing here takes longer.
const PATIENCE: Duration = Duration::from_secs(20);

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// What a receiver does with a request.
#[derive(Clone)]
enum Reply {
    /// Answers with these bytes.
    Text(String),
    /// Answers with this status after a while.
    Slow(u16, Duration),
    /// Hangs up without an answer.
    HangUp,
}

fn status(status: u16) -> Reply {
    headed(status, "")
}

fn headed(status: u16, headers: &str) -> Reply {
    Reply::Text(format!("HTTP/1.1 {status} X\r\nContent-Length: 2\r\n{headers}\r\nno"))
}

/// A request as it came.
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

    /// The sequences of its events, which the tests number.
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

/// A receiver on a port of its own, for as long as the test runs.
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
        // What promises more than it sends is cut off.
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

fn names(outcomes: &[Outcome]) -> Vec<&'static str> {
    let name = |outcome: &Outcome| match outcome {
        Ok(()) => "ok",
        Err(DeliveryError::Transient { .. }) => "transient",
        Err(DeliveryError::Held) => "held",
        Err(DeliveryError::Permanent { .. }) => "permanent",
    };
    outcomes.iter().map(name).collect()
}

#[tokio::test]
async fn an_event_is_a_signed_request_of_its_own() {
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
async fn several_events_are_a_list_within_its_bounds() {
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
    assert!(receiver.requests()[2].body.starts_with('['), "also a single one");

    let narrow = Receiver::start(|_| status(200));
    let bytes_max = batch[0].event.line().len() * 5 / 2;
    let mut sink = narrow.sink("batch_events_max = 1000");
    sink.options.batch_bytes_max = bytes_max;
    assert!(all_delivered(&sink.deliver(&batch).await, &batch));
    assert!(narrow.requests().iter().all(|request| request.body.len() <= bytes_max));
    assert_eq!(narrow.numbers(), [vec![0, 1], vec![2, 3], vec![4, 5], vec![6]]);
    sink.options.batch_bytes_max = 10;
    assert!(all_delivered(&sink.deliver(&batch).await, &batch), "too large alone, and sent alone");
}

#[tokio::test]
async fn a_stream_waits_for_its_own_failure_and_others_do_not() {
    for concurrency in [1, 4] {
        let receiver = Receiver::start(|request| if request.numbers() == [1] { status(500) } else { status(200) });
        let batch = records_of_streams(&["a", "b", "a", "b", "c", "b"]);
        let outcomes = receiver.sink(&format!("concurrency = {concurrency}")).deliver(&batch).await;
        assert_eq!(names(&outcomes), ["ok", "transient", "ok", "held", "ok", "held"]);
        let refused = Receiver::start(|request| if request.numbers() == [1] { status(422) } else { status(200) });
        let outcomes = refused.sink(&format!("concurrency = {concurrency}")).deliver(&batch).await;
        assert_eq!(names(&outcomes), ["ok", "permanent", "ok", "ok", "ok", "ok"]);
        let lenient = refused.sink("client_errors_are_transient = true").deliver(&batch).await;
        assert_eq!(names(&lenient), ["ok", "transient", "ok", "held", "ok", "held"]);
    }
}

#[tokio::test]
async fn a_list_is_split_until_what_is_refused_stands_alone() {
    for (refusal, expected) in [(400, "permanent"), (500, "transient")] {
        let receiver =
            Receiver::start(move |request| if request.numbers().contains(&2) { status(refusal) } else { status(200) });
        let batch = records_of_streams(&["a", "b", "poison", "c", "a", "poison", "d"]);
        let mut sink = receiver.sink("batch_events_max = 100\nconcurrency = 1");
        let outcomes = sink.deliver(&batch).await;
        let after = if expected == "permanent" { "ok" } else { "held" };
        assert_eq!(names(&outcomes), ["ok", "ok", expected, "ok", "ok", after, "ok"]);
        assert!(receiver.requests().len() <= 8, "{:?}", receiver.numbers());
    }
}

/// Delivers a batch again and again as a worker does that gives up on an event after three attempts. Returns how often each
/// event was at fault, and how many requests the largest step took.
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
            attempts[position] += usize::from(matches!(outcome, Err(DeliveryError::Transient { .. })));
            if outcome.is_err() && attempts[position] < 3 {
                left.push(position);
            }
        }
        pending = left;
    }
    (attempts, requests_most)
}

#[tokio::test]
async fn an_event_that_never_gets_an_answer_does_not_take_its_list_along() {
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
        assert_eq!(attempts[poison], 3, "it is given up");
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
async fn a_receiver_that_takes_nothing_gets_few_requests_a_step() {
    let streams: Vec<String> = (0..500).map(|number| format!("s{}", number % 50)).collect();
    let many = records_of_streams(&streams.iter().map(String::as_str).collect::<Vec<_>>());
    let one = records_of_streams(&["a"; 500]);
    for (reply, batch) in [(status(500), &many), (status(500), &one), (status(503), &many), (Reply::HangUp, &one)] {
        for more in ["concurrency = 1", "", "batch_events_max = 500\nconcurrency = 1", "batch_events_max = 100"] {
            let reply = reply.clone();
            let receiver = Receiver::start(move |_| reply.clone());
            let mut sink = receiver.sink(more);
            let mut before = 0;
            // Lists that are refused are split down to single events, in the first step alone.
            for requests_most in [50, 10, 10] {
                let outcomes = sink.deliver(batch).await;
                let requests = receiver.requests().len();
                assert!(requests - before <= requests_most, "{more}: {} requests", requests - before);
                assert!(outcomes.iter().filter(|outcome| **outcome != Err(DeliveryError::Held)).count() <= 8);
                before = requests;
            }
        }
    }
}

#[tokio::test]
async fn streams_run_side_by_side_and_each_in_order() {
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
async fn one_at_a_time_events_go_out_as_they_came() {
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
async fn a_receiver_that_takes_nothing_is_left_alone_and_costs_few_attempts() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let away = Receiver { address: nobody, seen: Arc::default() };
    let batch = records_of_streams(&["a", "b", "c", "d", "e"]);
    let outcomes = away.sink("concurrency = 2").deliver(&batch).await;
    assert_eq!(names(&outcomes), ["transient", "transient", "held", "held", "held"]);
    let reason = outcomes[0].clone().unwrap_err().to_string();
    assert!(reason.starts_with(&format!("http://{nobody}/hook: no connection: Connection refused")), "{reason}");
    assert!(reason.ends_with("does the receiver run, and is `url` where it listens?"), "{reason}");

    for (headers, tried) in [("", 2), ("Retry-After: 30\r\n", 1)] {
        let busy = Receiver::start(move |_| headed(503, headers));
        let outcomes = busy.sink("concurrency = 1").deliver(&batch).await;
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == Err(DeliveryError::Held)).count(), 5 - tried);
        let retry_after = (tried == 1).then_some(Duration::from_secs(30));
        assert!(
            matches!(&outcomes[0], Err(DeliveryError::Transient { retry_after: asked, .. }) if *asked == retry_after)
        );
    }
}

#[tokio::test]
async fn an_event_that_never_gets_an_answer_does_not_keep_others_from_being_tried() {
    let receiver = Receiver::start(|request| if request.numbers() == [0] { Reply::HangUp } else { status(200) });
    let batch = records_of_streams(&["poison", "a", "b"]);
    let outcomes = receiver.sink("concurrency = 1").deliver(&batch).await;
    assert_eq!(names(&outcomes), ["transient", "ok", "ok"]);
}

#[tokio::test]
async fn only_a_complete_answer_in_time_is_one() {
    let cut = Reply::Text("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ncut".to_owned());
    // Cut off far behind all that is kept of it.
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n";
    let cut_late = Reply::Text(format!("{head}{}cut", "x".repeat(66_000)));
    let garbage = Reply::Text("SSH-2.0-x\r\n\r\n".to_owned());
    for reply in [cut, cut_late, garbage, Reply::HangUp, Reply::Slow(200, 2 * PATIENCE)] {
        let receiver = Receiver::start(move |_| reply.clone());
        let began = Instant::now();
        let outcomes = receiver.sink("timeout_secs = 1").deliver(&records_of_streams(&["a"])).await;
        assert_eq!(names(&outcomes), ["transient"]);
        assert!(began.elapsed() < PATIENCE);
    }
}

#[tokio::test]
async fn a_long_answer_is_read_to_its_end_and_one_without_end_is_none() {
    let body = "x".repeat(10_000_000);
    for (status, expected) in [(422, "permanent"), (200, "ok")] {
        let reply = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let receiver = Receiver::start(move |_| Reply::Text(reply.clone()));
        let outcomes = receiver.sink("").deliver(&records_of_streams(&["a", "b"])).await;
        assert_eq!(names(&outcomes), [expected, expected]);
        let reason = outcomes[0].as_ref().err().map(ToString::to_string);
        assert!(reason.unwrap_or_default().len() < 500);
    }
    // Many times more than is read, which nobody has to make.
    let reply = format!("HTTP/1.1 200 X\r\nContent-Length: 9000000000\r\n\r\n{body}{body}");
    let receiver = Receiver::start(move |_| Reply::Text(reply.clone()));
    let outcomes = receiver.sink("").deliver(&records_of_streams(&["a"])).await;
    assert_eq!(names(&outcomes), ["transient"]);
    let reason = outcomes[0].clone().unwrap_err().to_string();
    assert!(reason.contains("/hook: the answer is larger than 16777216 bytes"), "{reason}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Receiver::start(|_| status(200));
    let location = format!("Location: http://{}/x?key=hunter2\r\n", elsewhere.address);
    let receiver = Receiver::start(move |_| headed(307, &location));
    let outcomes = receiver.sink("").deliver(&records_of_streams(&["a"])).await;
    assert_eq!(names(&outcomes), ["permanent"]);
    let reason = outcomes[0].clone().unwrap_err().to_string();
    assert!(
        reason.contains(&format!(", to http://{}/x:", elsewhere.address)) && !reason.contains("hunter2"),
        "{reason}"
    );
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn the_token_is_taken_from_its_file_as_it_is_then() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    let receiver = Receiver::start(|_| status(200));
    let mut sink = receiver.sink(&format!("bearer_token_file = {path:?}"));
    let batch = records_of_streams(&["a", "b"]);
    let outcomes = sink.deliver(&batch).await;
    assert_eq!(names(&outcomes), ["transient", "held"]);
    assert!(outcomes[0].clone().unwrap_err().to_string().contains("token, which cannot be read: "));
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
        assert_eq!(names(&sink.deliver(&batch).await), ["transient", "held"]);
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
async fn a_delivery_that_is_dropped_leaves_a_sink_that_delivers() {
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
async fn a_probe_sends_no_event_and_says_what_is_wrong() {
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
        let told = probe(key).await;
        let expected = format!("`{key}` names {}, which cannot be read: No such file", path.display());
        assert!(told.starts_with(&expected) && told.contains("; correct the path"), "{told}");
    }
    for (content, rule) in [
        ("", "there is no certificate in it; give"),
        ("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", "it is damaged: "),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "it is damaged: "),
    ] {
        std::fs::write(&path, content).unwrap();
        let told = probe("ca_file").await;
        let expected = format!("`ca_file` names {}, which cannot be used: {rule}", path.display());
        assert!(told.starts_with(&expected) && told.ends_with("give a file of certificates in PEM form"), "{told}");
    }
}
