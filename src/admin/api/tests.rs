//! The answers of the API, of a recorded data directory at a fixed time.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use futures_util::FutureExt;
use tokio::sync::watch;
use tower::Service;

use crate::admin::Reloads;
use crate::admin::{Admin, Options, Sources, Token};
use crate::callback::InstanceName;
use crate::delivery::{Status, Statuses};
use crate::http::BodyBudget;
use crate::index;
use crate::journal::testing::MemoryJournal;
use crate::journal::{DeadLetterAction, DeadLetterSelection, change_unserved_dead_letters};
use crate::receiver::{HourlyCounts, RecentRefusals};

/// The time of the tests in Unix ms, a minute after the last recorded event.
const NOW_MS: i64 = 1_795_702_360_000;

const TOKEN: &str = "a-token-of-the-tests-only";

struct Recorded {
    _directory: tempfile::TempDir,
    journal: Arc<MemoryJournal>,
    index: Arc<index::Status>,
    router: Router,
}

impl Recorded {
    fn new() -> Recorded {
        let directory = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/schema-3");
        for file in ["journal.db", "index.db"] {
            std::fs::copy(source.join(file), directory.path().join(file)).unwrap();
        }
        // Like the start of the service, these upgrade the index and the journal. They change nothing else.
        drop(index::Store::open(directory.path(), &index::Options::default()).unwrap());
        let none = DeadLetterSelection { numbers: vec![0], ..DeadLetterSelection::default() };
        change_unserved_dead_letters(directory.path(), DeadLetterAction::Drop, none, NOW_MS).unwrap();
        let hourly_counts = HourlyCounts::new(NOW_MS - 5000);
        hourly_counts.count("stored", NOW_MS);
        let (journal, index) = (Arc::<MemoryJournal>::default(), Arc::<index::Status>::default());
        let sources = Sources {
            data_dir: directory.path().to_owned(),
            journal: Arc::clone(&journal) as _,
            metrics: Arc::default(),
            sinks: Statuses::new(vec![Arc::new(Status::new("archive", "file"))]),
            index: Some(Arc::clone(&index)),
            receiver: Arc::default(),
            refusals: Arc::new(RecentRefusals::new(NOW_MS - 5000)),
            bodies: Arc::new(BodyBudget::new(1000, 100)),
            hourly_counts: Arc::new(hourly_counts),
            draining: Arc::default(),
            stopping: watch::channel(false).1,
            reloads: Reloads::new().0,
            instance: InstanceName::default(),
            clock: || NOW_MS,
        };
        let options = Options { token: Some(Token::new(TOKEN).unwrap()), ..Options::default() };
        let admin = Arc::new(Admin::new(&options, sources));
        Recorded { _directory: directory, journal, index, router: admin.router(([127, 0, 0, 1], 9090).into()) }
    }

    /// Returns the status and the body of an answer, with a line for each item of a list.
    async fn answer(&self, method: &str, path: &str, body: &str) -> String {
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/v1/{path}"))
            .header("host", "localhost")
            .header("authorization", format!("Bearer {TOKEN}"))
            .header("content-type", "application/json")
            .extension(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 4711))))
            .body(Body::from(body.to_owned()))
            .unwrap();
        let (parts, body) = self.router.clone().call(request).await.unwrap().into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        serde_json::from_str::<serde_json::Value>(&body).unwrap();
        format!("{} {}", parts.status.as_u16(), body.replace("},{", "},\n{"))
    }

    /// Returns the answers to some requests, one below the other.
    async fn answers(&self, requests: &[(&str, &str)]) -> String {
        let mut answers = String::new();
        for (request, body) in requests {
            let (method, path) = request.split_once(' ').unwrap();
            writeln!(answers, "{request} {body}\n{}\n", self.answer(method, path, body).await).unwrap();
        }
        answers
    }
}

#[tokio::test]
async fn lists_are_as_recorded() {
    let requests = [
        "GET streams",
        "GET sessions?limit=2",
        "GET sessions?sort=duration&order=ascending&state=live",
        "GET broadcasts?limit=1",
        "GET events?limit=2",
        "GET events?order=ascending&type=push&limit=1",
        "GET dead-letters",
        "GET dead-letters?sink=backend&limit=1",
        "GET replays",
        "GET sinks",
        "GET refusals",
        "GET stats?since=2h",
    ];
    insta::assert_snapshot!(Recorded::new().answers(&requests.map(|request| (request, ""))).await);
}

/// Otherwise each query would wait while the index lets events gather.
#[tokio::test]
async fn index_knows_that_a_query_waits() {
    let recorded = Recorded::new();
    recorded.answer("GET", "streams", "").await;
    assert!(recorded.index.awaited().now_or_never().is_none(), "the index has every event");
    recorded.journal.set_head(1);
    recorded.answer("GET", "streams", "").await;
    assert!(recorded.index.awaited().now_or_never().is_some());
}

#[tokio::test]
async fn single_items_are_as_recorded() {
    let recorded = Recorded::new();
    let items = async |path: &str| -> Vec<serde_json::Value> {
        let answer = recorded.answer("GET", path, "").await;
        let answer: serde_json::Value = serde_json::from_str(answer.strip_prefix("200 ").unwrap()).unwrap();
        answer["items"].as_array().unwrap().clone()
    };
    let session = &items("sessions?state=ended&limit=1").await[0];
    let [domain, app_name, stream, id] =
        ["domain", "app_name", "stream", "id"].map(|name| session[name].as_str().unwrap());
    let paths = [
        format!("GET sessions/{id}"),
        format!("GET streams/{domain}/{app_name}/{stream}"),
        format!("GET events/{}", items("events?limit=1").await[0]["id"].as_str().unwrap()),
        "GET dead-letters/1".to_owned(),
        "GET replays/1".to_owned(),
    ];
    let requests: Vec<_> = paths.iter().map(|path| (path.as_str(), "")).collect();
    insta::assert_snapshot!(recorded.answers(&requests).await);
}

#[tokio::test]
async fn error_codes_are_as_recorded() {
    insta::assert_snapshot!(Recorded::new().answers(&[("GET error-codes", "")]).await);
}

#[tokio::test]
async fn problems_are_as_recorded() {
    let requests = [
        ("GET nothing", ""),
        ("POST streams", ""),
        ("GET sinks?limit=5", ""),
        ("GET events?strem=a", ""),
        ("GET events?limit=0", ""),
        ("GET events?limit=1&limit=2", ""),
        ("GET events?type=pushed", ""),
        ("GET events?order=up", ""),
        ("GET events?domain=*", ""),
        ("GET events?stream=", ""),
        ("GET events?stream=a%FF", ""),
        ("GET events?since=yesterday", ""),
        ("GET events?since=1h&until=2h", ""),
        ("GET events?page=00", ""),
        ("GET events/1", ""),
        ("GET events/0167c013-eab0-8a3c-9f0e-5b1d0c6a7e42", ""),
        ("GET sessions?state=dead", ""),
        ("GET sessions?reason=boredom", ""),
        ("GET sessions?sort=name", ""),
        ("GET sessions/1", ""),
        ("GET sessions/1-00000000", ""),
        ("GET streams/a", ""),
        ("GET streams/a/b/c", ""),
        ("GET streams/%FF/a/b", ""),
        ("GET dead-letters?id=1", ""),
        ("GET dead-letters/x", ""),
        ("GET dead-letters/77", ""),
        ("GET replays/77", ""),
        ("GET refusals?error=x", ""),
        ("GET refusals?client=x", ""),
        ("GET stats?since=367d", ""),
        ("GET feed?kind=sessions", ""),
        ("GET feed?last_event_id=1", ""),
        ("POST dead-letters/redrive", "{}"),
        ("POST dead-letters/redrive", "[true]"),
        ("POST dead-letters/redrive", r#"{"all": true, "sink": "archive"}"#),
        ("POST dead-letters/redrive", r#"{"sink": "gone"}"#),
        ("POST dead-letters/redrive", r#"{"ids": ["1"]}"#),
        ("POST dead-letters/redrive", r#"{"al": true}"#),
        ("POST dead-letters/drop?all=true", r#"{"all": true}"#),
        ("POST dead-letters/drop", r#"{"all": true}"#),
        ("POST replays", "{}"),
        ("POST replays", r#"{"sink": "archive", "types": ["pushed"]}"#),
        ("POST replays", r#"{"sink": "archive", "since": "soon"}"#),
        ("POST replays/77/cancel", "now"),
    ];
    insta::assert_snapshot!(Recorded::new().answers(&requests).await);
}
