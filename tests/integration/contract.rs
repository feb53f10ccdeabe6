//! The answers of the callback endpoint, word for word, by the real program.

use super::client::{Answer, Client, KEY, now_secs, sign, signed};
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
    let answer = answer(app, request.clone()).await;
    let start: String = request.chars().take(200).collect();
    assert_eq!((answer.status, answer.error().as_str()), (status, error), "{start}");
    let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body["code"], status);
    assert!(body["message"].as_str().is_some_and(|message| !message.is_empty()));
    assert!(answer.head.to_ascii_lowercase().contains("content-type: application/json"), "{}", answer.head);
}

#[tokio::test]
async fn every_answer_has_its_status_and_word() {
    let app = TestApp::start("[receiver]\nallowed_appids = [12345678]\nallowed_domains = [\"*.example.com\"]\n").await;
    let now = now_secs();
    let good = signed(1, now);
    let first = answer(&app, request(&good, "")).await;
    assert_eq!((first.status, first.body.as_str()), (200, r#"{"code":0}"#));
    let again = answer(&app, request(&good, "Content-Type: text/plain\r\n")).await;
    assert_eq!((again.status, again.body.as_str()), (200, r#"{"code":0}"#), "a duplicate, and whatever the type");

    for body in ["", "{", "[]", "null", r#"{"event_type":1,"t":"x","sign":"y"}"#, r#"{"t":1,"sign":"y"}"#, r#"{"event_type":1,"sign":"y"}"#] {
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
    for (outcome, count) in [("stored", 1), ("duplicate", 1), ("signature_mismatch", 2), ("domain_not_allowed", 1)] {
        assert!(metrics.contains(&format!("outcome=\"{outcome}\"}} {count}\n")), "{outcome}: {metrics}");
    }
}

#[tokio::test]
async fn the_message_of_a_refusal_helps() {
    let app = TestApp::start("").await;
    let expired = answer(&app, request(&signed(1, now_secs() - 700), "")).await;
    assert!(expired.body.contains("100 s ago") || expired.body.contains("101 s ago"), "{}", expired.body);
    assert!(expired.body.contains("livehook sign"), "{}", expired.body);
    let lost = answer(&app, "POST /elsewhere HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n".to_owned()).await;
    assert!(lost.body.contains("/elsewhere"), "{}", lost.body);
}

#[tokio::test]
async fn a_client_address_is_taken_from_a_trusted_proxy_only() {
    let list = "[receiver]\nallowed_addresses = [\"192.0.2.0/24\"]\n";
    let trusting = TestApp::start(&format!("{list}trusted_proxies = [\"127.0.0.1\"]\n")).await;
    let good = signed(1, now_secs());
    assert_eq!(answer(&trusting, request(&good, "X-Forwarded-For: 203.0.113.9, 192.0.2.7\r\n")).await.status, 200);
    check(&trusting, request(&good, "X-Forwarded-For: 192.0.2.7, 203.0.113.9\r\n"), 403, "address_not_allowed").await;
    check(&trusting, request(&good, ""), 403, "address_not_allowed").await;
    let alone = TestApp::start(list).await;
    check(&alone, request(&good, "X-Forwarded-For: 192.0.2.7\r\n"), 403, "address_not_allowed").await;
}

#[tokio::test]
async fn no_secret_reaches_the_journal_the_admin_endpoint_or_the_sinks() {
    let app = TestApp::start("").await;
    let body = signed(1, now_secs());
    assert_eq!(answer(&app, request(&body, "")).await.status, 200);
    app.wait_for_events(1).await;
    let sign = body.split("\"sign\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let mut seen = app.events().join("\n") + &app.metrics().await + &app.file_lines().join("\n");
    for entry in std::fs::read_dir(app.data_dir()).unwrap() {
        seen += &String::from_utf8_lossy(&std::fs::read(entry.unwrap().path()).unwrap());
    }
    for secret in [sign.as_str(), KEY, "5ECR37"] {
        assert!(!seen.contains(secret), "{secret} is in {seen}");
    }
    assert!(seen.contains("txSecret=REDACTED"));
}
