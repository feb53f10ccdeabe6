//! The API of the real service: each endpoint, page by page over changing data, what is asked for wrongly, hostile names.

use std::time::{Duration, Instant};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::client::{Answer, Client, now_secs, sign};
use super::test_app::TestApp;

/// When the first push of a test was, in Unix seconds: lately, so that nothing is stale.
fn start_secs() -> i64 {
    now_secs() - 86_400
}

/// Posts a callback of some members.
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

/// Waits until the index has everything.
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

async fn ask(app: &TestApp, path: &str) -> Answer {
    Client::connect(app.admin).await.unwrap().get(&format!("/api/v1/{path}"), "").await.unwrap()
}

/// What is there.
async fn get(app: &TestApp, path: &str) -> Value {
    let answer = ask(app, path).await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    serde_json::from_str(&answer.body).unwrap()
}

/// What is not to be had, which is told in the form of RFC 9457.
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

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

#[tokio::test]
async fn what_was_posted_is_told_by_every_endpoint() {
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
        ask(&app, "events?order=ascending").await.body.contains(&lines.join(",")),
        "byte for byte as the sinks get it"
    );
    let id = items(&events)[0]["id"].as_str().unwrap();
    assert_eq!(ask(&app, &format!("events/{id}")).await.body, lines[4]);
    app.wait_for_events(5).await;
    assert_eq!(items(&get(&app, "sinks").await)[0]["name"], "file");
    assert!(items(&get(&app, "error-codes").await).len() > 15);
    app.stop().await;
}

/// Reads a list to its end in pages of `limit`, and has something come in after each page.
async fn read_while(app: &TestApp, path: &str, limit: usize, mut come_in: impl AsyncFnMut(usize)) -> Vec<Value> {
    let mut all = Vec::new();
    let mut next = String::new();
    for number in 0..1000 {
        let page = get(app, &format!("{path}&limit={limit}{next}")).await;
        assert!(items(&page).len() <= limit, "{path}");
        all.extend(items(&page).iter().cloned());
        let Some(token) = page["next"].as_str() else { return all };
        next = format!("&page={token}");
        come_in(number).await;
    }
    panic!("{path}: there is no end");
}

/// The values of a member of those items whose stream begins with `old`, in order.
fn old(items: &[Value], member: &str) -> Vec<String> {
    let is_old = |item: &&Value| item["stream"].as_str().or(item["subject"].as_str()).unwrap().starts_with("old");
    items.iter().filter(is_old).map(|item| item[member].as_str().unwrap().to_owned()).collect()
}

/// Twenty streams with two sessions each, many of one time and one length; every fifth stream is live.
async fn streams_of_old(app: &TestApp) {
    let start = start_secs();
    for number in 0..20u64 {
        let (name, began) = (format!("old-{number}"), start + i64::try_from(number / 3).unwrap() * 1000);
        push(app, &name, 2 * number, began).await;
        stop(app, &name, 2 * number, began + 60 + i64::try_from(number % 4).unwrap()).await;
        push(app, &name, 2 * number + 1, began + 300).await;
        if !number.is_multiple_of(5) {
            stop(app, &name, 2 * number + 1, began + 360).await;
        }
    }
    indexed(app).await;
}

#[tokio::test]
async fn pages_over_changing_data_have_neither_gap_nor_repetition() {
    let app = TestApp::start("").await;
    streams_of_old(&app).await;
    let start = start_secs();
    let mut sequence = 1_000_000;
    let mut lists: Vec<(String, &str)> = vec![
        ("streams?".into(), "stream"),
        ("broadcasts?".into(), "first_session"),
        ("broadcasts?state=ended".into(), "first_session"),
        ("sessions?state=ended&stream=old-*&domain=*.example.com&app_name=live&app_name=other".into(), "id"),
    ];
    for order in ["descending", "ascending"] {
        for sort in ["started", "ended", "duration"] {
            lists.push((format!("sessions?sort={sort}&order={order}"), "id"));
        }
        let streams = (0..20).map(|number| format!("&stream=old-{number}")).collect::<String>();
        for filter in
            ["", "&type=push", "&stream=*", "&type=stop&stream=old-*", &streams, "&stream=old-7&type=1&type=0"]
        {
            lists.push((format!("events?order={order}{filter}"), "id"));
        }
    }
    for (path, member) in lists {
        let whole = get(&app, &format!("{path}&limit=1000")).await;
        let expected = old(items(&whole), member);
        assert!(whole["next"].is_null() && expected.len() >= 4, "{path}: {}", expected.len());
        for limit in [3, 7] {
            let read = read_while(&app, &path, limit, async |number| {
                // What comes in is newer than all, older than all, and between them, short and long, and stops again.
                if ![0, 2, 5].contains(&number) {
                    return;
                }
                for time in [now_secs(), start - 5000, start + 3000] {
                    sequence += 1;
                    push(&app, &format!("new-{sequence}"), sequence, time).await;
                    if sequence % 2 == 0 {
                        stop(&app, &format!("new-{sequence}"), sequence, time + 61).await;
                    }
                }
                indexed(&app).await;
            });
            let read = old(&read.await, member);
            assert_eq!(read, expected, "{path} in pages of {limit}");
        }
    }
    app.stop().await;
}

#[tokio::test]
async fn a_page_token_holds_for_its_own_question_alone() {
    let app = TestApp::start("").await;
    streams_of_old(&app).await;
    for (list, others) in [
        ("sessions?state=ended", ["sessions?state=live", "sessions?", "broadcasts?state=ended"]),
        ("events?type=push", ["events?type=stop", "events?type=push&order=ascending", "sessions?"]),
        ("streams?domain=*.example.com", ["streams?", "streams?stream=old-1", "broadcasts?domain=*.example.com"]),
        ("broadcasts?", ["streams?", "broadcasts?since=7d", "sessions?"]),
    ] {
        let token = get(&app, &format!("{list}&limit=1")).await["next"].as_str().unwrap().to_owned();
        get(&app, &format!("{list}&page={token}")).await;
        let longer = get(&app, &format!("{list}&page={token}&limit=2")).await;
        assert_eq!(items(&longer).len(), 2, "another limit is the same question");
        for other in others {
            let told = problem(&ask(&app, &format!("{other}&page={token}")).await, 400);
            assert_eq!(told["parameter"], "page", "{other}: {told}");
        }
        let changed = token.chars().map(|digit| if digit == '0' { '1' } else { '0' }).collect::<String>();
        for forged in [&changed, &"0".repeat(48), &"f".repeat(48), &token[1..], "", "%00", &"9".repeat(5000)] {
            let told = problem(&ask(&app, &format!("{list}&page={forged}")).await, 400);
            assert_eq!(told["parameter"], "page", "{forged}: {told}");
        }
    }
    app.stop().await;
}

#[tokio::test]
async fn what_is_asked_for_wrongly_is_told_with_what_would_be_right() {
    let app = TestApp::start("").await;
    let long = "x".repeat(10_000);
    for (path, parameter, said) in [
        ("streams?limit=0", "limit", "from 1 to 1000"),
        ("events?limit=1001", "limit", "from 1 to 1000"),
        ("events?limit=1e3", "limit", "from 1 to 1000"),
        ("sessions?limit=-1", "limit", "from 1 to 1000"),
        ("sessions?limit=5&limit=5", "limit", "more than once"),
        ("sessions?since=yesterday", "since", "RFC 3339"),
        ("events?until=1777636800000", "until", "not milliseconds"),
        ("broadcasts?since=", "since", "RFC 3339"),
        ("sessions?sort=name", "sort", "`name` is none of started, ended, duration"),
        ("events?order=up", "order", "`up` is none of descending, ascending"),
        ("sessions?state=dead", "state", "give live, ended or stale"),
        ("broadcasts?state=stale", "state", "live, ended"),
        ("sessions?reason=boredom", "reason", "give one of client, network"),
        ("events?type=pushed", "type", "give a name such as push"),
        ("events?domain=*", "domain", "whole first label"),
        ("events?stream=", "stream", "empty"),
        ("events?strem=a", "strem", "there is no such parameter; this takes domain, stream, app_name, type"),
        ("sinks?limit=5", "limit", "this takes none"),
        ("error-codes?a=%22%0A%E2%80%AE", "a", "this takes none"),
        ("events?%22%0A%E2%80%AE=1", "\\\"\\n\\u{202e}", "there is no such parameter"),
        ("events?type=%22%0A%E2%80%AE", "type", "`\\\"\\n\\u{202e}` is no event type"),
        ("events?domain=%22%0A%E2%80%AE", "domain", "\\\"\\n\\u{202e}"),
        (&format!("events?type={long}"), "type", "is no event type: give a name such as"),
        (&format!("sessions?reason={long}"), "reason", "is no reason category: give one of"),
        (&format!("sessions?{long}=1"), &"x".repeat(128), "there is no such parameter"),
        ("events/1", "id", "it has the form 0167c013"),
        ("events/%FF", "id", "UTF-8"),
        ("sessions/%22%0A%E2%80%AE", "id", "it has the form 2210464508206756938-5d0c1f7a"),
        ("streams/%FF/a/b", "stream", "UTF-8"),
        ("openapi.json?pretty=1", "pretty", "this takes none"),
    ] {
        let told = problem(&ask(&app, path).await, 400);
        assert_eq!(
            (&told["parameter"], &told["error"]),
            (&json!(parameter), &json!("bad_parameter")),
            "{path}: {told}"
        );
        let detail = told["detail"].as_str().unwrap();
        assert!(detail.contains(said) && detail.len() < 1000, "{path}: {told}");
        assert!(!detail.chars().any(|character| character.is_control() || character == '\u{202e}'), "{path}: {told}");
    }
    for path in ["", "/", "nothing", "streams/a", "streams/a/b", "streams/a/b/c", "streams/a/b/c/d", "events/a/b"] {
        problem(&ask(&app, path).await, 404);
    }
    problem(&ask(&app, "sessions/1-00000000").await, 404);
    problem(&ask(&app, "events/0167c013-eab0-8a3c-9f0e-5b1d0c6a7e42").await, 404);
    app.stop().await;
}

#[tokio::test]
async fn who_may_not_is_told_so_as_a_problem() {
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
            problem(&answer, 405);
            assert!(answer.head.contains("allow: GET, HEAD"), "{method} {path}: {answer:?}");
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
    assert_eq!(client.ask("POST", rebuild, &format!("{bearer}{json}")).await.unwrap().status, 202);
    app.stop().await;
    outside.stop().await;
}

#[tokio::test]
async fn hostile_names_come_back_intact_and_are_found_again() {
    let app = TestApp::start("").await;
    let long = "n".repeat(10_240);
    let names = [
        "\u{0}\u{1b}[31m\r\n\t\u{7f}\u{85}",
        "\"quoted\" 'and' \\slashed\\ \\u0000",
        "100%25 %2F %zz %",
        "a/b//c/../d/./?e=1&f#g;h+i j",
        "\u{1f600}\u{1f468}\u{200d}\u{1f469}\u{fe0f} 直播",
        "\u{202e}evil\u{2066}\u{2028}\u{2029}\u{feff}",
        "<script>alert(1)</script>",
        "*",
        "..",
        "",
        long.as_str(),
    ];
    let start = start_secs();
    let mut number = 0;
    for name in names {
        for (domain, app_name, stream) in
            [("d.example.com", "live", name), (name, name, "s"), ("d.example.com", name, "t")]
        {
            for (event_type, seconds) in [(1, 0), (0, 60)] {
                let members = json!({"event_type": event_type, "app": domain, "appname": app_name, "stream_id": stream,
                    "sequence": number.to_string(), "event_time": start + number + seconds, "user_ip": name, "node": name,
                    "errcode": 1, "errmsg": name, "width": 1, "height": 1, name: name});
                post(&app, members).await;
            }
            number += 1;
        }
    }
    indexed(&app).await;
    let sessions = get(&app, "sessions?order=ascending&limit=1000").await;
    assert_eq!(items(&sessions).len(), 3 * names.len());
    for (position, session) in items(&sessions).iter().enumerate() {
        let name = names[position / 3];
        let (domain, app_name, stream) =
            [("d.example.com", "live", name), (name, name, "s"), ("d.example.com", name, "t")][position % 3];
        let domain = domain.to_ascii_lowercase();
        let told = ["domain", "app_name", "stream"].map(|member| session[member].as_str().unwrap());
        assert_eq!(told, [&domain, app_name, stream]);
        let cut: String = name.chars().take(256).collect();
        for value in [&session["node"], &session["user_address"], &session["reason"]["errmsg"]] {
            assert!(*value == json!(cut) || (name.is_empty() && value.is_null()), "{name:?}: {value}");
        }
        // The longest name is too long for a request that has it twice.
        let path = [&domain, app_name, stream].map(encoded).join("/");
        if path.len() < 16_000 {
            let found = get(&app, &format!("streams/{path}")).await;
            assert_eq!(found["sessions"], json!([session]), "{name:?}");
        }
        let one = get(&app, &format!("sessions/{}", session["id"].as_str().unwrap())).await;
        assert_eq!(one["events"][1]["data"][name], name);
        let event = &one["events"][0];
        assert_eq!(&get(&app, &format!("events/{}", event["id"].as_str().unwrap())).await, event);
        let filter = format!("app_name={}", encoded(app_name));
        let filter = if stream.is_empty() { filter } else { format!("{filter}&stream={}", encoded(stream)) };
        for list in ["sessions", "broadcasts", "events"] {
            let found = get(&app, &format!("{list}?{filter}&limit=1000")).await;
            let mut found =
                items(&found).iter().map(|item| item["stream"].as_str().or(item["subject"].as_str()).unwrap_or(""));
            assert!(found.any(|found| found == stream), "{list}: {name:?}");
        }
    }
    app.stop().await;
}

#[tokio::test]
async fn answers_that_do_not_change_may_be_kept_and_a_head_is_a_get_without_a_body() {
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
            let kept = client.get(&path, &format!("If-None-Match: {known}\r\n")).await.unwrap();
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
async fn without_the_index_events_are_still_told_and_the_rest_says_why_not() {
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
        let told = problem(&ask(&app, path).await, 503);
        assert!(told["detail"].as_str().unwrap().contains("`index.enabled = true`"), "{told}");
    }
    let headers = "Authorization: Bearer a-token-of-the-tests-only\r\nContent-Type: application/json\r\n";
    let mut client = Client::connect(app.admin).await.unwrap();
    problem(&client.ask("POST", "/api/v1/index/rebuild", headers).await.unwrap(), 503);
    app.stop().await;
}

#[tokio::test]
async fn a_question_that_blocks_delays_no_callback_and_no_probe() {
    let app = TestApp::start("").await;
    push(&app, "before", 1, start_secs()).await;
    indexed(&app).await;
    // Opening a pipe blocks until somebody writes to it, and so does every question that wants to read the index.
    let (index, away) = (app.data_dir().join("index.db"), app.data_dir().join("away.db"));
    std::fs::rename(&index, &away).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&index).status().unwrap().success());
    let admin = app.admin;
    let asked: Vec<_> = (0..8)
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
    assert!(asked.iter().all(|question| !question.is_finished()), "the questions do not block");
    assert_eq!(app.events().len(), 21);

    // Whoever reads a pipe gets no database.
    let pipe = index.clone();
    let writing = tokio::task::spawn_blocking(move || {
        let deadline = Instant::now() + Duration::from_secs(10);
        while pipe.exists() && Instant::now() < deadline {
            // This opening does not block, since it could read too.
            drop(std::fs::OpenOptions::new().read(true).write(true).open(&pipe));
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    for question in asked {
        problem(&question.await.unwrap(), 500);
    }
    std::fs::remove_file(&index).unwrap();
    writing.await.unwrap();
    std::fs::rename(&away, &index).unwrap();
    indexed(&app).await;
    assert_eq!(items(&get(&app, "sessions").await).len(), 21, "and it goes on");
    app.stop().await;
}
