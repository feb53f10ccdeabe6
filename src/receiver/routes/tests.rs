use proptest::prelude::{ProptestConfig, prop, prop_assert, proptest};
use tokio::net::TcpListener;

use super::*;
use crate::callback::{self, CallbackKey, KeyOptions};
use crate::http::testing::{Client, Lines, MemoryJournal, Reply};
use crate::http::{Limits, serve};
use crate::journal::AppendError;
use crate::receiver::ERRORS;

/// The vendor's published sample. Its `t` is the time of these tests.
const SAMPLE: &str = r#"{"app":"test.domain.com","appid":12345678,"appname":"live","channel_id":"test_stream","errcode":0,"errmsg":"ok","event_time":1545115790,"event_type":1,"node":"100.121.160.92","sequence":"6674468118806626493","stream_id":"test_stream","stream_param":"stream_param=test","user_ip":"119.29.94.245","sign":"ca3e25e5dc17a6f9909a9ae7281e300d","t":1545030873}"#;
const T: i64 = 1_545_030_873;

struct Setup {
    receiver: Receiver,
    journal: Arc<MemoryJournal>,
    metrics: Arc<Metrics>,
    draining: Arc<AtomicBool>,
}

fn setup(change: impl FnOnce(&mut Options)) -> Setup {
    let mut options = Options { health_path: Some("/health".parse().unwrap()), ..Options::default() };
    change(&mut options);
    let keys = vec![KeyOptions { key: CallbackKey::new("test").unwrap(), domains: Vec::new() }];
    let verifier =
        Verifier::new(callback::Options { keys, allowed_appids: options.allowed_appids.clone(), ..Default::default() });
    let journal = Arc::new(MemoryJournal::default());
    let (metrics, draining) = (Arc::new(Metrics::new()), Arc::new(AtomicBool::new(false)));
    let receiver = Receiver::new(
        &options,
        verifier.unwrap(),
        Arc::clone(&journal) as Arc<dyn Journal>,
        Arc::clone(&metrics),
        Arc::clone(&draining),
        || T * 1000,
    );
    Setup { receiver: receiver.unwrap(), journal, metrics, draining }
}

/// Serves the receiver for as long as the test runs.
async fn start(receiver: Receiver) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let limits = Limits { headers_bytes_max: 8192, ..Options::default().limits() };
    tokio::spawn(serve(listener, receiver, limits, std::future::pending()));
    address
}

fn post(path: &str, headers: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}

async fn ask(address: SocketAddr, request: &str) -> Reply {
    let mut client = Client::connect(address).await;
    client.send(request).await;
    client.reply().await
}

fn other(stream: &str) -> String {
    SAMPLE.replace("test_stream", stream)
}

#[tokio::test]
async fn a_genuine_callback_is_stored_then_answered_and_its_copy_is_a_duplicate() {
    let Setup { receiver, journal, metrics, .. } = setup(|_| {});
    let mut client = Client::connect(start(receiver).await).await;
    for outcome in ["stored", "duplicate"] {
        client.send(post("/callback?any=query", "Content-Type: text/plain\r\n", SAMPLE)).await;
        let reply = client.reply().await;
        assert_eq!((reply.status, reply.body.as_str()), (200, r#"{"code":0}"#));
        assert!(reply.has("content-type: application/json"));
        let line = format!(r#"livehook_callbacks_total{{event_type="push",outcome="{outcome}"}} 1"#);
        assert!(metrics.encode().contains(&line), "{line}");
    }
    assert_eq!(journal.events().len(), 1);
}

#[tokio::test]
async fn every_form_of_sending_a_body_is_understood() {
    let Setup { receiver, journal, .. } = setup(|_| {});
    let address = start(receiver).await;

    let mut client = Client::connect(address).await;
    let request = post("/callback", "", &other("split"));
    for piece in request.as_bytes().chunks(100) {
        client.send(piece).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(client.reply().await.status, 200);

    let body = other("chunked");
    let (left, right) = body.split_at(50);
    let head = "POST /callback HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    client.send(format!("{head}{:x}\r\n{left}\r\n{:x};ext=1\r\n", left.len(), right.len())).await;
    client.send(format!("{right}\r\n0\r\nTrailer: x\r\n\r\n")).await;
    assert_eq!(client.reply().await.status, 200);

    let body = other("expect");
    client.send(post("/callback", "Expect: 100-continue\r\n", &body).strip_suffix(&body).unwrap()).await;
    assert_eq!(client.reply().await.status, 100);
    client.send(&body).await;
    assert_eq!(client.reply().await.status, 200);

    let pipelined = ["one", "two", "three"].map(|stream| post("/callback", "", &other(stream)));
    client.send(pipelined.concat()).await;
    for _ in 0..3 {
        assert_eq!(client.reply().await.status, 200);
    }

    let mut old = Client::connect(address).await;
    old.send(post("/callback", "", &other("old")).replace("HTTP/1.1", "HTTP/1.0")).await;
    assert_eq!(old.reply().await.status, 200);
    assert!(old.is_closed().await);

    journal.pause(Duration::from_millis(30));
    let mut half = Client::connect(address).await;
    half.send(post("/callback", "", &other("half"))).await;
    half.close_own_side().await;
    assert_eq!(half.reply().await.status, 200);

    assert_eq!(journal.events().len(), 8);
}

#[tokio::test]
async fn every_answer_of_the_contract() {
    let Setup { receiver, journal, metrics, .. } = setup(|options| options.body_bytes_max = 1000);
    let (refusals, tally) = (receiver.refusals(), receiver.tally());
    let address = start(receiver).await;
    let expired = SAMPLE.replace("1545030873", "1545030872").replace(
        "ca3e25e5dc17a6f9909a9ae7281e300d",
        &hex::encode(CallbackKey::new("test").unwrap().sign("1545030872")),
    );
    let chunked =
        |body: &str| format!("POST /callback HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{body}");
    let large = "x".repeat(1001);
    let table = [
        (post("/callback", "", ""), 400, "malformed"),
        (post("/callback", "", "[]"), 400, "malformed"),
        (post("/callback", "", &SAMPLE.replace("event_type", "x")), 400, "malformed"),
        (post("/callback", "", &SAMPLE.replace(":1545030873", ":1e9")), 400, "malformed"),
        (chunked("zz\r\n"), 400, "malformed"),
        (post("/callback", "", &SAMPLE.replace("\"sign\"", "\"x\"")), 401, "signature_missing"),
        (post("/callback", "", &SAMPLE.replace("ca3e", "ca3f")), 401, "signature_mismatch"),
        (post("/callback", "", &expired), 401, "signature_expired"),
        (post("/", "", SAMPLE), 404, "not_found"),
        (post("/callback/", "", SAMPLE), 404, "not_found"),
        ("GET /callback HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), 405, "method_not_allowed"),
        (post("/callback", "", SAMPLE).replace("POST", "PUT"), 405, "method_not_allowed"),
        ("POST /callback HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), 411, "length_required"),
        (post("/callback", "", &large), 413, "body_too_large"),
        (post("/callback", "Expect: 100-continue\r\n", &large), 413, "body_too_large"),
        (chunked(&format!("3e9\r\n{large}\r\n0\r\n\r\n")), 413, "body_too_large"),
        (post("/callback", "Content-Encoding: gzip\r\n", SAMPLE), 415, "encoding_not_supported"),
        (post("/callback", "Content-Encoding: identity, br\r\n", SAMPLE), 415, "encoding_not_supported"),
        (chunked("0\r\n\r\n").replace(": chunked", ": gzip, chunked"), 415, "encoding_not_supported"),
        (post("/callback", &format!("A: {}\r\n", "x".repeat(8192)), SAMPLE), 431, "headers_too_large"),
        ("POST /callback HTTP/1.1\r\nHost x\r\n\r\n".to_owned(), 400, "malformed"),
    ];
    for (request, status, word) in &table {
        let reply = ask(address, request).await;
        assert_eq!(reply.error(), (*status, (*word).to_owned()), "{request}");
    }
    assert!(ask(address, &table[10].0).await.has("allow: POST"));
    assert!(ask(address, &table[7].0).await.body.contains("expired 1 s ago"));
    assert!(ask(address, &table[8].0).await.body.contains("`/`"));
    let kept = refusals.page(|refusal| ERRORS.contains(&refusal.error), None, 256);
    assert_eq!(kept.len(), table.len() - 2 + 3, "each but those that were refused before their path was read");
    let counted: u64 = tally.hours(i64::MIN, i64::MAX).iter().map(|(_, _, count)| count).sum();
    assert_eq!(counted, table.len() as u64 + 3, "these too");
    for identity in ["Identity", ""] {
        let identity = post("/callback", &format!("Content-Encoding: {identity}\r\n"), SAMPLE);
        assert_eq!(ask(address, &identity).await.status, 200);
    }
    assert_eq!(journal.events().len(), 1);
    let metrics = metrics.encode();
    for line in [
        r#"livehook_callbacks_total{event_type="push",outcome="signature_expired"} 2"#,
        r#"livehook_callbacks_total{event_type="none",outcome="length_required"} 1"#,
        r#"livehook_callbacks_total{event_type="none",outcome="not_found"} 3"#,
        r#"livehook_callbacks_total{event_type="none",outcome="malformed"} 6"#,
        r#"livehook_callbacks_total{event_type="none",outcome="headers_too_large"} 1"#,
        "livehook_expired_by_seconds_count 2",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
}

#[tokio::test]
async fn a_connection_survives_a_refusal_whose_body_was_read() {
    let Setup { receiver, .. } = setup(|_| {});
    let mut client = Client::connect(start(receiver).await).await;
    client.send(post("/callback", "", &SAMPLE.replace("ca3e", "ca3f"))).await;
    assert_eq!(client.reply().await.status, 401);
    client.send(post("/callback", "", SAMPLE)).await;
    assert_eq!(client.reply().await.status, 200);
    client.send(post("/elsewhere", "", SAMPLE)).await;
    let reply = client.reply().await;
    assert_eq!(reply.status, 404);
    assert!(reply.has("connection: close"), "its body was not read: {reply:?}");
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_large_unread_body_does_not_destroy_the_answer() {
    let Setup { receiver, .. } = setup(|_| {});
    let address = start(receiver).await;
    let body = "x".repeat(900 * 1024);
    let mut client = Client::connect(address).await;
    client.send(post("/callback", "", &body)).await;
    assert_eq!(client.reply().await.error(), (413, "body_too_large".to_owned()));

    let mut client = Client::connect(address).await;
    client.send("POST /callback HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n{").await;
    for _ in 0..5 {
        assert!(client.send("x").await, "a client that sends before it reads is not reset");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(client.reply().await.status, 413);
}

#[tokio::test]
async fn a_journal_that_cannot_take_the_event_is_answered_with_503() {
    let Setup { receiver, journal, draining, .. } = setup(|_| {});
    let (refusals, tally) = (receiver.refusals(), receiver.tally());
    let address = start(receiver).await;
    let health = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
    assert_eq!(ask(address, health).await.status, 200);
    for error in
        [AppendError::Overloaded, AppendError::Full, AppendError::Broken("disk".to_owned()), AppendError::Closed]
    {
        journal.refuse(Some(error));
        let reply = ask(address, &post("/callback", "", SAMPLE)).await;
        assert_eq!(reply.error(), (503, "unavailable".to_owned()));
        assert!(reply.has("retry-after: 10"));
        assert!(!reply.body.contains("disk"), "causes are no business of the sender");
        assert_eq!(ask(address, health).await.error(), (503, "unavailable".to_owned()));
    }
    journal.refuse(None);
    assert_eq!(ask(address, health).await.status, 200);
    draining.store(true, Ordering::Relaxed);
    assert_eq!(ask(address, health).await.status, 503);

    assert!(refusals.page(|_| true, None, 1).is_empty(), "what could not be stored was not refused");
    assert_eq!(tally.hours(i64::MIN, i64::MAX)[0].1, "unavailable");
}

#[tokio::test]
async fn a_client_that_goes_does_not_take_its_event_along() {
    let Setup { receiver, journal, .. } = setup(|_| {});
    journal.pause(Duration::from_millis(50));
    let mut client = Client::connect(start(receiver).await).await;
    client.send(post("/callback", "", SAMPLE)).await;
    drop(client);
    let deadline = Instant::now() + Duration::from_secs(20);
    while journal.events().is_empty() {
        assert!(Instant::now() < deadline, "the event was lost");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn slow_bodies_are_told_so_and_reserve_nothing() {
    let Setup { receiver, .. } = setup(|options| options.bodies_bytes_max = 1000);
    let receiver = Receiver { body_timeout: Duration::from_millis(200), ..receiver };
    let address = start(receiver).await;
    let mut slow = Vec::new();
    for _ in 0..5 {
        let mut client = Client::connect(address).await;
        client.send("POST /callback HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n{").await;
        slow.push(client);
    }
    assert_eq!(ask(address, &post("/callback", "", SAMPLE)).await.status, 200, "announced bytes take no memory");
    for mut client in slow {
        assert_eq!(client.reply().await.error(), (408, "timeout".to_owned()));
        assert!(client.is_closed().await);
    }
    let large = SAMPLE.replace("stream_param=test", &"x".repeat(1000));
    assert_eq!(ask(address, &post("/callback", "", &large)).await.error(), (503, "unavailable".to_owned()));
}

#[tokio::test]
async fn what_waits_for_the_journal_counts_as_memory_of_bodies() {
    let Setup { receiver, journal, .. } = setup(|options| options.bodies_bytes_max = 1000);
    journal.pause(Duration::from_millis(300));
    let address = start(receiver).await;
    let mut waiting = Client::connect(address).await;
    waiting.send(post("/callback", "", SAMPLE)).await;
    while journal.events().is_empty() {
        tokio::task::yield_now().await;
    }
    let second = post("/callback", "", &other("second"));
    assert_eq!(ask(address, &second).await.error(), (503, "unavailable".to_owned()));
    assert_eq!(waiting.reply().await.status, 200);
    assert_eq!(ask(address, &second).await.status, 200);
}

/// A request as the server hands it on.
fn request(body: &str) -> Request {
    let request = Request::builder().method("POST").uri("/callback").header("content-length", body.len());
    request.body(Body::from(body.to_owned())).unwrap()
}

#[tokio::test]
async fn what_nobody_waits_for_any_more_counts_until_the_journal_is_done_with_it() {
    let peer = SocketAddr::from(([192, 0, 2, 7], 4711));
    for is_client_gone in [true, false] {
        let Setup { receiver, journal, .. } = setup(|options| options.bodies_bytes_max = 1000);
        journal.pause(Duration::from_secs(60));
        let answer_timeout = if is_client_gone { receiver.answer_timeout } else { Duration::from_millis(50) };
        let receiver = Receiver { answer_timeout, ..receiver };
        let first = receiver.answer(request(SAMPLE), peer);
        if is_client_gone {
            assert!(tokio::time::timeout(Duration::from_millis(50), first).await.is_err());
        } else {
            assert_eq!(first.await.status(), 503);
        }
        assert_eq!(receiver.answer(request(&other("second")), peer).await.status(), 503);
        assert_eq!(journal.events().len(), 1, "there was no memory for the second");
    }
}

#[tokio::test]
async fn addresses_are_checked_before_all_else() {
    let Setup { receiver, .. } = setup(|options| {
        options.allowed_addresses = vec!["192.0.2.0/24".parse().unwrap()];
        options.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    });
    let address = start(receiver).await;
    let from = |list: &str| post("/callback", &format!("X-Forwarded-For: {list}\r\n"), SAMPLE);
    assert_eq!(ask(address, &from("192.0.2.7")).await.status, 200);
    assert_eq!(ask(address, &from("6.6.6.6, 192.0.2.7:443")).await.status, 200);
    for list in ["198.51.100.1", "192.0.2.7, 198.51.100.1", "unknown", ""] {
        assert_eq!(ask(address, &from(list)).await.error(), (403, "address_not_allowed".to_owned()), "{list}");
    }
    assert_eq!(ask(address, "GET /callback HTTP/1.1\r\nHost: x\r\n\r\n").await.status, 403);
}

#[test]
fn two_paths_that_are_one_are_an_error() {
    let make = |path: &str, health_path: &str| {
        let options = Options {
            path: path.parse().unwrap(),
            health_path: Some(health_path.parse().unwrap()),
            ..Options::default()
        };
        let verifier = Verifier::new(callback::Options { allow_unsigned: true, ..Default::default() }).unwrap();
        Receiver::new(&options, verifier, Arc::new(MemoryJournal::default()), Arc::default(), Arc::default(), || 0)
            .err()
    };
    assert_eq!(make("/a", "/a"), Some(ReceiverError::SamePath("/a".parse().unwrap())));
    assert_eq!(make("/a", "/a/"), None);
}

#[tokio::test]
async fn the_log_helps_and_cannot_be_forged() {
    let (lines, _guard) = Lines::take();
    let Setup { receiver, .. } = setup(|options| options.trusted_proxies = vec!["127.0.0.1".parse().unwrap()]);
    let address = start(receiver).await;

    ask(address, &post("/callback", "X-Forwarded-For: 192.0.2.7\r\n", r#"{"event_type":314}"#)).await;
    let text = lines.text();
    for part in ["client=192.0.2.7", "signature_missing", "relay", "receiver.unsigned_event_types"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let forged = "POST /\x1b[31m\u{e9}\u{202e}x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
    ask(address, forged).await;
    ask(address, "POST /\"%0a\u{e9}\u{202e} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").await;
    ask(address, &post("/callback", "X-Forwarded-For: \t\u{9b}31m\r\n", r#"{"\u001b[31m\n":1,"\u001b[31m\n":2}"#))
        .await;
    let text = lines.text();
    assert!(text.lines().count() >= 3, "{text}");
    assert!(text.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)), "{text:?}");
    assert!(text.lines().all(|line| line.contains("WARN")), "no line of another's making: {text}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_are_accepted_without_a_valid_signature(
        bytes in prop::collection::vec(proptest::num::u8::ANY, 0..200), sign in "[0-9a-f]{32}", t in proptest::num::u32::ANY,
    ) {
        let forged = format!(r#"{{"event_type":1,"t":{t},"sign":"{sign}"}}"#);
        let Setup { receiver, journal, .. } = setup(|_| {});
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        for body in [bytes, forged.into_bytes()] {
            let request = Request::builder().method("POST").uri("/callback").header("content-length", body.len());
            let request = request.body(Body::from(body)).unwrap();
            let response = runtime.block_on(receiver.answer(request, SocketAddr::from(([192, 0, 2, 7], 4711))));
            prop_assert!(matches!(response.status().as_u16(), 400 | 401));
        }
        prop_assert!(journal.events().is_empty());
    }
}
