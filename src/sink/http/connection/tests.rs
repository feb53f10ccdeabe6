//! Requests and answers, exchanged with a scripted receiver over real connections.

use std::path::Path;
use std::time::Instant;

use super::*;
use crate::callback::testing::RECEIVED_MS;
use crate::clock::testing::{advance_test_clock, set_test_clock};
use crate::sink::Sink;
use crate::sink::http::testing::{PATIENCE, Receiver, Reply, empty, headed, status};
use crate::sink::testing::{all_delivered, names, reason, records_of_streams};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

#[tokio::test]
async fn an_event_is_a_signed_request() {
    let receiver = Receiver::start(|_| status(204));
    let other = WebhookSecret::from_bytes(&[5; 32]).unwrap();
    let keys = format!("secrets = [\"{SECRET}\", \"{}\"]\nheaders = {{ X-Team = \"live\" }}", other.reveal());
    set_test_clock(RECEIVED_MS + 999);
    let batch = records_of_streams(&["a"]);
    assert!(all_delivered(&receiver.sink(&keys).deliver(&batch).await, &batch));
    let request = receiver.requests().remove(0);
    assert_eq!(request.body, batch[0].event.line());
    let id = request.header("webhook-id").unwrap();
    let secrets = [WebhookSecret::new(SECRET).unwrap(), other];
    let expected = signature::signatures(&secrets, id, "1700000000", request.body.as_bytes());
    assert_eq!(request.header("webhook-signature"), Some(expected.as_str()));
    insta::assert_snapshot!(request.shown());
}

#[tokio::test]
async fn a_list_is_a_signed_request() {
    let receiver = Receiver::start(|_| status(204));
    let mut sink = receiver.sink(&format!("secrets = [\"{SECRET}\"]\nbatch_events_max = 2\nconcurrency = 1"));
    set_test_clock(RECEIVED_MS);
    let batch = records_of_streams(&["a", "b", "c"]);
    assert!(all_delivered(&sink.deliver(&batch).await, &batch));
    let requests = receiver.requests();
    let lines: Vec<&str> = batch[..2].iter().map(|record| record.event.line()).collect();
    assert_eq!(requests[0].body, format!("[{}]", lines.join(",")));
    assert_eq!(requests[1].body, format!("[{}]", batch[2].event.line()), "a single event is a list too");
    insta::assert_snapshot!(requests[0].shown());
}

#[tokio::test]
async fn format_and_content_type_are_settings() {
    let batch = records_of_streams(&["a", "b"]);
    let data = |position: usize| batch[position].event.data();
    for (keys, content_type, body) in [
        ("format = \"data\"", "application/json", data(1).to_owned()),
        ("content_type = \"application/json\"", "application/json", batch[1].event.line().to_owned()),
        ("format = \"data\"\nbatch_events_max = 2", "application/json", format!("[{},{}]", data(0), data(1))),
        ("format = \"data\"\ncontent_type = \"text/plain\"", "text/plain", data(1).to_owned()),
    ] {
        let receiver = Receiver::start(|_| status(204));
        let keys = format!("concurrency = 1\n{keys}");
        assert!(all_delivered(&receiver.sink(&keys).deliver(&batch).await, &batch));
        let request = receiver.requests().pop().unwrap();
        assert_eq!((request.header("content-type"), &request.body), (Some(content_type), &body), "{keys}");
    }
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
    // Many times more than the sink reads. Only a success is worth nothing without its end.
    for (status, outcome, said) in [
        (200, "retry", ": the answer is larger than 16777216 bytes"),
        (400, "rejected", "answered 400 Bad Request: \"xxx"),
        (503, "retry", "answered 503 Service Unavailable"),
    ] {
        let reply = format!("HTTP/1.1 {status} X\r\nContent-Length: 9000000000\r\n\r\n{body}{body}");
        let receiver = Receiver::start(move |_| Reply::Text(reply.clone()));
        let outcomes = receiver.sink("").deliver(&records_of_streams(&["a"])).await;
        assert_eq!(names(&outcomes), [outcome]);
        let reason = reason(&outcomes[0]);
        assert!(reason.contains(said), "{reason}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Receiver::start(|_| status(200));
    let location = format!("Location: http://{}/x?key=hunter2\r\n", elsewhere.address);
    let receiver = Receiver::start(move |_| headed(307, &location));
    let outcomes = receiver.sink("").deliver(&records_of_streams(&["a"])).await;
    assert_eq!(names(&outcomes), ["retry"]);
    let reason = reason(&outcomes[0]);
    assert!(reason.contains(&format!(", to http://{}:", elsewhere.address)) && !reason.contains("hunter2"), "{reason}");
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
    for text in ["Bearer four", "bearer   four\n"] {
        std::fs::write(&path, text).unwrap();
        assert!(all_delivered(&sink.deliver(&batch).await, &batch));
        assert_eq!(receiver.requests().pop().unwrap().header("authorization"), Some("Bearer four"));
    }
    for bad in ["", " \n", "a\nb", "Bearer", "Bearer \n"] {
        std::fs::write(&path, bad).unwrap();
        assert_eq!(names(&sink.deliver(&batch).await), ["retry", "held"]);
    }
}

#[tokio::test]
async fn an_answer_that_echoes_shows_no_secret() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    std::fs::write(&path, "token-hunter2").unwrap();
    let keys =
        format!("secrets = [\"{SECRET}\"]\nheaders = {{ X-Key = \"key-hunter2\" }}\nbearer_token_file = {path:?}");
    let shown = |text: String| format!("HTTP/1.1 400 X\r\nContent-Length: {}\r\n\r\n{text}", text.len());
    let echoes: [fn(&str) -> String; 4] = [
        str::to_owned,
        |text| serde_json::to_string(text).unwrap(),
        |text| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, text),
        |text| text.bytes().map(|byte| format!("%{byte:02x}")).collect(),
    ];
    for echo in echoes {
        for (start, secret) in [("/hook", "?key="), ("authorization", "token-"), ("x-key", "key-")] {
            let receiver = Receiver::start(move |request| {
                let place = request.head.find(start).unwrap();
                Reply::Text(shown(echo(&request.head[place..(place + 60).min(request.head.len())])))
            });
            let outcomes = receiver.sink(&keys).deliver(&records_of_streams(&["a"])).await;
            let reason = reason(&outcomes[0]);
            assert!(reason.contains("REDACTED"), "{start}: {reason}");
            for form in ["hunter2", "%68%75%6e%74", secret] {
                assert!(!reason.contains(form), "{form}: {reason}");
            }
        }
    }
}

#[tokio::test]
async fn a_new_client_connects_again() {
    let receiver = Receiver::start(|_| status(200));
    let mut sink = receiver.sink("concurrency = 1");
    let batch = records_of_streams(&["a"]);
    for (passed_ms, connections) in [(0, 1), (29_999, 1), (1, 2), (1000, 2), (-60_000, 3)] {
        advance_test_clock(passed_ms);
        assert!(all_delivered(&sink.deliver(&batch).await, &batch));
        assert_eq!(receiver.connections(), connections);
    }
}

#[tokio::test]
async fn a_token_file_that_blocks_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let receiver = Receiver::start(|_| status(200));
    for path in [path.as_path(), directory.path(), Path::new("/dev/zero")] {
        let outcomes =
            receiver.sink(&format!("bearer_token_file = {path:?}")).deliver(&records_of_streams(&["a"])).await;
        assert!(reason(&outcomes[0]).contains("cannot be read: it is not a regular file"), "{}", reason(&outcomes[0]));
    }
}

#[tokio::test]
async fn a_probe_sends_no_event() {
    let receiver = Receiver::start(|_| empty(405));
    let found = receiver.sink("").probe().await.unwrap();
    assert!(found.starts_with(&format!("http://{} can be reached", receiver.address)), "{found}");
    let requests = receiver.requests();
    assert!(requests.len() == 1 && requests[0].head.starts_with("HEAD ") && requests[0].body.is_empty());

    let away = Receiver::away();
    let error = away.sink("").probe().await.unwrap_err().to_string();
    assert!(error.contains(&away.address.to_string()), "{error}");
    assert!(error.contains("refused") && error.contains("does the receiver run"), "{error}");
}

#[tokio::test]
async fn a_probe_reads_every_file() {
    let receiver = Receiver::start(|_| status(405));
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
