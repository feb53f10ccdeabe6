//! The index of the real program. After kills at random times under load, its sessions equal the sessions of a rebuilt index,
//! and the sessions that the senders expect. Its metrics match.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use livehook::index::{Options, Reader, SessionQuery, rebuild};
use livehook::journal;
use serde_json::Value;

use super::client::{Client, expected_id, now_secs, sign};
use super::kills::{Senders, rounds, seeded};
use super::process::Livehook;
use super::test_app::TestApp;

const CONNECTIONS: usize = 8;

const TOKEN: &str = "a-token-for-the-tests-only";

/// The start of the first push, in Unix seconds.
const BEGIN_SECS: u64 = 1_703_731_478;

/// Three numbers in a row are a push, its anomaly and its stop. A stream has many pushes, one after the other.
fn members(number: u64) -> String {
    let push = number / 3;
    let (stream, sequence) = (push % 20, 6_674_468_118_806_000_000 + push);
    let begin_secs = BEGIN_SECS + push * 60;
    let named = format!(r#""stream_id":"s{stream}","sequence":"{sequence}","appid":12345678"#);
    let of_push = format!(r#"{named},"app":"push.example.com","appname":"live","user_ip":"2001:db8::1""#);
    match number % 3 {
        0 => format!(r#"{of_push},"event_type":1,"event_time":{begin_secs},"errcode":0"#),
        1 => format!(
            r#"{named},"event_type":321,"domain":"Push.Example.com","path":"live","data_time":{}"#,
            (begin_secs + 5) * 1000
        ),
        _ => format!(
            r#"{of_push},"event_type":0,"event_time":{},"errcode":{},"push_duration":"{}""#,
            begin_secs + 30,
            push % 25,
            30_000 + push % 1000
        ),
    }
}

fn body(number: u64) -> String {
    sign(&members(number), now_secs() + 600)
}

/// Asks for a rebuild of the index. Returns the status of the response, if the program lives that long.
async fn ask_for_rebuild(admin: SocketAddr) -> std::io::Result<u16> {
    let mut client = Client::connect(admin).await?;
    let headers = format!(
        "Host: localhost\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\nContent-Length: 0\r\n"
    );
    client.raw(format!("POST /api/v1/index/rebuild HTTP/1.1\r\n{headers}\r\n").as_bytes()).await?;
    Ok(client.receive().await?.status)
}

/// All sessions of a data directory.
fn sessions(data_dir: &Path) -> Vec<Value> {
    let query = SessionQuery { limit: usize::MAX, ..SessionQuery::default() };
    let views = Reader::open(data_dir).unwrap().sessions(&query, now_ms()).unwrap();
    let mut views: Vec<Value> = views.iter().map(|view| serde_json::to_value(view).unwrap()).collect();
    views.sort_by_key(|view| view["id"].as_str().unwrap().to_owned());
    views
}

/// A time at which the events of the test are hours old, so that sessions without a stop are live.
fn now_ms() -> i64 {
    (BEGIN_SECS as i64 + 3600) * 1000
}

/// Waits until the index has read the whole journal.
pub(super) async fn wait_for_index(livehook: &Livehook) {
    let data_dir = livehook.path("data");
    let head = journal::Reader::open(&data_dir).unwrap().head().unwrap().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while Reader::open(&data_dir).unwrap().cursor().unwrap() < head {
        assert!(Instant::now() < deadline, "the index does not keep up: {}", livehook.log());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The sessions after a rebuild from a copy of the journal, with or without a copy of the present index.
fn rebuilt(data_dir: &Path, with_index: bool) -> Vec<Value> {
    let directory = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(data_dir).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if name.starts_with("journal.db") || (with_index && name.starts_with("index.db")) {
            std::fs::copy(entry.path(), directory.path().join(name)).unwrap();
        }
    }
    rebuild(directory.path(), &Options::default(), |_, _| {}).unwrap();
    sessions(directory.path())
}

#[tokio::test]
#[ignore = "kills the real program many times: run by tests/run"]
async fn sessions_survive_every_kill() {
    let mut random = seeded();
    let mut livehook = Livehook::configured("", "");
    // The events are years old, and each must stay.
    livehook.configure_again("", &format!("token = \"{TOKEN}\"\n[index]\nretention_days = 36500\n"));
    let mut senders = Senders::new(CONNECTIONS, body);
    let mut answered = HashSet::new();
    for _ in 0..rounds() {
        // Some kills come before the service is ready, while the index binds itself to the journal.
        for _ in 0..random.u64(0..3) {
            livehook.start();
            tokio::time::sleep(Duration::from_micros(random.u64(0..40_000))).await;
            livehook.kill();
        }
        livehook.start();
        livehook.ready().await;
        senders.start(livehook.receiver);
        if random.u8(0..3) == 0 {
            tokio::time::sleep(Duration::from_millis(random.u64(0..150))).await;
            assert_eq!(ask_for_rebuild(livehook.admin).await.unwrap(), 202);
        }
        tokio::time::sleep(Duration::from_millis(random.u64(1..200))).await;
        livehook.kill();
        answered.extend(senders.ended().await);
    }
    livehook.start();
    livehook.ready().await;
    wait_for_index(&livehook).await;
    livehook.stop().await;

    let data_dir = livehook.path("data");
    let found = sessions(&data_dir);
    assert!(found.len() > 10 && answered.len() > 30, "{} of {} answered", found.len(), answered.len());
    for with_index in [false, true] {
        for (found, rebuilt) in found.iter().zip(rebuilt(&data_dir, with_index)) {
            assert_eq!(*found, rebuilt, "with an index: {with_index}");
        }
        assert_eq!(rebuilt(&data_dir, with_index).len(), found.len());
    }
    check_senders(&found, &answered);
    println!("{} rounds, {} answered, {} sessions", rounds(), answered.len(), found.len());
}

/// Checks that every answered callback is in its session, once.
fn check_senders(sessions: &[Value], answered: &HashSet<u64>) {
    let by_sequence: std::collections::HashMap<&str, &Value> =
        sessions.iter().map(|session| (session["sequence"].as_str().unwrap(), session)).collect();
    assert_eq!(by_sequence.len(), sessions.len(), "a push is in two sessions");
    for number in answered {
        let sequence = (6_674_468_118_806_000_000 + number / 3).to_string();
        let Some(session) = by_sequence.get(&*sequence) else { panic!("{number} was answered and is in no session") };
        let id = expected_id(&body(*number)).to_string();
        match number % 3 {
            0 => assert_eq!(session["push_event_id"], id, "{session}"),
            1 => assert_eq!(session["anomalies"], 1, "{session}"),
            _ => {
                assert_eq!((&session["stop_event_id"], &session["state"]), (&id.into(), &"ended".into()), "{session}");
                assert_eq!(session["duration_ms"], 30_000 + number / 3 % 1000, "{session}");
            }
        }
    }
}

/// A query that comes after the 200 sees the event, or its header says that the index is behind.
#[tokio::test]
async fn query_sees_the_event_before_it() {
    let app = TestApp::start("").await;
    let mut client = Client::connect(app.admin).await.unwrap();
    let mut complete = 0;
    for number in 1..=20 {
        post(&app, &[&format!(r#""event_type":1,"stream_id":"own-{number}","sequence":"{number}""#)]).await;
        let answer = client.get(&format!("/api/v1/sessions?stream=own-{number}"), "").await.unwrap();
        let head = answer.head.to_ascii_lowercase();
        if head.contains("livehook-index-lag-records: 0\r\n") {
            assert!(answer.body.contains(&format!("\"own-{number}\"")), "{number}: {}", answer.body);
            complete += 1;
        }
    }
    assert!(complete > 10, "only {complete} of 20 answers were complete");
    app.stop().await;
}

/// Waits until all these lines are in the metrics. The worker of the index sets them later than the answer.
async fn wait_for_metrics(app: &TestApp, lines: &[&str]) {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let metrics = app.metrics().await;
        let missing = lines.iter().find(|line| !metrics.lines().any(|found| found == **line));
        let Some(missing) = missing else { return };
        assert!(Instant::now() < deadline, "{missing} is not in\n{metrics}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Posts callbacks with the present time.
async fn post(app: &TestApp, callbacks: &[&str]) {
    let mut client = Client::connect(app.receiver).await.unwrap();
    for members in callbacks {
        let members = format!(r#""app":"d.com","appname":"live","event_time":{},{members}"#, now_secs());
        assert_eq!(client.post(&sign(&members, now_secs() + 600)).await.unwrap().status, 200);
    }
}

#[tokio::test]
async fn metrics_of_live_and_ended_sessions() {
    let app = TestApp::start("").await;
    wait_for_metrics(&app, &["livehook_streams_live 0", "livehook_index_lag_records 0"]).await;
    post(
        &app,
        &[
            r#""event_type":1,"stream_id":"a","sequence":"1""#,
            r#""event_type":1,"stream_id":"a","sequence":"2""#,
            r#""event_type":1,"stream_id":"b","sequence":"3""#,
            r#""event_type":1,"stream_id":"c""#,
        ],
    )
    .await;
    wait_for_metrics(&app, &["livehook_streams_live 2", "livehook_events_without_sequence_total 1"]).await;
    post(
        &app,
        &[
            r#""event_type":0,"stream_id":"a","sequence":"1","errcode":1,"push_duration":"1500""#,
            r#""event_type":0,"stream_id":"b","sequence":"3","errcode":12,"push_duration":"3000""#,
            r#""event_type":0,"stream_id":"b","sequence":"3","errcode":1,"push_duration":"9999""#,
            r#""event_type":0,"stream_id":"b","errcode":12"#,
        ],
    )
    .await;
    let lines = [
        "livehook_streams_live 1",
        r#"livehook_sessions_ended_total{reason_category="rejected"} 0"#,
        "livehook_session_duration_seconds_count 2",
        "livehook_events_without_sequence_total 2",
        "livehook_index_lag_records 0",
    ];
    wait_for_metrics(&app, &lines).await;
    // The second stop of a session does not end it again.
    let metrics = app.metrics().await;
    let ended: u64 = metrics
        .lines()
        .filter(|line| line.starts_with("livehook_sessions_ended_total{"))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
        .sum();
    assert_eq!(ended, 2, "{metrics}");
    app.stop().await;
}

#[tokio::test]
async fn service_without_an_index() {
    let config = format!("[admin]\ntoken = \"{TOKEN}\"\n[index]\nenabled = false\n");
    let app = TestApp::start(&config).await;
    post(&app, &[r#""event_type":1,"stream_id":"a","sequence":"1""#]).await;
    app.wait_for_events(1).await;
    assert!(!app.data_dir().join("index.db").exists());
    let mut client = Client::connect(app.admin).await.unwrap();
    let authorization = format!("Authorization: Bearer {TOKEN}\r\n");
    let metrics = client.get("/metrics", &authorization).await.unwrap();
    assert_eq!(metrics.status, 200);
    assert!(metrics.body.contains("livehook_streams_live 0\n"), "{}", metrics.body);
    assert_eq!(ask_for_rebuild(app.admin).await.unwrap(), 503);
    assert_eq!(client.get("/readyz", "").await.unwrap().status, 200);
    app.stop().await;
}
