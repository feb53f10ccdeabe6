//! The commands that read sessions, streams and events, with the real program, with and without a running service.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::client::KEY;
use super::process::{Livehook, PROGRAM};

/// The admin token of these tests.
const TOKEN: &str = "a-token-for-the-tests-only";

/// Runs a command on the data directory of a service.
fn command(directory: &Path, line: &[&str]) -> Output {
    with_token(directory, line, None)
}

/// Runs a command with a token in the environment.
fn with_token(directory: &Path, line: &[&str], token: Option<&str>) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(line).current_dir(directory).env("LIVEHOOK_DATA_DIR", "data");
    command.env_remove("LIVEHOOK_CONFIG").env_remove("LIVEHOOK_ADMIN_LISTEN").env_remove("LIVEHOOK_ADMIN_TOKEN");
    if let Some(token) = token {
        command.env("LIVEHOOK_ADMIN_TOKEN", token);
    }
    command.output().unwrap()
}

/// Runs a command that must succeed. Returns its stdout and stderr.
fn answer(directory: &Path, line: &[&str]) -> (String, String) {
    let output = command(directory, line);
    let (stdout, stderr) = texts(&output);
    assert!(output.status.success(), "{line:?}: {stderr}");
    (stdout, stderr)
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

/// Returns the stderr of a command that must have failed.
fn refusal(output: &Output) -> String {
    let (_, stderr) = texts(output);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    stderr
}

/// The JSON objects that a command prints.
fn objects(directory: &Path, line: &[&str]) -> Vec<Value> {
    let (stdout, _) = answer(directory, &[line, &["--output", "json"]].concat());
    stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A member of each JSON object that a command prints.
fn members(directory: &Path, line: &[&str], member: &str) -> Vec<String> {
    objects(directory, line).iter().map(|object| object[member].as_str().unwrap().to_owned()).collect()
}

impl Livehook {
    /// Sends generated callbacks to the service.
    fn send(&self, line: &[&str]) {
        let url = format!("http://{}/callback", self.receiver);
        answer(&self.directory, &[&["send", "--key", KEY, "--url", &url], line].concat());
    }

    async fn restart(&mut self, head: &str, more: &str) {
        self.configure_again(head, more);
        self.start();
        self.ready().await;
    }
}

#[tokio::test]
async fn sent_event_in_the_next_answer() {
    let mut livehook = Livehook::running("", "").await;
    let path = &livehook.directory.clone();
    for number in 0..20 {
        let stream = format!("room-{number}");
        livehook.send(&["--stream", &stream]);
        assert_eq!(members(path, &["streams", "--limit", "1", "--stream", &stream], "stream"), [stream]);
    }
    livehook.send(&["--event", "pair", "--stream", "ended", "--errcode", "12"]);
    assert_eq!(objects(path, &["streams"]).len(), 20);
    let sessions = objects(path, &["sessions", "--state", "ended"]);
    assert_eq!((sessions.len(), &sessions[0]["reason"]["category"]), (1, &"network".into()));

    let id = sessions[0]["id"].as_str().unwrap();
    let session = &objects(path, &["session", id])[0];
    assert_eq!((session["events"].as_array().unwrap().len(), &session["events_gone"]), (2, &0.into()));
    let (text, _) = answer(path, &["session", session["sequence"].as_str().unwrap()]);
    let (explained, _) = answer(path, &["explain", "12"]);
    let meaning = explained.lines().find_map(|line| line.strip_prefix("meaning")).unwrap().trim();
    assert!(text.contains(meaning), "{text} does not have {meaning}");

    let event = session["events"][0]["id"].as_str().unwrap();
    assert_eq!(objects(path, &["events", "--id", event])[0], session["events"][0]);
    assert_eq!(objects(path, &["events", "--stream", "ended"]), *session["events"].as_array().unwrap());
    assert_eq!(objects(path, &["sessions", "--broadcasts", "--stream", "ended"]).len(), 1);
    let (table, _) = answer(path, &["streams"]);
    assert!(table.lines().all(|line| line.len() <= 140) && !table.contains('\u{1b}'), "{table}");
    assert!(refusal(&command(path, &["session", "1"])).contains("no session `1`"));
    assert!(
        refusal(&command(path, &["events", "--id", "0167c013-eab0-8a3c-9f0e-5b1d0c6a7e42"]))
            .contains("no event 0167c013")
    );
    livehook.stop().await;

    // The answers are the same without the service, and the commands do not wait for one.
    assert_eq!(objects(path, &["streams"]).len(), 20);
    assert_eq!(&objects(path, &["session", id])[0], session);
}

#[tokio::test]
async fn damaged_index_rebuilt() {
    let mut livehook = Livehook::running("", "").await;
    let path = &livehook.directory.clone();
    livehook.send(&["--stream", "before"]);
    livehook.stop().await;
    let index = path.join("data/index.db");
    std::fs::write(&index, "this was an index once\n".repeat(1000)).unwrap();

    livehook.start();
    livehook.ready().await;
    livehook.send(&["--stream", "meanwhile"]);
    let deadline = Instant::now() + Duration::from_secs(20);
    while !livehook.log().contains("the index was rebuilt") {
        assert!(Instant::now() < deadline, "{}", livehook.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(members(path, &["sessions", "--sort", "started", "--reverse"], "stream"), ["before", "meanwhile"]);
    livehook.stop().await;
}

#[tokio::test]
async fn index_behind_without_a_service() {
    let mut livehook = Livehook::configured("", "[index]\nstale_after_secs = 1000000");
    let path = &livehook.directory.clone();
    assert!(refusal(&command(path, &["streams"])).contains("there is no index here"));
    livehook.start();
    livehook.ready().await;
    livehook.send(&["--stream", "first"]);
    livehook.stop().await;

    livehook.restart("", "[index]\nenabled = false").await;
    livehook.send(&["--stream", "second"]);
    livehook.stop().await;
    let began = Instant::now();
    let (answered, stderr) = answer(path, &["streams"]);
    assert!(began.elapsed() < Duration::from_millis(1500), "no service to wait for");
    assert!(answered.contains("first") && !answered.contains("second"), "{answered}");
    assert!(stderr.contains("No service runs") && stderr.contains("rebuild-index"), "{stderr}");

    let (written, stderr) = answer(path, &["rebuild-index"]);
    assert_eq!((written.as_str(), stderr.as_str()), ("", "rebuilt the index in data\n"));
    let (answered, stderr) = answer(path, &["streams"]);
    assert!(answered.contains("first") && answered.contains("second"), "{answered}");
    assert_eq!(stderr, "");
    let settings = livehook::index::Reader::open(&path.join("data")).unwrap().settings();
    assert_eq!(settings.stale_after_ms, Some(1_000_000_000), "as the service had it");
}

#[tokio::test]
async fn data_found_by_configuration() {
    let mut livehook =
        Livehook::running("", &format!("token = \"{TOKEN}\"\n[index]\nstale_after_secs = 1000000")).await;
    let path = &livehook.directory.clone();
    livehook.send(&["--stream", "first"]);
    // The service was started with the same data directory by the file, and no variable names it.
    let configured = |line: &[&str]| {
        let mut command = Command::new(PROGRAM);
        command.args(line).args(["--config", "config.toml"]).current_dir(path).env_remove("LIVEHOOK_DATA_DIR");
        command.env_remove("LIVEHOOK_ADMIN_LISTEN").env_remove("LIVEHOOK_ADMIN_TOKEN").output().unwrap()
    };
    let stderr = |output: &Output| {
        assert!(output.status.success(), "{}", texts(output).1);
        texts(output).1
    };
    let rebuild: &[&str] = &["rebuild-index"];
    assert_eq!(stderr(&configured(rebuild)), "the service rebuilt the index\n");
    assert!(stderr(&configured(&["dead-letters", "redrive", "--all"])).contains("no dead letter matches"));
    livehook.stop().await;

    let data_dir = path.join("data");
    let settings = || livehook::index::Reader::open(&data_dir).unwrap().settings().stale_after_ms;
    std::fs::remove_file(data_dir.join("index.db")).unwrap();
    let made = stderr(&configured(rebuild));
    assert!(made.starts_with("rebuilt the index in ") && !made.contains("default"), "{made}");
    assert_eq!(settings(), Some(1_000_000_000));
    std::fs::remove_file(data_dir.join("index.db")).unwrap();
    assert!(stderr(&command(path, rebuild)).contains("the default `index.stale_after_secs`"));
    assert_eq!(settings(), Some(7 * 86_400_000));
    assert!(!path.join("livehook-data").exists());

    for line in [rebuild, &["dead-letters", "drop", "--all"]] {
        let output = command(path, &[line, &["--config", "absent.toml"]].concat());
        assert!(refusal(&output).contains("absent.toml"), "{line:?}");
        // If --data-dir and the file differ, the flag wins.
        let output = configured(&[line, &["--data-dir", "elsewhere"]].concat());
        assert!(refusal(&output).contains("elsewhere"), "{line:?}");
    }
}

#[tokio::test]
async fn rebuild_by_the_service() {
    let mut livehook = Livehook::running("", &format!("token = \"{TOKEN}\"")).await;
    let path = &livehook.directory.clone();
    livehook.send(&["--count", "500"]);
    livehook.send(&["--event", "pair", "--stream", "ended"]);
    let before = objects(path, &["sessions", "--limit", "1000"]);
    let url = format!("http://{}", livehook.admin);

    let (written, stderr) = answer(path, &["rebuild-index", "--config", "config.toml"]);
    assert_eq!((written.as_str(), stderr.as_str()), ("", "the service rebuilt the index\n"));
    assert_eq!(livehook.log().matches("the index was rebuilt").count(), 1, "{}", livehook.log());
    assert_eq!(objects(path, &["sessions", "--limit", "1000"]), before);
    // The old name of the command.
    let by_variable = with_token(path, &["sessions", "--rebuild", "--url", &url], Some(TOKEN));
    assert!(by_variable.status.success(), "{}", texts(&by_variable).1);

    // From elsewhere there is no data directory.
    let elsewhere = tempfile::tempdir().unwrap();
    let from_elsewhere = with_token(elsewhere.path(), &["rebuild-index", "--url", &url], Some(TOKEN));
    assert!(from_elsewhere.status.success(), "{}", texts(&from_elsewhere).1);

    let stderr = refusal(&command(path, &["rebuild-index", "--url", &url]));
    assert!(stderr.contains("LIVEHOOK_ADMIN_TOKEN") && stderr.contains("admin.token"), "{stderr}");
    let stderr = refusal(&with_token(path, &["rebuild-index", "--url", &url], Some("another-token-altogether")));
    assert!(stderr.contains("answered 401") && !stderr.contains("another-token"), "{stderr}");
    let stderr = refusal(&with_token(path, &["rebuild-index", "--url", "http://127.0.0.1:1"], Some(TOKEN)));
    assert!(stderr.contains("no connection") && stderr.contains("--url"), "{stderr}");
    livehook.stop().await;

    livehook.restart("", &format!("token = \"{TOKEN}\"\n[index]\nenabled = false")).await;
    let stderr = refusal(&command(path, &["rebuild-index", "--config", "config.toml"]));
    assert!(stderr.contains("answered 503 the index is switched off") && stderr.contains("index.enabled"), "{stderr}");
    let stderr = refusal(&with_token(path, &["rebuild-index", "--url", &format!("{url}/x")], Some(TOKEN)));
    assert!(stderr.contains("answered 404 there is nothing at") && stderr.contains("--url"), "{stderr}");
    livehook.stop().await;
    livehook.restart("", "").await;
    let stderr = refusal(&with_token(path, &["rebuild-index", "--url", &url], Some(TOKEN)));
    assert!(stderr.contains("answered 401") && stderr.contains("admin.token"), "{stderr}");
}

#[tokio::test]
async fn backup_restores_old_sessions() {
    let mut livehook = Livehook::running("", "").await;
    let path = &livehook.directory.clone();
    livehook.send(&["--event", "pair", "--stream", "old"]);
    let old = members(path, &["sessions"], "id");
    livehook.send(&["--stream", "new"]);
    livehook.stop().await;
    // Later, pruning does the same.
    let journal = rusqlite::Connection::open(path.join("data/journal.db")).unwrap();
    assert_eq!(journal.execute("DELETE FROM records WHERE offset <= 2", []).unwrap(), 2);
    drop(journal);

    livehook.restart("", "").await;
    let (written, _) = answer(path, &["backup", "copy"]);
    let bytes = |name: &str| path.join("copy").join(name).metadata().unwrap().len();
    assert_eq!(written, format!("copy\t{}\n", bytes("journal.db") + bytes("index.db")));
    livehook.send(&["--stream", "later"]);
    livehook.stop().await;

    std::fs::rename(path.join("data"), path.join("lost")).unwrap();
    std::fs::rename(path.join("copy"), path.join("data")).unwrap();
    let (_, stderr) = answer(path, &["sessions"]);
    assert_eq!(stderr, "", "the copy of the index is of the copy of the journal");
    livehook.restart("", "").await;
    livehook.send(&["--stream", "latest"]);
    let streams = members(path, &["sessions", "--sort", "started", "--reverse"], "stream");
    assert_eq!(streams, ["old", "new", "latest"]);
    let (session, _) = answer(path, &["session", &old[0]]);
    assert!(session.contains("live/old") && session.ends_with("Gone from the journal: 1 push, 1 stop\n"), "{session}");
    livehook.stop().await;
    assert!(!livehook.log().contains("WARN"), "{}", livehook.log());
}
