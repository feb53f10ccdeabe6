//! Data directories that earlier versions recorded (see `tests/data`) open with all that they hold.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use livehook::clock::system_clock;
use livehook::journal::{self, DeadLetterSelection, Offset, Reader, SqliteJournal, Start};
use livehook::telemetry::Metrics;
use serde_json::{Value, json};

use super::client::{Client, now_secs, sign};
use super::process::Livehook;

/// Versions with redrives, replays and pending events.
const RECORDED: [&str; 4] = ["schema-3", "schema-5", "index-3", "index-4"];

/// States before that. Their indexes have version 1, but not all of its tables.
const RECORDED_PLAIN: [&str; 1] = ["schema-1"];

/// No record or session may be pruned, however old the recorded data gets.
const RETENTION_DAYS: u32 = 36_500;

/// A copy of a recorded data directory, and the content that was recorded of it.
struct Recorded {
    directory: tempfile::TempDir,
    expected: Value,
}

impl Recorded {
    fn copy(name: &str) -> Recorded {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("data");
        std::fs::create_dir(&data).unwrap();
        for file in ["journal.db", "index.db"] {
            std::fs::copy(source.join(file), data.join(file)).unwrap();
        }
        let expected = serde_json::from_slice(&std::fs::read(source.join("expected.json")).unwrap()).unwrap();
        Recorded { directory, expected }
    }

    fn data(&self) -> std::path::PathBuf {
        self.directory.path().join("data")
    }

    fn rows(&self, name: &str) -> &[Value] {
        self.expected[name].as_array().unwrap()
    }

    /// Starts a service on the data. It keeps everything, and both sinks are files.
    async fn serve(&self) -> Livehook {
        let config = format!(
            "[journal]\nretention_days = {RETENTION_DAYS}\n[index]\nretention_days = {RETENTION_DAYS}\nstale_after_secs = 0\n\
             [[sinks]]\nname = \"archive\"\ntype = \"file\"\npath = \"archive.jsonl\"\n\
             [[sinks]]\nname = \"backend\"\ntype = \"file\"\npath = \"backend.jsonl\"\n"
        );
        let mut livehook = Livehook::configure(self.directory.path(), "", &config);
        livehook.start();
        livehook.ready().await;
        livehook
    }
}

fn events(reader: &Reader) -> Value {
    let records = reader.read(Offset(0), 1000).unwrap();
    records
        .iter()
        .map(|record| {
            json!({
                "offset": record.offset.0,
                "id": hex::encode(record.event.id().to_bytes()),
                "event_type": record.event.event_type().number(),
                "received_ms": record.event.received_ms(),
                "line": record.event.line(),
            })
        })
        .collect()
}

fn dead_letters(reader: &Reader) -> Value {
    let page = reader.dead_letters(&DeadLetterSelection::default(), 0, 1000).unwrap();
    page.dead_letters
        .iter()
        .map(|dead_letter| {
            json!({
                "number": dead_letter.number,
                "sink": dead_letter.sink,
                "offset": dead_letter.offset.0,
                "id": hex::encode(dead_letter.event.id().to_bytes()),
                "line": dead_letter.event.line(),
                "attempts": dead_letter.attempts,
                "reason": dead_letter.failure,
                "failed_ms": dead_letter.failed_at_ms,
                "redriven_ms": dead_letter.redriven_at_ms,
                "redriven_attempts": dead_letter.redriven_attempts,
            })
        })
        .collect()
}

fn replays(reader: &Reader) -> Value {
    let replays = reader.replays(i64::MAX, 1000).unwrap();
    replays
        .iter()
        .map(|replay| {
            json!({
                "number": replay.number,
                "sink": replay.order.sink,
                "selection": replay.order.selection,
                "created_ms": replay.created_at_ms,
                "first": replay.order.first.0,
                "last": replay.order.last.0,
                "cursor": replay.cursor.0,
                "counted": replay.order.counted,
                "done": replay.done,
                "failed": replay.failed,
                "last_reason": replay.last_reason,
                "ended_ms": replay.ended_at_ms,
            })
        })
        .collect()
}

/// Opens the journal as the service does, and returns what its consumers are and the content of the journal.
async fn open(recorded: &Recorded) -> (Value, Reader) {
    let data = recorded.data();
    let names: Vec<(String, Start)> =
        recorded.rows("consumers").iter().map(|row| (row["name"].as_str().unwrap().to_owned(), Start::Now)).collect();
    let options = journal::Options { retention_days: RETENTION_DAYS, ..journal::Options::default() };
    let opened = SqliteJournal::open(&data, &options, &names, Arc::new(Metrics::new()), system_clock).unwrap();
    let running = tokio::spawn(opened.wakeups.run());
    let consumers = opened.consumers.iter().map(|consumer| {
        let pending: Vec<_> = consumer.ahead().pending.iter().map(|(at, attempts)| json!([at.0, attempts])).collect();
        json!({
            "name": consumer.name(),
            "cursor": consumer.cursor().0,
            "position": consumer.ahead().position.0,
            "pending": json!(pending).to_string(),
            "state": consumer.state().map(|state| String::from_utf8(state.to_owned()).unwrap()),
        })
    });
    let consumers = consumers.collect();
    drop(opened.consumers);
    opened.journal.close();
    running.await.unwrap().unwrap();
    opened.journal.join();
    (consumers, Reader::open(&data).unwrap())
}

#[tokio::test]
async fn recorded_journal_reads_the_same() {
    for name in RECORDED.into_iter().chain(RECORDED_PLAIN) {
        let recorded = Recorded::copy(name);
        let (consumers, reader) = open(&recorded).await;
        assert_eq!(reader.journal_id().unwrap(), recorded.expected["journal_id"], "{name}");
        assert_eq!(consumers, recorded.expected["consumers"], "{name}");
        assert_eq!(events(&reader), recorded.expected["events"], "{name}");
        assert_eq!(dead_letters(&reader), recorded.expected["dead_letters"], "{name}");
        assert_eq!(replays(&reader), recorded.expected["replays"], "{name}");
    }
}

/// The numbers of the events, by their offsets in the recorded journal, in a sink's file.
fn offsets_in(recorded: &Recorded, lines: &[String]) -> BTreeSet<i64> {
    let offset = |line: &String| {
        let row = recorded.rows("events").iter().find(|row| row["line"].as_str() == Some(line));
        row.and_then(|row| row["offset"].as_i64()).unwrap_or(0)
    };
    lines.iter().map(offset).collect()
}

async fn post(livehook: &Livehook, fixture: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(fixture);
    let text = std::fs::read_to_string(path).unwrap();
    let members = text.trim().strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap();
    let mut client = Client::connect(livehook.receiver).await.unwrap();
    assert_eq!(client.post(&sign(members, now_secs() + 600)).await.unwrap().status, 200);
}

/// The service takes up the pending events, the redriven dead letter and the replay. `backend` is a file here, so that all of
/// them arrive.
#[tokio::test]
async fn service_goes_on_with_recorded_data() {
    for name in RECORDED {
        let recorded = Recorded::copy(name);
        let mut livehook = recorded.serve().await;
        post(&livehook, "001-push.json").await;
        post(&livehook, "344-evaluation-threshold.json").await;

        // Two that were pending, dead letter 2, three of the replay, and the new one.
        let deadline = Instant::now() + Duration::from_secs(30);
        while livehook.lines("backend.jsonl").len() < 7 || livehook.lines("archive.jsonl").is_empty() {
            assert!(Instant::now() < deadline, "{:?}: {}", livehook.lines("backend.jsonl"), livehook.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(offsets_in(&recorded, &livehook.lines("backend.jsonl")), [0, 1, 6, 10, 13, 14, 15].into());
        let answer = Client::connect(livehook.admin).await.unwrap().get("/api/v1/sessions", "").await.unwrap();
        let answer: Value = serde_json::from_str(&answer.body).unwrap();
        let sessions = answer["items"].as_array().unwrap();
        assert_eq!(sessions.len(), recorded.rows("sessions").len());
        for (session, expected) in sessions.iter().zip(recorded.rows("sessions")) {
            for (member, value) in expected.as_object().unwrap() {
                let found = match member.as_str() {
                    "reason" if !value.is_null() => &json!({ "errcode": session["reason"]["errcode"] }),
                    _ => &session[member],
                };
                assert_eq!(found, value, "`{member}` of {session}");
            }
            // By its id and by its stream, too.
            let (id, stream) = (session["id"].as_str().unwrap(), session["stream"].as_str().unwrap());
            for path in [format!("/api/v1/sessions/{id}"), format!("/api/v1/sessions?stream={stream}")] {
                let answer = Client::connect(livehook.admin).await.unwrap().get(&path, "").await.unwrap();
                assert!(answer.body.contains(&format!(r#""id":"{id}""#)), "{path}: {}", answer.body);
            }
        }
        livehook.stop().await;
        assert_eq!(livehook.lines("archive.jsonl").len(), 1, "the recorded push is a duplicate");
        let last = livehook.journal().pop().unwrap();
        assert_eq!(livehook.lines("archive.jsonl"), [last]);
        let reader = Reader::open(&recorded.data()).unwrap();
        assert_eq!(reader.head().unwrap(), Some(Offset(16)));
        let left = reader.dead_letters(&DeadLetterSelection::default(), 0, 10).unwrap();
        assert_eq!(left.dead_letters.iter().map(|dead_letter| dead_letter.number).collect::<Vec<_>>(), [1]);
    }
}

/// Returns the recorded form of a session of the API.
fn plain_session(session: &Value) -> Value {
    let ms = |member: &str| {
        let text = session[member].as_str()?;
        Some(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    };
    json!({
        "sequence": session["sequence"],
        "started_ms": ms("started"),
        "ended_ms": ms("ended"),
        "duration_ms": session["duration_ms"],
        "errcode": session["reason"]["errcode"],
    })
}

/// The index of these states lacks tables of its version. The service replaces it, and nothing is missing then.
#[tokio::test]
async fn service_replaces_an_index_of_its_past() {
    for name in RECORDED_PLAIN {
        let recorded = Recorded::copy(name);
        let mut livehook = recorded.serve().await;
        let deadline = Instant::now() + Duration::from_secs(30);
        while !livehook.log().contains("the index was rebuilt") {
            assert!(Instant::now() < deadline, "{}", livehook.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(
            livehook.log().contains("is missing") && livehook.log().contains("kept_sessions"),
            "{}",
            livehook.log()
        );
        let answer = Client::connect(livehook.admin).await.unwrap().get("/api/v1/sessions", "").await.unwrap();
        let answer: Value = serde_json::from_str(&answer.body).unwrap();
        let mut sessions: Vec<Value> = answer["items"].as_array().unwrap().iter().map(plain_session).collect();
        sessions.sort_by_key(|session| session["sequence"].as_str().unwrap().to_owned());
        assert_eq!(sessions, recorded.rows("sessions"), "{name}");

        post(&livehook, "344-evaluation-threshold.json").await;
        while livehook.lines("archive.jsonl").is_empty() || livehook.lines("backend.jsonl").is_empty() {
            assert!(Instant::now() < deadline, "{}", livehook.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        livehook.stop().await;
        assert_eq!((livehook.lines("archive.jsonl").len(), livehook.lines("backend.jsonl").len()), (1, 1), "{name}");
    }
}
