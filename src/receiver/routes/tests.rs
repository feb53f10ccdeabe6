//! The callback endpoint as its clients see it. They connect in memory, so that tokio's clock can be paused.

use std::sync::atomic::Ordering;
use std::time::Duration;

use proptest::prelude::{ProptestConfig, prop, prop_assert, proptest};

use super::testing::{SAMPLE, Setup, get, other, post, request, setup, start_tcp};
use super::*;
use crate::callback::{CallbackKey, Verifier, VerifierOptions};
use crate::http::UrlPath;
use crate::http::testing::{Client, Lines, PEER};
use crate::journal::AppendError;
use crate::receiver::{ERRORS, Options};
use crate::telemetry::TextFormat;

#[tokio::test(start_paused = true)]
async fn copy_of_a_callback_is_a_duplicate() {
    let Setup { connector, journal, metrics, .. } = setup(|_| {});
    let mut client = connector.connect().unwrap();
    for outcome in ["stored", "duplicate"] {
        client.send(post("/callback?any=query", "Content-Type: text/plain\r\n", SAMPLE)).await;
        let reply = client.reply().await;
        assert_eq!((reply.status, reply.body.as_str()), (200, r#"{"code":0}"#));
        assert!(reply.has("content-type: application/json"));
        let line = format!(r#"livehook_callbacks_total{{event_type="push",outcome="{outcome}"}} 1"#);
        assert!(metrics.encode(TextFormat::Classic).contains(&line), "{line}");
    }
    assert_eq!(journal.events().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn body_may_arrive_in_any_form() {
    let Setup { connector, journal, .. } = setup(|_| {});

    let mut client = connector.connect().unwrap();
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

    let mut old = connector.connect().unwrap();
    old.send(post("/callback", "", &other("old")).replace("HTTP/1.1", "HTTP/1.0")).await;
    assert_eq!(old.reply().await.status, 200);
    assert!(old.is_closed().await);

    journal.pause(Duration::from_millis(30));
    let mut half = connector.connect().unwrap();
    half.send(post("/callback", "", &other("half"))).await;
    half.close_own_side().await;
    assert_eq!(half.reply().await.status, 200);

    assert_eq!(journal.events().len(), 8);
}

#[tokio::test(start_paused = true)]
async fn every_error_is_answered_and_counted() {
    let Setup { receiver, connector, journal, metrics, .. } = setup(|options| options.body_bytes_max = 1000);
    let (refusals, counts) = (receiver.recent_refusals(), receiver.hourly_counts());
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
        (get("/callback"), 405, "method_not_allowed"),
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
        let reply = connector.ask(request).await;
        assert_eq!(reply.error(), (*status, (*word).to_owned()), "{request}");
    }
    assert!(connector.ask(&table[10].0).await.has("allow: POST"));
    assert!(connector.ask(&table[7].0).await.body.contains("expired 1 s ago"));
    assert!(connector.ask(&table[8].0).await.body.contains("`/`"));
    let kept = refusals.page(|refusal| ERRORS.contains(&refusal.error), None, 256);
    assert_eq!(kept.len(), table.len() - 2 + 3, "each, except the two whose head could not be read");
    let counted: u64 = counts.hours(i64::MIN, i64::MAX).iter().map(|(_, _, count)| count).sum();
    assert_eq!(counted, table.len() as u64 + 3, "the two are counted");
    for identity in ["Identity", ""] {
        let identity = post("/callback", &format!("Content-Encoding: {identity}\r\n"), SAMPLE);
        assert_eq!(connector.ask(&identity).await.status, 200);
    }
    assert_eq!(journal.events().len(), 1);
    let metrics = metrics.encode(TextFormat::Classic);
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

/// No path is a pattern.
#[tokio::test(start_paused = true)]
async fn special_paths_are_compared_as_text() {
    for (path, others) in [
        ("/:x/*y", ["/a/b", "/:x/b"]),
        ("/*rest", ["/a", "/*rest/"]),
        ("/:x", ["/a", "/:y"]),
        ("/a%20b", ["/a%20B", "/a+b"]),
        ("//", ["/", "///"]),
        ("/a//b/", ["/a//b", "/a/b/"]),
        ("/~x!$&'()*+,;=:@", ["/~x", "/~x!$&'()*+,;=:@/"]),
        ("/", ["//", "/%2f"]),
        ("/callback", ["/callback/", "/%63allback"]),
    ] {
        for health_path in ["/health", "/:h/*health", "/health/"] {
            let setup = setup(|options| {
                options.path = path.parse().unwrap();
                options.health_path = Some(health_path.parse().unwrap());
            });
            assert_eq!(setup.connector.ask(post(path, "", SAMPLE)).await.status, 200, "{path}");
            assert_eq!(setup.connector.ask(get(health_path)).await.body, "ready\n", "{health_path}");
            for other in others {
                assert_eq!(setup.connector.ask(post(other, "", SAMPLE)).await.status, 404, "{path} {other}");
            }
        }
    }
    assert!("/{x}".parse::<UrlPath>().is_err() && "/{*x}".parse::<UrlPath>().is_err());
}

/// A reload changes the paths for every later request, also on an open connection.
#[tokio::test(start_paused = true)]
async fn request_keeps_the_paths_of_its_begin() {
    let Setup { receiver, connector, journal, .. } = setup(|_| {});
    let (mut begun, mut open) = (connector.connect().unwrap(), connector.connect().unwrap());
    let request = post("/callback", "", SAMPLE);
    let (first, rest) = request.split_at(request.len() - 9);
    begun.send(first).await;
    open.send(post("/callback", "", &other("before"))).await;
    assert_eq!(open.reply().await.status, 200);
    let options = Options {
        path: "/other".parse().unwrap(),
        health_path: Some("/callback".parse().unwrap()),
        ..Options::default()
    };
    let verifier = Verifier::new(VerifierOptions { allow_unsigned: true, ..Default::default() }).unwrap();
    receiver.take_over(&options, verifier, Vec::new(), false);
    for (request, status) in [
        (post("/other", "", &other("after")), 200),
        (get("/health"), 404),
        (get("/callback"), 200),
        (post("/callback", "", ""), 405),
    ] {
        open.send(&request).await;
        assert_eq!(open.reply().await.status, status, "{request}");
    }
    begun.send(rest).await;
    assert_eq!(begun.reply().await.status, 200);
    assert_eq!(journal.events().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn request_target_may_have_any_form() {
    let Setup { connector, .. } = setup(|_| {});
    let absolute = post("http://any.example.com:81/callback?a=b", "", SAMPLE);
    assert_eq!(connector.ask(absolute).await.status, 200);
    for (request, part) in [
        (post("http://any.example.com/", "", SAMPLE), "`/`"),
        ("CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), "names no path"),
        ("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), "`*`"),
        (get("/callback/../callback"), "`/callback/../callback`"),
    ] {
        let reply = connector.ask(&request).await;
        assert_eq!(reply.error(), (404, "not_found".to_owned()), "{request}");
        assert!(reply.body.contains(part), "{reply:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn answers_have_their_headers_in_order() {
    let Setup { connector, journal, .. } = setup(|_| {});
    let ready = connector.ask(get("/health")).await;
    assert_eq!(ready.header_names(), ["content-length", "date"]);
    let stored = connector.ask(post("/callback", "", SAMPLE)).await;
    assert_eq!(stored.header_names(), ["content-type", "content-length", "date"]);
    let put = connector.ask(post("/callback", "", SAMPLE).replace("POST", "PUT")).await;
    assert_eq!(put.header_names(), ["content-type", "allow", "connection", "content-length", "date"]);
    let changed = connector.ask(post("/health", "", "")).await;
    assert_eq!(changed.error().0, 405);
    assert!(changed.has("allow: GET, HEAD"), "{changed:?}");
    journal.refuse(Some(AppendError::Full));
    let unavailable = connector.ask(get("/health")).await;
    assert_eq!(unavailable.header_names(), ["content-type", "retry-after", "content-length", "date"]);
}

/// An answer to HEAD has no body, and the length of the body that a GET would get.
#[tokio::test(start_paused = true)]
async fn head_gets_no_body() {
    let Setup { connector, .. } = setup(|_| {});
    for (path, status) in [("/health", 200), ("/callback", 405), ("/", 404)] {
        let length = connector.ask(get(path)).await.body.len();
        let mut client = connector.connect().unwrap();
        client.send(format!("HEAD {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).await;
        let text = client.read_to_end().await;
        assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{text}");
        assert!(text.contains(&format!("content-length: {length}\r\n")) && text.ends_with("\r\n\r\n"), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn connection_survives_if_the_body_was_read() {
    let Setup { connector, .. } = setup(|_| {});
    let mut client = connector.connect().unwrap();
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

/// A client that sends before it reads is not reset, so it does not lose the answer. Only TCP resets connections.
#[tokio::test]
async fn unread_body_does_not_destroy_the_answer() {
    let Setup { receiver, .. } = setup(|_| {});
    let address = start_tcp(&receiver).await;
    let body = "x".repeat(900 * 1024);
    let mut client = Client::connect(address).await;
    client.send(post("/callback", "", &body)).await;
    assert_eq!(client.reply().await.error(), (413, "body_too_large".to_owned()));

    let mut client = Client::connect(address).await;
    client.send("POST /callback HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n{").await;
    while receiver.recent_refusals().page(|_| true, None, 2).len() < 2 {
        tokio::task::yield_now().await;
    }
    for _ in 0..5 {
        assert!(client.send("x").await);
        tokio::task::yield_now().await;
    }
    assert_eq!(client.reply().await.status, 413);
}

#[tokio::test(start_paused = true)]
async fn journal_that_refuses_gets_503() {
    let Setup { receiver, connector, journal, draining, .. } = setup(|_| {});
    assert_eq!(connector.ask(get("/health")).await.status, 200);
    for error in
        [AppendError::Overloaded, AppendError::Full, AppendError::Broken("disk".to_owned()), AppendError::Closed]
    {
        journal.refuse(Some(error));
        let reply = connector.ask(&post("/callback", "", SAMPLE)).await;
        assert_eq!(reply.error(), (503, "unavailable".to_owned()));
        assert!(reply.has("retry-after: 10"));
        assert!(!reply.body.contains("disk"), "the sender must not learn the cause");
        assert_eq!(connector.ask(get("/health")).await.error(), (503, "unavailable".to_owned()));
    }
    journal.refuse(None);
    assert_eq!(connector.ask(get("/health")).await.status, 200);
    draining.store(true, Ordering::Relaxed);
    assert_eq!(connector.ask(get("/health")).await.status, 503);

    assert!(receiver.recent_refusals().page(|_| true, None, 1).is_empty(), "a 503 is not a refusal");
    assert_eq!(receiver.hourly_counts().hours(i64::MIN, i64::MAX)[0].1, "unavailable");
}

#[tokio::test(start_paused = true)]
async fn slow_bodies_time_out_and_reserve_nothing() {
    let Setup { connector, .. } = setup(|options| {
        options.bodies_bytes_max = 1000;
        options.body_timeout_secs = 3;
    });
    let mut slow = Vec::new();
    for _ in 0..5 {
        let mut client = connector.connect().unwrap();
        client.send("POST /callback HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n{").await;
        slow.push(client);
    }
    let stored = connector.ask(&post("/callback", "", SAMPLE)).await;
    assert_eq!(stored.status, 200, "announced bytes take no memory");
    for mut client in slow {
        assert_eq!(client.reply().await.error(), (408, "timeout".to_owned()));
        assert!(client.is_closed().await);
    }
    let large = SAMPLE.replace("stream_param=test", &"x".repeat(1000));
    assert_eq!(connector.ask(&post("/callback", "", &large)).await.error(), (503, "unavailable".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn address_is_checked_first() {
    let Setup { receiver, connector, .. } = setup(|options| {
        options.allowed_addresses = vec!["192.0.2.0/24".parse().unwrap()];
        options.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    });
    let from = |list: &str| post("/callback", &format!("X-Forwarded-For: {list}\r\n"), SAMPLE);
    assert_eq!(connector.ask(&from("192.0.2.7")).await.status, 200);
    assert_eq!(connector.ask(&from("6.6.6.6, 192.0.2.7:443")).await.status, 200);
    for list in ["198.51.100.1", "192.0.2.7, 198.51.100.1", "unknown", ""] {
        assert_eq!(connector.ask(&from(list)).await.error(), (403, "address_not_allowed".to_owned()), "{list}");
    }
    let forbidden = connector.ask(get("/callback")).await;
    assert_eq!(forbidden.status, 403, "before the method");
    assert!(!forbidden.body.contains("allowed_addresses"), "{forbidden:?}");
    let kept = &receiver.recent_refusals().page(|_| true, None, 1)[0];
    let shown = serde_json::to_value(kept.as_ref()).unwrap();
    let expected = "this address may not send callbacks here; 127.0.0.1 is not in `receiver.allowed_addresses`";
    assert_eq!(shown["message"], expected);
    assert!(!forbidden.has_header("allow"), "{forbidden:?}");
    let without_length = "POST /callback HTTP/1.1\r\nHost: x\r\n\r\n";
    assert_eq!(connector.ask(without_length).await.status, 403, "before the length");
    assert_eq!(connector.ask(get("/elsewhere")).await.status, 404, "a wrong path shows itself to all");
}

#[tokio::test(start_paused = true)]
async fn log_helps_and_cannot_be_forged() {
    let (lines, _guard) = Lines::take();
    let Setup { connector, .. } = setup(|options| options.trusted_proxies = vec!["127.0.0.1".parse().unwrap()]);

    connector.ask(&post("/callback", "X-Forwarded-For: 192.0.2.7\r\n", r#"{"event_type":314}"#)).await;
    let text = lines.text();
    for part in ["client=192.0.2.7", "signature_missing", "relay", "receiver.unsigned_event_types"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let forged = "POST /\x1b[31m\u{e9}\u{202e}x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
    connector.ask(forged).await;
    connector.ask("POST /\"%0a\u{e9}\u{202e} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").await;
    let twice = r#"{"\u001b[31m\n":1,"\u001b[31m\n":2}"#;
    connector.ask(&post("/callback", "X-Forwarded-For: \t\u{9b}31m\r\n", twice)).await;
    let text = lines.text();
    assert!(text.lines().count() >= 3, "{text}");
    assert!(text.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)), "{text:?}");
    assert!(text.lines().all(|line| line.contains("WARN")), "a sender has written a line: {text}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn unsigned_bytes_are_never_accepted(
        bytes in prop::collection::vec(proptest::num::u8::ANY, 0..200), sign in "[0-9a-f]{32}", t in proptest::num::u32::ANY,
    ) {
        let forged = format!(r#"{{"event_type":1,"t":{t},"sign":"{sign}"}}"#);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let Setup { receiver, journal, .. } = setup(|_| {});
            for body in [bytes, forged.into_bytes()] {
                let length = body.len();
                let response = receiver.answer(request(body, length), PEER.into()).await;
                prop_assert!(matches!(response.status().as_u16(), 400 | 401));
            }
            prop_assert!(journal.events().is_empty());
            Ok(())
        })?;
    }
}
