//! Dead letters, redrive and replay of the real program: by command, by API, and over kills.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use livehook::callback::EventId;
use livehook::journal::{DeadLetterSelection, Reader};
use serde_json::{Value, json};

use super::client::{Answer, Client, id_of, now_secs, post_all, signed, whole_lines};
use super::process::{Livehook, PROGRAM};
use super::test_app::TestApp;

const TOKEN: &str = "a-token-for-the-tests";

/// A service with a file sink that makes an event a dead letter at its first failure.
struct Service {
    livehook: Livehook,
    directory: tempfile::TempDir,
    moved: usize,
}

impl Service {
    async fn start() -> Service {
        let directory = tempfile::tempdir().unwrap();
        let livehook = Livehook::configure(directory.path(), "", &Service::config("file"));
        let mut service = Service { livehook, directory, moved: 0 };
        service.start_again().await;
        service
    }

    /// Starts, and delivers so many events.
    async fn with_events(count: u64) -> Service {
        let service = Service::start().await;
        service.post(0..count).await;
        service.wait_for_arrivals(count as usize).await;
        service
    }

    /// Stops, and starts with another configuration.
    async fn restart_with(&mut self, config: &str) {
        self.livehook.stop().await;
        self.livehook.configure_again("", config);
        self.start_again().await;
    }

    fn config(sink: &str) -> String {
        format!(
            "token = \"{TOKEN}\"\n[[sinks]]\nname = \"{sink}\"\ntype = \"file\"\npath = \"events.jsonl\"\nretry = {{ wait_ms_first = 20, wait_ms_max = 50, attempts_max = 1 }}\n"
        )
    }

    async fn start_again(&mut self) {
        self.livehook.start();
        self.livehook.ready().await;
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("events.jsonl")
    }

    /// Makes the file a directory, so that writes fail.
    fn fail(&mut self) {
        self.moved += 1;
        std::fs::rename(self.path(), self.directory.path().join(format!("moved-{}", self.moved))).unwrap();
        std::fs::create_dir(self.path()).unwrap();
    }

    fn mend(&self) {
        std::fs::remove_dir(self.path()).unwrap();
    }

    /// The ids of the events that arrived, from every whole line.
    fn arrived(&self) -> Vec<EventId> {
        let moved = (1..=self.moved).map(|number| self.directory.path().join(format!("moved-{number}")));
        let mut ids = Vec::new();
        for path in moved.chain([self.path()]) {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            // A kill during a redrive or replay may leave a part of a line, and the next start ends it.
            let lines = whole_lines(&text).filter(|line| serde_json::from_str::<Value>(line).is_ok());
            ids.extend(lines.map(id_of));
        }
        ids
    }

    async fn wait_for_arrivals(&self, count: usize) {
        self.wait_until(&format!("{count} arrive"), || self.arrived().len() >= count).await;
    }

    async fn wait_until(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !is_so() {
            assert!(Instant::now() < deadline, "waited for that {what}: {}", self.livehook.log());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    fn dead_letters(&self) -> Vec<EventId> {
        let reader = Reader::open(&self.livehook.path("data")).unwrap();
        let (mut ids, mut next) = (Vec::new(), Some(0));
        while let Some(after) = next {
            let page = reader.dead_letters(&DeadLetterSelection::default(), after, 1_000_000).unwrap();
            ids.extend(page.dead_letters.iter().map(|dead_letter| dead_letter.event.id()));
            next = page.next;
        }
        ids
    }

    async fn post(&self, numbers: std::ops::Range<u64>) {
        post_all(self.livehook.receiver, numbers, |number| signed(number, now_secs())).await;
    }

    /// Makes these events dead letters, then repairs the sink.
    async fn make_dead_letters(&mut self, numbers: std::ops::Range<u64>) {
        let count = self.dead_letters().len() + (numbers.end - numbers.start) as usize;
        self.fail();
        self.post(numbers).await;
        self.wait_until("they are dead letters", || self.dead_letters().len() == count).await;
        self.mend();
    }

    fn command(&self, line: &[&str]) -> Output {
        let mut command = Command::new(PROGRAM);
        command
            .current_dir(self.directory.path())
            .env("LIVEHOOK_DATA_DIR", "data")
            .env("LIVEHOOK_CONFIG", "config.toml");
        command.args(line).output().unwrap()
    }

    /// Runs a command that must succeed and say this. Returns its stdout.
    fn succeeds(&self, line: &[&str], said: &str) -> String {
        let output = self.command(line);
        assert!(output.status.success(), "{line:?}: {output:?}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains(said), "{line:?}: {stderr}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command that must succeed. Returns the JSON of each line of its stdout.
    fn listed(&self, line: &[&str]) -> Vec<Value> {
        let stdout = self.succeeds(&[line, &["--output", "json"]].concat(), "");
        stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Runs a command that must fail and say this. Returns its stderr.
    fn fails(&self, line: &[&str], said: &str) -> String {
        let output = self.command(line);
        assert_eq!(output.status.code(), Some(1), "{line:?}: {output:?}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains(said), "{line:?}: {stderr}");
        stderr
    }
}

#[tokio::test]
async fn redrive_and_drop_by_command() {
    let mut service = Service::with_events(3).await;
    service.make_dead_letters(3..8).await;

    let dead_letters = service.listed(&["dead-letters", "list"]);
    assert_eq!(dead_letters.len(), 5);
    assert!(dead_letters.iter().all(|one| one["sink"] == "file" && one["attempts"] == 1), "{dead_letters:?}");
    assert!(dead_letters[0]["reason"].as_str().unwrap().contains("is a directory"), "{dead_letters:?}");

    service.succeeds(&["dead-letters", "drop", "--id", "1"], "dropped: 1");
    service.succeeds(&["dead-letters", "redrive", "--sink", "file"], "redriven: 4; livehook sends them again\n");
    service.wait_for_arrivals(7).await;
    service.wait_until("they are gone", || service.dead_letters().is_empty()).await;
    let (arrived, dropped) = (service.arrived(), dead_letters[0]["id"].as_str().unwrap().parse().unwrap());
    assert_eq!(arrived.len(), 7, "each once");
    assert!(!arrived.contains(&dropped));
    let metrics = Client::connect(service.livehook.admin).await.unwrap().get("/metrics", "").await.unwrap().body;
    assert!(metrics.contains("livehook_dead_letters{sink=\"file\"} 0\n"), "{metrics}");
    service.livehook.stop().await;
    assert_eq!(service.arrived().len(), 7);
}

#[tokio::test]
async fn redrive_waits_for_service_and_sink() {
    let mut service = Service::with_events(1).await;
    service.make_dead_letters(1..4).await;
    service.restart_with(&Service::config("other")).await;
    service.fails(
        &["dead-letters", "redrive", "--sink", "file"],
        "there is no sink `file`; the configured sinks are other",
    );
    service.fails(&["dead-letters", "redrive", "--all"], "3 dead letters of the sink `file` cannot be redriven");

    service.restart_with(&Service::config("file")).await;
    service.livehook.stop().await;
    service.succeeds(&["dead-letters", "redrive", "--all"], ": 3; livehook sends them again when the service starts");
    assert_eq!(service.dead_letters().len(), 3);
    service.start_again().await;
    service.wait_until("they are gone", || service.dead_letters().is_empty()).await;
    assert_eq!(service.arrived().len(), 4);
}

/// How often a service is killed before it may finish.
const KILLS: u32 = 8;

/// Starts a command and kills the service repeatedly, each time after it wrote to the sink. Then waits for the end. `check` is
/// called while the service is dead.
async fn killed_until(
    service: &mut Service,
    line: &[&str],
    is_done: impl Fn(&Service) -> bool,
    check: impl Fn(&Service),
) {
    let length = |service: &Service| std::fs::metadata(service.path()).unwrap().len();
    let mut before = length(service);
    let mut command = Command::new(PROGRAM);
    command.current_dir(service.directory.path()).env("LIVEHOOK_DATA_DIR", "data").args(line);
    let mut child = command.args(["--config", "config.toml"]).spawn().unwrap();
    for kill in 0..KILLS {
        service.wait_until("it writes", || length(service) != before || (kill > 0 && is_done(service))).await;
        service.livehook.kill();
        // The response may be lost, but the service writes, so the change was made.
        let _ = child.wait();
        check(service);
        assert!(kill > 0 || !is_done(service), "no kill came in the middle");
        before = length(service);
        service.start_again().await;
        if line.contains(&"redrive") {
            // A kill may have cut the request short, so that some are not redriven.
            service.succeeds(line, "");
        }
    }
    service.wait_until("all is done", || is_done(service)).await;
    service.livehook.stop().await;
}

#[tokio::test]
#[ignore = "kills the real program many times: run by tests/run"]
async fn kills_during_a_redrive_lose_nothing() {
    let mut service = Service::with_events(1).await;
    service.make_dead_letters(1..3000).await;
    // The dead letters go to a new file.
    std::fs::write(service.path(), "").unwrap();
    let all: HashSet<EventId> = service.dead_letters().into_iter().collect();
    let check = |service: &Service| {
        let left: HashSet<EventId> = service.dead_letters().into_iter().collect();
        let arrived: HashSet<EventId> = service.arrived().into_iter().collect();
        assert!(all.iter().all(|id| left.contains(id) || arrived.contains(id)), "one is lost");
    };
    let line = ["dead-letters", "redrive", "--all"];
    killed_until(&mut service, &line, |service| service.dead_letters().is_empty(), check).await;
    assert!(all.is_subset(&service.arrived().into_iter().collect()));
}

#[tokio::test]
#[ignore = "kills the real program many times: run by tests/run"]
async fn kills_during_a_replay_lose_nothing() {
    const COUNT: usize = 5000;
    let mut service = Service::with_events(COUNT as u64).await;
    let replay = |service: &Service| Reader::open(&service.livehook.path("data")).unwrap().replay(1).unwrap().unwrap();
    let check = |service: &Service| {
        let stored = replay(service);
        assert!(Some(stored.done) <= stored.order.counted && stored.failed == 0);
    };
    let line = ["replay", "--sink", "file", "--no-wait"];
    killed_until(&mut service, &line, |service| replay(service).ended_at_ms.is_some(), check).await;
    let stored = replay(&service);
    assert_eq!((stored.order.counted, stored.done), (Some(COUNT as i64), COUNT as i64));
    let mut times = HashMap::new();
    for id in service.arrived() {
        *times.entry(id).or_insert(0) += 1;
    }
    assert_eq!(times.len(), COUNT);
    assert!(times.values().all(|times| *times >= 2));
    assert!(service.dead_letters().is_empty());
}

#[tokio::test]
async fn replay_by_command() {
    let mut service = Service::with_events(10).await;
    let counted = service.succeeds(&["replay", "--sink", "file", "--type", "push", "--dry-run"], "");
    assert_eq!(counted, "5\n");
    assert_eq!(service.listed(&["replay", "--list"]), [] as [Value; 0], "a dry run starts nothing");
    service.succeeds(&["replay", "--sink", "file", "--type", "push"], "the sink `file` accepted 5 of 5 events");
    assert_eq!(service.arrived().len(), 15);
    service.succeeds(&["replay", "--sink", "file", "--since", "2h", "--stream", "s3"], "accepted 1 of 1 events");

    service.fail();
    service.succeeds(&["replay", "--sink", "file", "--stream", "s4", "--no-wait"], "--watch 3");
    let said = service.fails(&["replay", "--watch", "3"], "the sink rejected 1 events, the last one: ");
    assert!(said.contains("is a directory"), "{said}");
    service.mend();
    service.fails(&["replay", "--cancel", "3"], "replay 3 had ended already");
    let states = service.listed(&["replay", "--list"]);
    assert_eq!(states.iter().map(|replay| replay["id"].as_i64().unwrap()).collect::<Vec<_>>(), [3, 2, 1]);
    assert_eq!((&states[0]["state"], &states[0]["failed"]), (&json!("done"), &json!(1)));

    let said = service.fails(&["replay", "--watch", "99"], "there is no replay 99");
    assert!(!said.contains("continues"), "{said}");
    service.fails(&["replay", "--sink", "none"], "there is no sink `none`; the configured sinks are file");
    service.livehook.stop().await;
    service.fails(&["replay", "--sink", "file"], "is `livehook serve` running");
    let said = service.fails(&["replay", "--watch", "3"], "is `livehook serve` running");
    assert!(said.contains("continues when the service runs again"), "{said}");
}

#[tokio::test]
async fn interrupted_command_leaves_the_replay() {
    let mut service = Service::start().await;
    service.restart_with(&Service::config("file").replace(", attempts_max = 1", "")).await;
    service.post(0..3).await;
    service.wait_for_arrivals(3).await;
    service.fail();
    let mut command = Command::new(PROGRAM);
    command.current_dir(service.directory.path()).args(["replay", "--sink", "file", "--config", "config.toml"]);
    let mut child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let replay = || Reader::open(&service.livehook.path("data")).unwrap().replay(1).unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap()));
    let said = lines.find(|line| line.as_ref().unwrap().contains("the sink failed, and livehook tries again"));
    assert!(said.is_some(), "{}", service.livehook.log());
    assert!(Command::new("kill").args(["-s", "INT", &child.id().to_string()]).status().unwrap().success());
    let said: Vec<String> = lines.map(Result::unwrap).collect();
    assert!(child.wait().unwrap().success() && said.iter().any(|line| line.contains("replay 1 continues")), "{said:?}");
    assert_eq!(replay().unwrap().ended_at_ms, None);

    service.succeeds(&["replay", "--cancel", "1"], "replay 1 is cancelled; it sent 0 of 3");
    service.mend();
    service.post(3..4).await;
    service.wait_for_arrivals(4).await;
    assert_eq!(service.arrived().len(), 4, "nothing of it comes after the end");
    service.fails(&["replay", "--watch", "1"], "replay 1 was cancelled after 0 of 3");
}

/// Posts to the API. Returns the status and the body of the response.
async fn post(app: &TestApp, path: &str, token: &str, body: &str) -> (u16, Value) {
    let mut client = Client::connect(app.admin).await.unwrap();
    let request = format!(
        "POST /api/v1/{path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    client.raw(request.as_bytes()).await.unwrap();
    let Answer { status, body, .. } = client.receive().await.unwrap();
    (status, serde_json::from_str(&body).unwrap())
}

async fn get(app: &TestApp, path: &str) -> (u16, Value) {
    let answer = Client::connect(app.admin).await.unwrap().get(&format!("/api/v1/{path}"), "").await.unwrap();
    (answer.status, serde_json::from_str(&answer.body).unwrap())
}

#[tokio::test]
async fn api_refuses_wrong_changes() {
    let app = TestApp::start(&format!("[admin]\ntoken = \"{TOKEN}\"\n")).await;
    for path in ["dead-letters/redrive", "dead-letters/drop", "replays", "replays/1/cancel"] {
        assert_eq!(post(&app, path, "wrong", "{\"all\":true}").await.0, 401, "{path}");
    }
    for (path, body, said) in [
        ("dead-letters/drop", "{}", "nothing is selected"),
        ("dead-letters/redrive", "{\"all\":false}", "nothing is selected"),
        ("dead-letters/redrive", "{\"all\":true,\"sink\":\"file\"}", "cannot be combined with other members"),
        ("dead-letters/redrive", "{\"number\":[1]}", "unknown field `number`"),
        ("dead-letters/redrive", "{\"since\":\"yesterday\"}", "`since`: give RFC 3339"),
        ("dead-letters/redrive", "{\"since\":\"1h\",\"until\":\"2h\"}", "`until`: must be after `since`"),
        ("dead-letters/drop", "{\"ids\":[\"x\"]}", "`ids`"),
        ("dead-letters/drop", "[", "the body cannot be read"),
        ("replays", "{}", "missing field `sink`"),
        ("replays", "{\"sink\":\"file\",\"types\":[\"pushed\"]}", "`types`"),
        ("replays", "{\"sink\":\"file\",\"domains\":[\"a.*.com\"]}", "`domains`"),
        ("replays/x/cancel", "{}", "`number`"),
    ] {
        let (status, problem) = post(&app, path, TOKEN, body).await;
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(status == 400 && detail.contains(said), "{path} {body}: {problem}");
    }
    for path in ["dead-letters/redrive", "replays"] {
        let (status, problem) = post(&app, path, TOKEN, "{\"sink\":\"gone\"}").await;
        assert_eq!((status, &problem["error"]), (409, &json!("no_such_sink")), "{path}");
    }
    let (status, changed) = post(&app, "dead-letters/drop", TOKEN, "{\"all\":true}").await;
    assert_eq!((status, changed), (200, json!({"count": 0, "without_sink": {}})));
    for (path, status) in [
        ("dead-letters", 200),
        ("dead-letters?sink=file&limit=5&since=2h", 200),
        ("dead-letters?sinks=file", 400),
        ("dead-letters/7", 404),
        ("dead-letters/x", 400),
        ("replays", 200),
        ("replays/7", 404),
        ("replays?since=2h", 400),
    ] {
        assert_eq!(get(&app, path).await.0, status, "{path}");
    }
    app.stop().await;
}

#[tokio::test]
async fn replay_by_api() {
    let app = TestApp::start(&format!("[admin]\ntoken = \"{TOKEN}\"\n")).await;
    let mut client = Client::connect(app.receiver).await.unwrap();
    for number in 0..6 {
        client.post(&signed(number, now_secs())).await.unwrap();
    }
    app.wait_for_events(6).await;
    let body = "{\"sink\":\"file\",\"types\":[\"stop\"],\"dry_run\":true}";
    assert_eq!(post(&app, "replays", TOKEN, body).await, (200, json!({"sink": "file", "counted": 3})));
    let (status, begun) =
        post(&app, "replays", TOKEN, "{\"sink\":\"file\",\"since\":\"1h\",\"types\":[\"stop\"]}").await;
    assert_eq!((status, &begun["id"], &begun["counted"]), (202, &json!(1), &json!(3)));
    app.wait_for_events(9).await;
    let deadline = Instant::now() + Duration::from_secs(20);
    let replay = loop {
        let (_, replay) = get(&app, "replays/1").await;
        if replay["state"] == "done" {
            break replay;
        }
        assert!(Instant::now() < deadline, "{replay}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert_eq!((&replay["done"], &replay["failed"], &replay["missed"]), (&json!(3), &json!(0), &json!(0)));
    assert_eq!(replay["selection"]["types"], json!(["stop"]));
    assert_eq!(get(&app, "replays").await.1["items"].as_array().unwrap().len(), 1);
    assert_eq!(post(&app, "replays/1/cancel", TOKEN, "{}").await.1["state"], "done");
    assert_eq!(post(&app, "replays/9/cancel", TOKEN, "{}").await.0, 404);
    assert_eq!(app.stop().await.len(), 9);
}
