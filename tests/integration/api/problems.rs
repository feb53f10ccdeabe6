//! Wrong requests, and requests without permission.

use serde_json::json;

use super::super::client::Client;
use super::super::test_app::TestApp;
use super::{answer_to, problem};

#[tokio::test]
async fn wrong_parameter_is_named() {
    let app = TestApp::start("").await;
    let long = "x".repeat(10_000);
    for (path, parameter, expected) in [
        ("streams?limit=0", "limit", "from 1 to 1000"),
        ("events?limit=1001", "limit", "from 1 to 1000"),
        ("events?limit=1e3", "limit", "from 1 to 1000"),
        ("sessions?limit=-1", "limit", "from 1 to 1000"),
        ("sessions?limit=5&limit=5", "limit", "more than once"),
        ("sessions?since=yesterday", "since", "RFC 3339"),
        ("events?until=1777636800000", "until", "not milliseconds"),
        ("broadcasts?since=", "since", "RFC 3339"),
        ("sessions?sort=name", "sort", "`name` is not one of started, ended, duration"),
        ("events?order=up", "order", "`up` is not one of descending, ascending"),
        ("sessions?state=dead", "state", "give live, ended or stale"),
        ("broadcasts?state=over", "state", "give live, ended or stale"),
        ("sessions?reason=boredom", "reason", "give one of client, network"),
        ("events?type=pushed", "type", "give a name such as push"),
        ("events?domain=*", "domain", "whole first label"),
        ("events?stream=", "stream", "empty"),
        (
            "events?strem=a",
            "strem",
            "is not a parameter of this path; it takes domain, stream, app_name, since, until, type, order, limit, page",
        ),
        ("sinks?limit=5", "limit", "it takes none"),
        (&format!("streams?{}", "stream=a&".repeat(51)), "stream", "more than 50 times"),
        ("events?since=2026-05-01T12:00:00+02:00", "since", "write `+` as `%2B`"),
        ("events?stream=a%FF", "stream", "UTF-8"),
        ("error-codes?%FF=1", "\\u{fffd}", "it takes none"),
        ("error-codes?a=%22%0A%E2%80%AE", "a", "it takes none"),
        ("events?%22%0A%E2%80%AE=1", "\\\"\\n\\u{202e}", "is not a parameter of this path"),
        ("events?type=%22%0A%E2%80%AE", "type", "`\\\"\\n\\u{202e}` is not an event type"),
        ("events?domain=%22%0A%E2%80%AE", "domain", "\\\"\\n\\u{202e}"),
        (&format!("events?type={long}"), "type", "is not an event type: give a name such as"),
        (&format!("sessions?reason={long}"), "reason", "is not a reason category: give one of"),
        (&format!("sessions?{long}=1"), &format!("{}...", "x".repeat(128)), "is not a parameter of this path"),
        ("events/1", "id", "is not an event id: give one such as 0167c013"),
        ("events/%FF", "id", "UTF-8"),
        ("sessions/%22%0A%E2%80%AE", "id", "is not a session id: give one such as 2210464508206756938-5d0c1f7a"),
        ("streams/%FF/a/b", "stream", "UTF-8"),
        ("feed?sinse=1h", "sinse", "it takes domain, stream, app_name, kind, type, since, last_event_id"),
        ("feed?kind=events", "kind", "`events` is not one of event, session"),
        ("feed?limit=5", "limit", "is not a parameter of this path"),
        ("feed?last_event_id=4711", "last_event_id", "is not an id of this feed"),
        ("openapi.json?pretty=1", "pretty", "it takes none"),
    ] {
        let problem = problem(&answer_to(&app, path).await, 400);
        assert_eq!(
            (&problem["parameter"], &problem["error"]),
            (&json!(parameter), &json!("bad_parameter")),
            "{path}: {problem}"
        );
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(expected) && detail.len() < 1000, "{path}: {problem}");
        assert!(
            !detail.chars().any(|character| character.is_control() || character == '\u{202e}'),
            "{path}: {problem}"
        );
    }
    for path in ["", "/", "nothing", "streams/a", "streams/a/b", "streams/a/b/c", "streams/a/b/c/d", "events/a/b"] {
        problem(&answer_to(&app, path).await, 404);
    }
    problem(&answer_to(&app, "sessions/1-00000000").await, 404);
    problem(&answer_to(&app, "events/0167c013-eab0-8a3c-9f0e-5b1d0c6a7e42").await, 404);
    app.stop().await;
}

#[tokio::test]
async fn refusal_is_a_problem() {
    let token = "a-token-of-the-tests-only";
    let config = format!("[admin]\ntoken = \"{token}\"\n");
    let app = TestApp::start(&config).await;
    let outside = TestApp::start_with_admin(&config, "0.0.0.0:0").await;
    let bearer = format!("Authorization: Bearer {token}\r\n");
    let reads = [
        "streams",
        "sessions",
        "broadcasts",
        "events",
        "sinks",
        "error-codes",
        "openapi.json",
        "streams/a/b/c",
        "nothing",
    ];
    for read in reads {
        let path = format!("/api/v1/{read}");
        let mut client = Client::connect(outside.admin).await.unwrap();
        let answer = client.get(&path, "").await.unwrap();
        problem(&answer, 401);
        assert!(answer.head.contains("www-authenticate: Bearer"), "{answer:?}");
        problem(&client.get(&path, "Authorization: Bearer guess\r\n").await.unwrap(), 401);
        assert_ne!(client.get(&path, &bearer).await.unwrap().status, 401, "{path}");

        let mut client = Client::connect(app.admin).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: evil.example.com\r\n{bearer}\r\n");
        client.raw(request.as_bytes()).await.unwrap();
        problem(&client.receive().await.unwrap(), 403);
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
            let answer = client.ask(method, &path, &bearer).await.unwrap();
            problem(&answer, if read == "nothing" { 404 } else { 405 });
            assert_eq!(answer.head.contains("allow: GET,HEAD"), read != "nothing", "{method} {path}: {answer:?}");
        }
    }
    let rebuild = "/api/v1/index/rebuild";
    let mut client = Client::connect(app.admin).await.unwrap();
    let json = "Content-Type: application/json\r\n";
    let answer = client.get(rebuild, &bearer).await.unwrap();
    problem(&answer, 405);
    assert!(answer.head.contains("allow: POST"), "{answer:?}");
    problem(&client.ask("POST", rebuild, json).await.unwrap(), 401);
    problem(&client.ask("POST", rebuild, &bearer).await.unwrap(), 415);
    problem(&client.ask("POST", &format!("{rebuild}?now=1"), &format!("{bearer}{json}")).await.unwrap(), 400);
    for (path, body, status) in [
        ("dead-letters/drop", "[true]", 400),
        ("dead-letters/redrive", "[true]", 400),
        ("replays", "[\"file\"]", 400),
        ("replays/1/cancel", "now", 400),
        ("replays/1/cancel", "{}", 404),
        ("index/rebuild", "[]", 400),
        ("index/rebuild", "{}", 202),
        ("index/rebuild", "", 202),
    ] {
        let length = body.len();
        let head = format!(
            "POST /api/v1/{path} HTTP/1.1\r\nHost: localhost\r\n{bearer}{json}Content-Length: {length}\r\n\r\n"
        );
        client.raw(format!("{head}{body}").as_bytes()).await.unwrap();
        let answer = client.receive().await.unwrap();
        assert_eq!(answer.status, status, "{path} {body}: {answer:?}");
        if status == 400 {
            assert_eq!(problem(&answer, 400)["error"], "bad_body");
        }
    }
    app.stop().await;
    outside.stop().await;
}
