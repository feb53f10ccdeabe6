//! A running service takes over another configuration, under load: no callback is refused, and no event is lost or repeated.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use livehook::callback::EventId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::client::{Client, KEY, id_of, members, now_secs, sign_by};
use super::process::{FILE_SINK, Livehook, PROGRAM};

const TOKEN: &str = "a-token-for-the-tests";
const OTHER_KEY: &str = "another-key-for-the-tests";
const PATIENCE: Duration = Duration::from_secs(30);

/// A running livehook with a token and a file sink.
async fn running(more: &str) -> Livehook {
    Livehook::running("", &format!("token = \"{TOKEN}\"\n{more}\n{FILE_SINK}")).await
}

impl Livehook {
    /// Replaces a text in the configuration file.
    fn edit(&self, from: &str, to: &str) {
        let path = self.path("config.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.matches(from).count(), 1, "{from} in {text}");
        std::fs::write(path, text.replace(from, to)).unwrap();
    }

    /// Runs a command with the configuration file.
    fn command(&self, arguments: &[&str]) -> Output {
        let command = &mut Command::new(PROGRAM);
        let command = command.args(arguments).arg("--config").arg(self.path("config.toml"));
        command.current_dir(&self.directory).stdin(Stdio::null()).output().unwrap()
    }

    /// Reloads, and returns the changes that the command prints.
    fn reload(&self) -> String {
        let output = self.command(&["reload"]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        String::from_utf8(output.stdout).unwrap()
    }

    async fn metric(&self, name: &str) -> Option<String> {
        let metrics = Client::connect(self.admin).await.unwrap().get("/metrics", "").await.unwrap().body;
        metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned))
    }

    /// Waits until the log has a text so many times.
    async fn logs(&self, text: &str, count: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.log().matches(text).count() < count {
            assert!(Instant::now() < deadline, "{text} is not in {}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The answer to a callback that a key has signed.
    async fn answer_to(&self, key: &str, number: u64) -> u16 {
        let body = sign_by(key, &members(number), now_secs() + 600);
        Client::connect(self.receiver).await.unwrap().post(&body).await.unwrap().status
    }
}

/// Senders that post callbacks without a pause, each over its own connection.
struct Load {
    is_over: Arc<AtomicBool>,
    /// Whether they sign by the other key.
    signs_by_other: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    senders: Vec<JoinHandle<()>>,
}

impl Load {
    /// Begins. Every callback must get a 200.
    fn on(receiver: SocketAddr) -> Load {
        let (is_over, signs_by_other) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let sent = Arc::<AtomicU64>::default();
        let senders = (0..4).map(|_| {
            let (is_over, other, sent) = (Arc::clone(&is_over), Arc::clone(&signs_by_other), Arc::clone(&sent));
            tokio::spawn(async move {
                let mut client = Client::connect(receiver).await.unwrap();
                while !is_over.load(Ordering::SeqCst) {
                    let number = sent.fetch_add(1, Ordering::SeqCst);
                    let key = if other.load(Ordering::SeqCst) { OTHER_KEY } else { KEY };
                    let answer = client.post(&sign_by(key, &members(number), now_secs() + 600)).await.unwrap();
                    assert_eq!(answer.status, 200, "callback {number}: {answer:?}");
                }
            })
        });
        Load { senders: senders.collect(), is_over, signs_by_other, sent }
    }

    /// Waits until so many further callbacks were sent.
    async fn more(&self, count: u64) {
        let wanted = self.sent.load(Ordering::SeqCst) + count;
        let deadline = Instant::now() + PATIENCE;
        while self.sent.load(Ordering::SeqCst) < wanted {
            assert!(Instant::now() < deadline, "the load has stopped");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Ends, and returns the number of callbacks.
    async fn end(self) -> u64 {
        self.is_over.store(true, Ordering::SeqCst);
        for sender in self.senders {
            sender.await.unwrap();
        }
        self.sent.load(Ordering::SeqCst)
    }
}

/// How often each event is in a list of lines.
fn counts(lines: &[String]) -> HashMap<EventId, usize> {
    let mut counts = HashMap::new();
    for line in lines {
        *counts.entry(id_of(line)).or_insert(0) += 1;
    }
    counts
}

#[tokio::test]
async fn keys_rotate_without_a_refusal() {
    let mut livehook = running("").await;
    let load = Load::on(livehook.receiver);
    load.more(50).await;
    livehook.edit(&format!("keys = [\"{KEY}\"]"), &format!("keys = [\"{KEY}\", \"{OTHER_KEY}\"]"));
    let said = livehook.reload();
    assert!(said.starts_with("receiver.keys: added ") && said.ends_with(" for every domain\n"), "{said}");
    load.signs_by_other.store(true, Ordering::SeqCst);
    // Each sender may be in the middle of its last callback by the old key.
    load.more(50).await;
    livehook.edit(&format!("keys = [\"{KEY}\", \"{OTHER_KEY}\"]"), &format!("keys = [\"{OTHER_KEY}\"]"));
    livehook.signal("HUP");
    livehook.logs("the configuration was reloaded: receiver.keys: removed", 1).await;
    load.more(50).await;
    let sent = load.end().await;
    assert_eq!((livehook.answer_to(KEY, sent).await, livehook.answer_to(OTHER_KEY, sent).await), (401, 200));
    for secret in [KEY, OTHER_KEY, TOKEN] {
        assert!(!livehook.log().contains(secret));
    }
    livehook.stop().await;
    assert_eq!(counts(&livehook.lines("events.jsonl")).values().filter(|count| **count == 1).count() as u64, sent + 1);
    assert_eq!(livehook.journal().len() as u64, sent + 1);
}

#[tokio::test]
async fn mistake_changes_nothing() {
    let mut livehook = running("").await;
    assert_eq!(livehook.metric("livehook_config_last_reload_successful").await.unwrap(), "1");
    let loaded = livehook.metric("livehook_config_last_reload_success_timestamp_seconds").await.unwrap();
    livehook.edit("[admin]\n", "leeway_secs = \"ten\"\nunsigned_event_types = [\"pushed\"]\n[admin]\n");
    let output = livehook.command(&["reload"]);
    let (said, checked) = (output.stderr, livehook.command(&["check-config"]).stderr);
    let said = String::from_utf8(said).unwrap();
    assert_eq!(output.status.code(), Some(1));
    let mistakes: Vec<String> = String::from_utf8(checked).unwrap().lines().skip(1).map(str::to_owned).collect();
    assert_eq!(mistakes.len(), 2);
    assert!(mistakes.iter().all(|mistake| said.contains(mistake.trim())), "{said}");
    livehook.logs("the configuration was not reloaded, and nothing has changed", 1).await;
    assert_eq!(livehook.metric("livehook_config_last_reload_successful").await.unwrap(), "0");
    assert_eq!(livehook.metric("livehook_config_last_reload_success_timestamp_seconds").await.unwrap(), loaded);
    assert_eq!(livehook.answer_to(KEY, 0).await, 200, "the rules are as before");

    livehook.edit("leeway_secs = \"ten\"\nunsigned_event_types = [\"pushed\"]\n", "leeway_secs = 600\n");
    let compared = livehook.command(&["check-config", "--against-running"]);
    let compared = String::from_utf8(compared.stdout).unwrap();
    assert!(compared.ends_with("a reload would change:\nreceiver.leeway_secs: 0 -> 600\n"), "{compared}");
    let late = sign_by(KEY, &members(1), now_secs() - 300);
    let late_status = async || Client::connect(livehook.receiver).await.unwrap().post(&late).await.unwrap().status;
    assert_eq!(late_status().await, 401, "comparing changes nothing");
    assert_eq!(livehook.reload(), "receiver.leeway_secs: 0 -> 600\n");
    assert_eq!(late_status().await, 200);
    assert_eq!(livehook.metric("livehook_config_last_reload_successful").await.unwrap(), "1");
    assert_eq!(livehook.reload(), "");
    livehook.stop().await;
}

#[tokio::test]
async fn fixed_settings_are_named() {
    let mut livehook = running("").await;
    let admin = livehook.admin;
    livehook.edit("data_dir = \"data\"", "data_dir = \"other\"");
    livehook.edit("keys = [", "leeway_secs = 600\npath = \"/other\"\nkeys = [");
    livehook.edit("token = ", "subscribers_max = 7\ntoken = ");
    livehook.edit("keys = [", "health_path = \"/health\"\nkeys = [");
    let expected = "data_dir: data -> other (needs a restart)\nreceiver.path: /callback -> /other (needs a restart)\n\
        receiver.health_path: not set -> /health (needs a restart)\nreceiver.leeway_secs: 0 -> 600\nadmin.subscribers_max: 256 -> 7\n";
    assert_eq!(livehook.reload(), expected);
    livehook.logs("the configuration was reloaded, except: data_dir: data -> other (needs a restart)", 1).await;
    assert_eq!(
        livehook.reload(),
        expected.replace("receiver.leeway_secs: 0 -> 600\nadmin.subscribers_max: 256 -> 7\n", ""),
        "they still differ"
    );
    assert_eq!(livehook.metric("livehook_feed_subscribers_max").await.unwrap(), "7");
    assert_eq!(livehook.answer_to(KEY, 0).await, 200, "the path is as before");
    assert!(!livehook.path("other").exists());

    // Another token counts for the next request, and the old one no longer does.
    livehook.edit(TOKEN, "another-token-for-tests");
    livehook.signal("HUP");
    livehook.logs("the configuration was reloaded: admin.token: changed", 1).await;
    let status = async |token: &str| {
        let head = format!("POST /api/v1/reload HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n");
        let request = format!("{head}Content-Type: application/json\r\nContent-Length: 16\r\n\r\n{{\"dry_run\":true}}");
        let mut client = Client::connect(admin).await.unwrap();
        client.raw(request.as_bytes()).await.unwrap();
        client.receive().await.unwrap().status
    };
    assert_eq!((status(TOKEN).await, status("another-token-for-tests").await), (401, 200));
    livehook.stop().await;
}

#[tokio::test]
async fn sinks_come_and_go_without_a_loss() {
    const SECOND: &str = "[[sinks]]\nname = \"second\"\ntype = \"file\"\npath = \"second.jsonl\"\n";
    let mut livehook = running("").await;
    let load = Load::on(livehook.receiver);
    load.more(50).await;
    livehook.edit(FILE_SINK, &format!("{FILE_SINK}{SECOND}"));
    assert_eq!(livehook.reload(), "sinks.second: added file to second.jsonl, every event\n");
    // These callbacks come when the sink is configured.
    let first = load.sent.load(Ordering::SeqCst) + 4;
    load.more(50).await;
    // The worker of the first sink is replaced in the middle of its work, again and again.
    for wait_ms in [30, 31, 32] {
        livehook.edit(
            &format!("wait_ms_first = {}", if wait_ms == 30 { 20 } else { wait_ms - 1 }),
            &format!("wait_ms_first = {wait_ms}"),
        );
        livehook.reload();
        load.more(20).await;
    }
    livehook.edit(SECOND, "");
    assert_eq!(livehook.reload(), "sinks.second: removed file to second.jsonl, every event\n");
    load.more(50).await;
    let removed = livehook.lines("second.jsonl").len();
    assert_eq!(livehook.metric("livehook_delivery_lag_records{sink=\"second\"}").await, None);
    load.more(20).await;
    assert_eq!(livehook.lines("second.jsonl").len(), removed, "it has stopped");
    // It goes on after its last event.
    livehook.edit(&FILE_SINK.replace("= 20", "= 32"), &format!("{}{SECOND}", FILE_SINK.replace("= 20", "= 32")));
    livehook.reload();
    let sent = load.end().await;
    livehook.stop().await;
    let ids: Vec<EventId> = livehook.journal().iter().map(|line| id_of(line)).collect();
    assert_eq!(ids.len() as u64, sent);
    let (in_first, in_second) = (counts(&livehook.lines("events.jsonl")), counts(&livehook.lines("second.jsonl")));
    assert!(ids.iter().all(|id| in_first.get(id) == Some(&1)) && in_first.len() == ids.len());
    assert!(in_second.values().all(|count| *count == 1));
    let expected =
        (first..sent).map(|number| super::client::expected_id(&sign_by(KEY, &members(number), now_secs() + 600)));
    for (id, number) in expected.zip(first..) {
        assert!(in_second.contains_key(&id), "callback {number} of {first}..{sent} is not in the second file");
    }
}

/// A server that answers every POST with 200, and counts its connections.
async fn counting_server() -> (SocketAddr, Arc<AtomicUsize>, Arc<AtomicUsize>) {
    async fn serve(mut stream: TcpStream, requests: Arc<AtomicUsize>) {
        let mut buffer = Vec::new();
        let mut chunk = [0; 8192];
        loop {
            let end = buffer.windows(4).position(|window| window == b"\r\n\r\n");
            let length = end.and_then(|end| {
                let head = String::from_utf8_lossy(&buffer[..end]).to_ascii_lowercase();
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
                length.map(|length| end + 4 + length)
            });
            if let Some(length) = length.filter(|length| buffer.len() >= *length) {
                buffer.drain(..length);
                requests.fetch_add(1, Ordering::SeqCst);
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
                continue;
            }
            match stream.read(&mut chunk).await {
                Ok(0) | Err(_) => return,
                Ok(count) => buffer.extend_from_slice(&chunk[..count]),
            }
        }
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (connections, requests) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let counted = (Arc::clone(&connections), Arc::clone(&requests));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            connections.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(serve(stream, Arc::clone(&requests)));
        }
    });
    (address, counted.0, counted.1)
}

#[tokio::test]
async fn unchanged_sink_keeps_its_connection() {
    let (server, connections, requests) = counting_server().await;
    let sink = format!("[[sinks]]\nname = \"web\"\ntype = \"http\"\nurl = \"http://{server}/\"\nconcurrency = 1\n");
    let mut livehook = running(&sink).await;
    let deliver = async |number: usize| {
        assert_eq!(livehook.answer_to(KEY, number as u64).await, 200);
        let deadline = Instant::now() + PATIENCE;
        while requests.load(Ordering::SeqCst) <= number {
            assert!(Instant::now() < deadline, "event {number} does not arrive");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    deliver(0).await;
    livehook.edit("[admin]\n", "leeway_secs = 600\n[admin]\n");
    livehook.edit("wait_ms_first = 20", "wait_ms_first = 30");
    livehook.reload();
    deliver(1).await;
    assert_eq!(connections.load(Ordering::SeqCst), 1, "the sink was not disturbed");
    livehook.edit("concurrency = 1\n", "concurrency = 1\nheaders = { X-Team = \"live\" }\n");
    assert_eq!(livehook.reload(), "sinks.web: changed\n");
    deliver(2).await;
    assert_eq!((connections.load(Ordering::SeqCst), requests.load(Ordering::SeqCst)), (2, 3));
    livehook.stop().await;
}

/// As Kubernetes renews a mounted secret: the files lie in a folder to which a link points, and the link is swapped.
#[tokio::test]
#[ignore = "waits for the watch of secrets: run by tests/run"]
async fn rotated_secret_is_taken_over() {
    let mut livehook = Livehook::configured("", &format!("token_file = \"secrets/token\"\n{FILE_SINK}"));
    let directory = livehook.directory.clone();
    let point_at = |folder: &str, keys: &str, token: &str| {
        std::fs::create_dir(directory.join(folder)).unwrap();
        std::fs::write(directory.join(folder).join("keys"), keys).unwrap();
        std::fs::write(directory.join(folder).join("token"), token).unwrap();
        std::os::unix::fs::symlink(folder, directory.join("next")).unwrap();
        std::fs::rename(directory.join("next"), directory.join("secrets")).unwrap();
    };
    point_at("one", KEY, TOKEN);
    livehook.edit(&format!("keys = [\"{KEY}\"]"), "keys_file = \"secrets/keys\"");
    livehook.start();
    livehook.ready().await;
    let load = Load::on(livehook.receiver);
    point_at("two", &format!("{KEY}\n{OTHER_KEY}\n"), TOKEN);
    livehook.logs("secrets/keys has changed: reloading the configuration", 1).await;
    livehook.logs("the configuration was reloaded: receiver.keys: added", 1).await;
    load.signs_by_other.store(true, Ordering::SeqCst);
    load.more(20).await;
    // A mistake in the new file changes nothing, and the next content counts again.
    point_at("three", OTHER_KEY, "");
    livehook.logs("the configuration was not reloaded", 1).await;
    point_at("four", OTHER_KEY, "another-token-for-tests");
    livehook.logs("the configuration was reloaded: admin.token: changed", 1).await;
    livehook.logs("the configuration was reloaded: receiver.keys: removed", 1).await;
    assert_eq!(livehook.reload(), "", "the command has the new token");
    load.end().await;
    assert_eq!(livehook.answer_to(KEY, 1_000_000).await, 401);
    livehook.stop().await;
}

#[tokio::test]
async fn format_of_the_log_changes() {
    let mut livehook = running("").await;
    livehook.edit("[admin]\n", "[log]\nformat = \"json\"\n[admin]\n");
    assert_eq!(livehook.reload(), "log.format: text -> json\n");
    assert_eq!(livehook.answer_to(OTHER_KEY, 0).await, 401);
    livehook.logs("\"error\":\"signature_mismatch\"", 1).await;
    let is_json = |line: &&str| serde_json::from_str::<serde_json::Value>(line).is_ok();
    let log = livehook.log();
    let since = log.lines().skip_while(|line| !is_json(line)).collect::<Vec<_>>();
    assert!(since.len() >= 2 && since.iter().all(is_json), "{log}");
    livehook.edit("format = \"json\"", "format = \"text\"");
    assert_eq!(livehook.reload(), "log.format: json -> text\n");
    livehook.logs(" INFO the configuration was reloaded: log.format: json -> text", 1).await;
    livehook.stop().await;
}

/// What doesn't need the journal changes at once. Otherwise the reload ends in time and changes nothing, and the next one works.
#[tokio::test]
#[ignore = "waits for a journal that hangs: run by tests/run"]
async fn hung_journal_delays_no_reload() {
    let mut livehook = running("").await;
    // The writer waits for this lock just as it would wait for a sync that hangs.
    let other = rusqlite::Connection::open(livehook.path("data/journal.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (began, address) = (Instant::now(), livehook.receiver);
    let waiting = tokio::spawn(async move {
        let body = sign_by(KEY, &members(0), now_secs() + 600);
        Client::connect(address).await.unwrap().post(&body).await.unwrap().status
    });
    while livehook.readiness().await == 200 {
        assert!(began.elapsed() < PATIENCE, "the journal doesn't hang");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    livehook.edit("keys = [", "leeway_secs = 600\nkeys = [");
    let asked = Instant::now();
    assert_eq!(livehook.reload(), "receiver.leeway_secs: 0 -> 600\n");
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    livehook.edit("leeway_secs = 600\n", "leeway_secs = 900\n");
    livehook.edit("[admin]\n", "[journal]\nretention_days = 7\n[admin]\n");
    let output = livehook.command(&["reload"]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(asked.elapsed() < PATIENCE, "{:?}", asked.elapsed());
    livehook.logs("the configuration was not reloaded, and nothing has changed", 1).await;
    other.execute_batch("ROLLBACK").unwrap();
    drop(other);
    // It may have been refused, because the journal took too long.
    assert!([200, 503].contains(&waiting.await.unwrap()));
    livehook.ready().await;
    assert_eq!(livehook.reload(), "receiver.leeway_secs: 600 -> 900\njournal.retention_days: 30 -> 7\n");
    assert_eq!(livehook.answer_to(KEY, 1).await, 200);
    livehook.stop().await;
}
