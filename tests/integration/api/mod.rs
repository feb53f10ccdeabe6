//! The API of the real service: its answers, and its errors.

mod names;
mod pages;
mod problems;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::client::{Answer, Client, now_secs, sign};
use super::test_app::TestApp;

/// When the first push of a test started, in Unix seconds: so recently that its session is not stale.
fn start_secs() -> i64 {
    now_secs() - 86_400
}

/// Posts a callback with these members.
async fn post(app: &TestApp, members: Value) {
    let members = members.to_string();
    let body = sign(&members[1..members.len() - 1], now_secs() + 600);
    let answer = Client::connect(app.receiver).await.unwrap().post(&body).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
}

async fn push(app: &TestApp, stream: &str, sequence: u64, time_secs: i64) {
    let members = json!({"event_type": 1, "app": "push.example.com", "appname": "live", "stream_id": stream,
        "sequence": sequence.to_string(), "event_time": time_secs});
    post(app, members).await;
}

async fn stop(app: &TestApp, stream: &str, sequence: u64, time_secs: i64) {
    let members = json!({"event_type": 0, "app": "push.example.com", "appname": "live", "stream_id": stream,
        "sequence": sequence.to_string(), "event_time": time_secs, "errcode": 1, "errmsg": "ok"});
    post(app, members).await;
}

/// Waits until the index has every event.
async fn indexed(app: &TestApp) {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let answer = Client::connect(app.admin).await.unwrap().get("/readyz", "").await.unwrap();
        let readiness: Value = serde_json::from_str(&answer.body).unwrap();
        if readiness["index"]["cursor"] == readiness["journal"]["head"] {
            return;
        }
        assert!(Instant::now() < deadline, "{readiness}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn answer_to(app: &TestApp, path: &str) -> Answer {
    Client::connect(app.admin).await.unwrap().get(&format!("/api/v1/{path}"), "").await.unwrap()
}

/// Returns the JSON of an answer with 200.
async fn get(app: &TestApp, path: &str) -> Value {
    let answer = answer_to(app, path).await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    serde_json::from_str(&answer.body).unwrap()
}

/// Returns the JSON of an answer with an error, which has the form of RFC 9457.
fn problem(answer: &Answer, status: u16) -> Value {
    assert_eq!(answer.status, status, "{answer:?}");
    assert!(answer.head.contains("content-type: application/problem+json"), "{answer:?}");
    let problem: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(problem["status"], status);
    problem
}

fn items(page: &Value) -> &Vec<Value> {
    page["items"].as_array().unwrap()
}

#[tokio::test]
async fn every_route_shows_what_was_posted() {
    let app = TestApp::start("").await;
    let start = start_secs();
    push(&app, "over", 1, start).await;
    stop(&app, "over", 1, start + 100).await;
    push(&app, "over", 2, start + 130).await;
    stop(&app, "over", 2, start + 190).await;
    push(&app, "on", 3, start + 50).await;
    indexed(&app).await;

    let streams = get(&app, "streams").await;
    assert_eq!(items(&streams).len(), 1);
    assert_eq!(items(&streams)[0]["stream"], "on");
    let sessions = get(&app, "sessions?stream=over&sort=duration&order=ascending").await;
    let durations: Vec<&Value> = items(&sessions).iter().map(|session| &session["duration_ms"]).collect();
    assert_eq!(durations, [60_000, 100_000]);
    assert_eq!(items(&get(&app, "sessions?state=live").await)[0]["stream"], "on");
    assert_eq!(items(&get(&app, "sessions?reason=client").await).len(), 2);
    assert_eq!(items(&get(&app, "sessions?reason=network&reason=idle").await).len(), 0);
    let broadcasts = get(&app, "broadcasts?stream=over").await;
    assert_eq!((items(&broadcasts).len(), &items(&broadcasts)[0]["sessions"]), (1, &json!(2)));
    assert_eq!(items(&broadcasts)[0]["longest_gap_ms"], 30_000);

    let stream = get(&app, "streams/PUSH.example.com/live/over").await;
    assert_eq!((&stream["is_live"], &stream["domain"]), (&json!(false), &json!("push.example.com")));
    assert_eq!((stream["sessions"].as_array().unwrap().len(), &stream["broadcast"]), (2, &items(&broadcasts)[0]));
    let session = get(&app, &format!("sessions/{}", stream["sessions"][1]["id"].as_str().unwrap())).await;
    let types: Vec<&Value> = session["events"].as_array().unwrap().iter().map(|event| &event["type"]).collect();
    assert_eq!(types, ["tencent.css.push", "tencent.css.stop"]);

    let events = get(&app, "events").await;
    assert_eq!((items(&events).len(), &items(&events)[0]["subject"]), (5, &json!("on")));
    let lines = app.events();
    assert!(
        answer_to(&app, "events?order=ascending").await.body.contains(&lines.join(",")),
        "the API has the bytes that the sinks get"
    );
    let id = items(&events)[0]["id"].as_str().unwrap();
    assert_eq!(answer_to(&app, &format!("events/{id}")).await.body, lines[4]);
    app.wait_for_events(5).await;
    assert_eq!(items(&get(&app, "sinks").await)[0]["name"], "file");
    assert!(items(&get(&app, "error-codes").await).len() > 15);
    app.stop().await;
}

#[tokio::test]
async fn answers_have_etags_and_head() {
    let app = TestApp::start("").await;
    push(&app, "s", 1, start_secs()).await;
    indexed(&app).await;
    let id = items(&get(&app, "events").await)[0]["id"].as_str().unwrap().to_owned();
    let header = |answer: &Answer, name: &str| {
        let line = answer.head.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).map(str::to_owned);
        line.unwrap_or_default()
    };
    let mut client = Client::connect(app.admin).await.unwrap();
    for path in [format!("/api/v1/events/{id}"), "/api/v1/openapi.json".to_owned()] {
        let answer = client.get(&path, "").await.unwrap();
        let tag = header(&answer, "etag");
        assert!(
            tag.starts_with('"') && header(&answer, "cache-control").starts_with("private, max-age="),
            "{answer:?}"
        );
        for known in [tag.clone(), format!("\"other\", {tag}"), format!("W/{tag}")] {
            let known_header = format!("If-None-Match: {known}\r\n");
            let kept = client.get(&path, &known_header).await.unwrap();
            for kept in [&kept, &client.ask("HEAD", &path, &known_header).await.unwrap()] {
                assert!(kept.status == 304 && !kept.head.contains("content-length: 0"), "{kept:?}");
            }
            assert_eq!((kept.status, kept.body.as_str(), header(&kept, "etag")), (304, "", tag.clone()), "{known}");
        }
        let answer = client.get(&path, "If-None-Match: \"other\"\r\n").await.unwrap();
        assert_eq!(answer.status, 200);
    }
    for path in
        ["streams", "sessions", "broadcasts", "events", "sinks", "error-codes", "openapi.json", "sessions?limit=0"]
    {
        let path = format!("/api/v1/{path}");
        let (get, head) = (client.get(&path, "").await.unwrap(), client.ask("HEAD", &path, "").await.unwrap());
        assert_eq!((head.status, head.body.as_str()), (get.status, ""), "{path}");
        let names = ["content-type", "content-length", "cache-control", "etag"];
        assert_eq!(names.map(|name| header(&get, name)), names.map(|name| header(&head, name)), "{path}");
        let is_kept = path.ends_with("error-codes") || path.ends_with("openapi.json");
        assert_eq!(header(&get, "cache-control") == "no-store", !is_kept, "{path}: {}", header(&get, "cache-control"));
    }
    app.stop().await;
}

#[tokio::test]
async fn index_can_be_off() {
    let app = TestApp::start("[admin]\ntoken = \"a-token-of-the-tests-only\"\n[index]\nenabled = false\n").await;
    for number in 0..5 {
        push(&app, &format!("s{number}"), number, start_secs()).await;
    }
    assert_eq!(items(&get(&app, "events?stream=s3").await).len(), 1);
    assert_eq!(items(&get(&app, "events?stream=s*&limit=2").await).len(), 2);
    get(&app, "sinks").await;
    get(&app, "error-codes").await;
    let id = items(&get(&app, "events").await)[0]["id"].as_str().unwrap().to_owned();
    for path in ["streams", "streams/a/b/c", "sessions", "sessions/1-00000000", "broadcasts", &format!("events/{id}")] {
        let problem = problem(&answer_to(&app, path).await, 503);
        assert!(problem["detail"].as_str().unwrap().contains("`index.enabled = true`"), "{problem}");
    }
    let headers = "Authorization: Bearer a-token-of-the-tests-only\r\nContent-Type: application/json\r\n";
    let mut client = Client::connect(app.admin).await.unwrap();
    problem(&client.ask("POST", "/api/v1/index/rebuild", headers).await.unwrap(), 503);
    app.stop().await;
}

#[tokio::test]
async fn blocked_query_delays_nothing_else() {
    let app = TestApp::start("").await;
    push(&app, "before", 1, start_secs()).await;
    indexed(&app).await;
    // Another connection holds the database in the place of the index. So every query that opens the index waits.
    let (data, elsewhere) = (app.data_dir(), tempfile::tempdir().unwrap());
    let held_path = elsewhere.path().join("theirs.db");
    let held = rusqlite::Connection::open(&held_path).unwrap();
    held.execute_batch("CREATE TABLE theirs (a); BEGIN EXCLUSIVE").unwrap();
    let files =
        ["index.db", "index.db-wal", "index.db-shm"].map(|name| (data.join(name), data.join(format!("away-{name}"))));
    for (file, away) in &files {
        std::fs::rename(file, away).unwrap();
    }
    std::fs::rename(&held_path, &files[0].0).unwrap();
    let admin = app.admin;
    let queries: Vec<_> = (0..8)
        .map(|_| {
            tokio::spawn(
                async move { Client::connect(admin).await.unwrap().get("/api/v1/sessions", "").await.unwrap() },
            )
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let began = Instant::now();
    for number in 0..20 {
        push(&app, &format!("s{number}"), 100 + number, start_secs()).await;
    }
    let probe = Client::connect(admin).await.unwrap().get("/readyz", "").await.unwrap();
    assert_eq!(probe.status, 200);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(queries.iter().all(|query| !query.is_finished()), "the queries do not block");
    assert_eq!(app.events().len(), 21);

    // The queries go on when the other connection lets go, and find that the database is no index.
    held.execute_batch("COMMIT").unwrap();
    for query in queries {
        problem(&query.await.unwrap(), 500);
    }
    drop(held);
    for (file, away) in &files {
        std::fs::rename(away, file).unwrap();
    }
    indexed(&app).await;
    assert_eq!(items(&get(&app, "sessions").await).len(), 21, "later queries succeed");
    app.stop().await;
}
