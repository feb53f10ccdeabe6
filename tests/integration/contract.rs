//! The answers of the callback endpoint, word for word, over real connections. No secret leaves it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::client::{Answer, Client, KEY, members, now_secs, sign, signed};
use super::process::{Livehook, PROGRAM};
use super::test_app::TestApp;

async fn answer(app: &TestApp, request: String) -> Answer {
    let mut client = Client::connect(app.receiver).await.unwrap();
    client.raw(request.as_bytes()).await.unwrap();
    client.receive().await.unwrap()
}

fn request(body: &str, headers: &str) -> String {
    format!("POST /callback HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len())
}

async fn check(app: &TestApp, request: String, status: u16, error: &str) {
    let start: String = request.chars().take(200).collect();
    check_answer(&answer(app, request).await, status, error, &start);
}

fn check_answer(answer: &Answer, status: u16, error: &str, start: &str) {
    assert_eq!((answer.status, answer.error().as_str()), (status, error), "{start}");
    let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body["code"], status);
    assert!(body["message"].as_str().is_some_and(|message| !message.is_empty()));
    assert!(answer.head.to_ascii_lowercase().contains("content-type: application/json"), "{}", answer.head);
}

#[tokio::test]
async fn every_answer_has_its_status_and_word() {
    let app = TestApp::start("[receiver]\nallowed_appids = [12345678]\nallowed_domains = [\"*.example.com\"]\n").await;
    let metrics_at_start = app.metrics().await;
    let now = now_secs();
    let good = signed(1, now);
    let first = answer(&app, request(&good, "")).await;
    assert_eq!((first.status, first.body.as_str()), (200, r#"{"code":0}"#));
    let again = answer(&app, request(&good, "Content-Type: text/plain\r\n")).await;
    assert_eq!((again.status, again.body.as_str()), (200, r#"{"code":0}"#), "a duplicate, and whatever the type");

    for body in [
        "",
        "{",
        "[]",
        "null",
        r#"{"event_type":1,"t":"x","sign":"y"}"#,
        r#"{"t":1,"sign":"y"}"#,
        r#"{"event_type":1,"sign":"y"}"#,
    ] {
        check(&app, request(body, ""), 400, "malformed").await;
    }
    check(&app, request(&good.replacen('{', r#"{"t":1,"#, 1), ""), 400, "malformed").await;
    let deep = sign(&format!(r#""event_type":1,"a":{}{}"#, "[".repeat(64), "]".repeat(64)), now + 600);
    check(&app, request(&deep, ""), 400, "malformed").await;

    check(&app, request(r#"{"event_type":1}"#, ""), 401, "signature_missing").await;
    check(&app, request(&format!(r#"{{"event_type":1,"t":{now},"sign":"00"}}"#), ""), 401, "signature_mismatch").await;
    check(&app, request(&good.replace("\"t\":", "\"t\": 1"), ""), 401, "signature_mismatch").await;
    check(&app, request(&signed(1, now - 700), ""), 401, "signature_expired").await;
    let other = |from: &str, to: &str| request(&signed(2, now).replace(from, to), "");
    check(&app, other("12345678", "12345679"), 403, "appid_not_allowed").await;
    check(&app, other("push.example.com", "example.com"), 403, "domain_not_allowed").await;

    check(&app, "GET /callback HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(), 405, "method_not_allowed").await;
    check(&app, "POST /else HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n".to_owned(), 404, "not_found").await;
    check(&app, "POST /callback HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(), 411, "length_required").await;
    check(&app, request(&"x".repeat(262_145), ""), 413, "body_too_large").await;
    check(&app, request("x", "Content-Encoding: gzip\r\n"), 415, "encoding_not_supported").await;
    check(&app, request("x", &format!("X: {}\r\n", "y".repeat(17_000))), 431, "headers_too_large").await;

    assert_eq!(app.events().len(), 1);
    let metrics = app.metrics().await;
    for (event_type, outcome) in [
        ("stop", "stored"),
        ("stop", "duplicate"),
        ("push", "signature_mismatch"),
        ("push", "domain_not_allowed"),
        ("none", "malformed"),
        ("none", "headers_too_large"),
    ] {
        let labels = format!("livehook_callbacks_total{{event_type=\"{event_type}\",outcome=\"{outcome}\"}}");
        let counted = metrics.lines().find_map(|line| line.strip_prefix(&labels)).unwrap();
        assert_ne!(counted, " 0", "{labels}");
    }
    // `increase()` sees only series that were there before.
    assert_eq!(series(&metrics), series(&metrics_at_start));
}

/// The metrics with their labels, without their values.
fn series(metrics: &str) -> Vec<&str> {
    let mut series: Vec<_> = metrics.lines().filter_map(|line| Some(line.rsplit_once(' ')?.0)).collect();
    series.sort_unstable();
    series
}

#[tokio::test]
async fn slow_body_gets_408() {
    let app = TestApp::start("[receiver]\nbody_timeout_secs = 1\n").await;
    let whole = request(&signed(1, now_secs()), "");
    let mut client = Client::connect(app.receiver).await.unwrap();
    let began = Instant::now();
    client.raw(&whole.as_bytes()[..whole.len() - 1]).await.unwrap();
    let slow = client.receive().await.unwrap();
    check_answer(&slow, 408, "timeout", "all but the last byte");
    assert!(began.elapsed() >= Duration::from_secs(1), "it was answered too early");
    assert_eq!(
        slow.body,
        r#"{"code":408,"error":"timeout","message":"the body of the request took too long to arrive"}"#
    );
    assert_eq!(answer(&app, whole).await.status, 200, "and whole it is taken");
}

#[tokio::test]
async fn displaced_body_gets_503_with_retry_after() {
    let app = TestApp::start("[receiver]\nbody_bytes_max = 2000\nbodies_bytes_max = 2000\n").await;
    let mut slow = Client::connect(app.receiver).await.unwrap();
    let large = request(&sign(&format!(r#""event_type":1,"a":"{}""#, "x".repeat(1800)), now_secs() + 600), "");
    slow.raw(&large.as_bytes()[..large.len() - 1]).await.unwrap();
    let good = request(&signed(1, now_secs()), "");
    // Until the bytes of the slow one have arrived, both have room.
    let refused = loop {
        assert_eq!(answer(&app, good.clone()).await.status, 200, "a whole small body finds room");
        if let Ok(refused) = tokio::time::timeout(Duration::from_millis(20), slow.receive()).await {
            break refused.unwrap();
        }
    };
    check_answer(&refused, 503, "displaced", &large);
    assert!(refused.head.to_ascii_lowercase().contains("\r\nretry-after: 10"), "{}", refused.head);
    assert_eq!(
        refused.body,
        r#"{"code":503,"error":"displaced","message":"other requests need the memory of this unfinished body: send the callback again later"}"#
    );
    assert_eq!(answer(&app, large).await.status, 200, "whole it finds room");
    let counted = "livehook_callbacks_total{event_type=\"none\",outcome=\"displaced\"} 1";
    assert!(app.metrics().await.contains(counted), "{}", app.metrics().await);
}

#[tokio::test]
async fn refusal_messages_help() {
    let app = TestApp::start("[receiver]\nallowed_appids = [1]\n").await;
    let message = |answer: &Answer| {
        let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        body["message"].as_str().unwrap().to_owned()
    };
    let expired = message(&answer(&app, request(&signed(1, now_secs() - 700), "")).await);
    let expected = |secs: i64| format!("the signature expired {secs} s ago: `livehook sign` makes a fresh sample");
    assert!((100..103).any(|secs| expired == expected(secs)), "{expired}");
    for (request, expected) in [
        (
            "POST /elsewhere HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n".to_owned(),
            "there is nothing at `/elsewhere`: check the path of the URL",
        ),
        (
            request(r#"{"event_type":1}"#, ""),
            "the callback has no `sign`: set the same callback key in the CSS console and in livehook",
        ),
        (
            request(&format!(r#"{{"event_type":1,"t":{},"sign":"00"}}"#, now_secs()), ""),
            "no active callback key produces this `sign` for this `t`: the key in the CSS console must be one of livehook's keys",
        ),
        (request(&signed(1, now_secs()), ""), "callbacks of this `appid` are not accepted here"),
        (request(&"x".repeat(262_145), ""), "the body is larger than 262144 bytes, the most that this path accepts"),
        (
            request("x", "Content-Encoding: gzip\r\n"),
            "the body is encoded: send it without Content-Encoding, and with no Transfer-Encoding except chunked",
        ),
        (
            "CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n".to_owned(),
            "the request names no path: send it to the URL of this server",
        ),
        ("GET /callback HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(), "send a POST: this path supports no other method"),
    ] {
        assert_eq!(message(&answer(&app, request).await), expected);
    }
}

#[tokio::test]
async fn client_address_needs_a_trusted_proxy() {
    let list = "[receiver]\nallowed_addresses = [\"192.0.2.0/24\"]\n";
    let trusting = TestApp::start(&format!("{list}trusted_proxies = [\"127.0.0.1\"]\n")).await;
    let good = signed(1, now_secs());
    assert_eq!(answer(&trusting, request(&good, "X-Forwarded-For: 203.0.113.9, 192.0.2.7\r\n")).await.status, 200);
    check(&trusting, request(&good, "X-Forwarded-For: 192.0.2.7, 203.0.113.9\r\n"), 403, "address_not_allowed").await;
    check(&trusting, request(&good, ""), 403, "address_not_allowed").await;
    let alone = TestApp::start(list).await;
    check(&alone, request(&good, "X-Forwarded-For: 192.0.2.7\r\n"), 403, "address_not_allowed").await;
}

/// The secrets of a callback: the key, the signature, its `t`, and the secret in the push URL.
fn secrets(body: &str, t: i64) -> [String; 5] {
    let sign = body.split("\"sign\":\"").nth(1).unwrap().split('"').next().unwrap();
    [sign.to_owned(), KEY.to_owned(), "5ECR37".to_owned(), t.to_string(), "\"t\":".to_owned()]
}

fn check_secrets(secrets: &[String], place: &str, seen: &str) {
    for secret in secrets {
        assert!(!seen.contains(secret), "{secret} is in {place}: {seen}");
    }
}

async fn admin(address: SocketAddr, path: &str) -> String {
    let answer = Client::connect(address).await.unwrap().get(path, "").await.unwrap();
    assert_eq!(answer.status, 200, "{path}");
    answer.head + &answer.body
}

#[tokio::test]
async fn no_secret_is_stored_or_handed_on() {
    let app = TestApp::start("").await;
    let now = now_secs();
    let body = signed(1, now);
    assert_eq!(answer(&app, request(&body, "")).await.status, 200);
    app.wait_for_events(1).await;
    let secrets = secrets(&body, now + 600);
    let mut seen = vec![("the events", app.events().join("\n")), ("the sink's file", app.file_lines().join("\n"))];
    for path in ["/metrics", "/readyz", "/livez"] {
        seen.push((path, admin(app.admin, path).await));
    }
    for entry in std::fs::read_dir(app.data_dir()).unwrap() {
        let text = String::from_utf8_lossy(&std::fs::read(entry.unwrap().path()).unwrap()).into_owned();
        seen.push(("the data directory", text));
    }
    for (place, text) in &seen {
        check_secrets(&secrets, place, text);
    }
    assert!(seen[0].1.contains("txSecret=REDACTED") && seen[1].1.contains("txSecret=REDACTED"));
    assert!(seen.iter().skip(5).any(|(_, text)| text.contains("txSecret=REDACTED")), "the journal's file was not read");
}

#[tokio::test]
async fn no_secret_is_logged_even_at_trace() {
    let directory = tempfile::tempdir().unwrap();
    let now = now_secs();
    let body = signed(1, now);
    let requests = [
        (body.clone(), 200),
        (body.clone(), 200),
        (body.replace("\"t\":", "\"t\":1"), 401),
        (signed(1, now - 1200), 401),
        (body.replace("\"sign\":\"", "\"sign\":\"0"), 401),
        (body.replacen('{', "{\"t\":1,", 1), 400),
        (body.replace("errcode\":0", "errcode\":!"), 400),
        (format!("{{{}}}", members(1).replace(r#""event_type":0"#, r#""event_type":314"#)), 401),
    ];
    let mut secrets = secrets(&body, now + 600).to_vec();
    secrets.extend([(now - 600).to_string(), signed(1, now - 1200).split('"').rev().nth(3).unwrap().to_owned()]);
    for level in ["debug", "trace"] {
        let log = format!("[log]\nlevel = \"{level}\"\n");
        let mut livehook = Livehook::configure(directory.path(), "", &log);
        let stdout = std::fs::File::create(livehook.path("stdout")).unwrap();
        let stderr = std::fs::File::create(livehook.path("stderr.log")).unwrap();
        livehook.spawn(std::process::Command::new(PROGRAM).stdout(stdout).stderr(stderr));
        livehook.ready().await;
        let mut seen = String::new();
        for (body, status) in &requests {
            let mut client = Client::connect(livehook.receiver).await.unwrap();
            let answer = client.post(body).await.unwrap();
            assert_eq!(answer.status, *status, "{answer:?}");
            seen += &(answer.head + &answer.body);
        }
        for path in ["/readyz", "/metrics"] {
            seen += &admin(livehook.admin, path).await;
        }
        livehook.stop().await;
        check_secrets(&secrets, "the answers", &seen);
        check_secrets(&secrets, "the log", &livehook.log());
        check_secrets(&secrets, "stdout", &livehook.lines("stdout").join("\n"));
        // The log still says what happened, and how to accept an unsigned type.
        for word in [
            "DEBUG",
            "a callback was accepted",
            "signature_missing",
            "add \"relay\" to `receiver.unsigned_event_types`",
        ] {
            assert!(livehook.log().contains(word), "{word} is not in {}", livehook.log());
        }
    }
}
