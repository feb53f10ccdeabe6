//! `livehook doctor` with the real program: a healthy service, each kind of fault, the public URL, and the repair of a damaged
//! journal.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;

use super::client::{KEY, now_secs, post_all, signed};
use super::process::{FILE_SINK, Livehook, PROGRAM};
use super::read_model::wait_for_index;

const EVENTS: u64 = 300;

fn command(directory: &Path, line: &[&str]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.arg("doctor").args(line).current_dir(directory);
    command.env_remove("LIVEHOOK_CONFIG").env_remove("LIVEHOOK_DATA_DIR").output().unwrap()
}

/// The findings of an examination, and its exit code.
fn examined(livehook: &Livehook, line: &[&str]) -> (Vec<Value>, i32) {
    let output = command(&livehook.directory, &[&["--config", "config.toml", "--output", "json"], line].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    (text.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), output.status.code().unwrap())
}

/// The findings of one severity as `area: found`. This machine's clock and disk are not under test.
fn found(findings: &[Value], severity: &str) -> Vec<String> {
    let is_wanted =
        |finding: &&Value| finding["severity"] == severity && finding["area"] != "clock" && finding["area"] != "disk";
    let text =
        |finding: &Value| format!("{}: {}", finding["area"].as_str().unwrap(), finding["found"].as_str().unwrap());
    findings.iter().filter(is_wanted).map(text).collect()
}

/// The only error of an examination, as `area: found`. It must have a reason and a cure.
fn only_error(livehook: &Livehook, line: &[&str]) -> String {
    let (findings, code) = examined(livehook, line);
    let errors = found(&findings, "error");
    assert_eq!((errors.len(), code), (1, 1), "{findings:#?}");
    let error = findings.iter().find(|finding| finding["severity"] == "error").unwrap();
    assert!(error["why"].is_string() && error["cure"].is_string(), "{error}");
    errors.into_iter().next().unwrap()
}

async fn with_events() -> Livehook {
    let livehook = Livehook::running("journal = { size_bytes_max = 67108864 }", FILE_SINK).await;
    post_all(livehook.receiver, 0..EVENTS, |number| signed(number, now_secs())).await;
    while livehook.lines("events.jsonl").len() < EVENTS as usize {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // A stop doesn't wait for it.
    wait_for_index(&livehook).await;
    livehook
}

/// It finds nothing while the service runs, and changes no file when it doesn't.
#[tokio::test]
async fn healthy_service_has_no_fault() {
    let mut livehook = with_events().await;
    let (findings, _) = examined(&livehook, &[]);
    assert_eq!((found(&findings, "error"), found(&findings, "warning")), (vec![], vec![]), "{findings:#?}");
    livehook.stop().await;
    let before = ["journal.db", "index.db"].map(|name| std::fs::read(livehook.path("data").join(name)).unwrap());
    let (findings, _) = examined(&livehook, &[]);
    assert_eq!((found(&findings, "error"), found(&findings, "warning")), (vec![], vec![]), "{findings:#?}");
    let good = found(&findings, "ok").join("\n");
    for text in
        ["journal: 300 records, all intact", "index: intact", "file sink: file: 300 events", "dead letters: none"]
    {
        assert!(good.contains(text), "{text}: {good}");
    }
    let after = ["journal.db", "index.db"].map(|name| std::fs::read(livehook.path("data").join(name)).unwrap());
    assert!(before == after, "an examination changes nothing");
    let output = command(&livehook.directory, &["--config", "config.toml", "--quick"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("ok       configuration: no mistake; 1 callback key, 1 sink\n"), "{text}");
    assert!(text.contains("note     journal: its pages and records were not read\n  why    --quick"), "{text}");
}

#[tokio::test]
async fn each_fault_is_found() {
    let mut livehook = with_events().await;
    livehook.stop().await;
    let archive = livehook.path("events.jsonl");
    let whole = std::fs::read_to_string(&archive).unwrap();
    let mut lines: Vec<&str> = whole.lines().collect();
    let removed = lines.remove(150);
    std::fs::write(&archive, lines.join("\n") + "\n").unwrap();
    let id = serde_json::from_str::<Value>(removed).unwrap()["id"].as_str().unwrap().to_owned();
    assert_eq!(only_error(&livehook, &[]), format!("file sink: file: 1 event missing: {id}"));

    std::fs::write(&archive, format!("{whole}{removed}\ntheirs\n")).unwrap();
    let (findings, code) = examined(&livehook, &[]);
    let expected =
        ["file sink: file: 1 line that livehook did not write", "file sink: file: 1 event there more than once"];
    assert_eq!((found(&findings, "warning"), code), (expected.map(str::to_owned).to_vec(), 3));
    std::fs::write(&archive, &whole).unwrap();

    let sql = |name: &str, sql: &str| {
        let connection = rusqlite::Connection::open(livehook.path("data").join(name)).unwrap();
        connection.execute_batch(sql).unwrap();
    };
    for table in ["recent_sequences", "session_stretches"] {
        sql("index.db", &format!("DELETE FROM {table}"));
        assert_eq!(only_error(&livehook, &[]), "index: searches do not find 300 sessions", "{table}");
        let mut rebuild = Command::new(PROGRAM);
        rebuild.args(["rebuild-index", "--config", "config.toml"]).current_dir(&livehook.directory);
        assert!(rebuild.output().unwrap().status.success(), "{table}");
        let index = rusqlite::Connection::open(livehook.path("data/index.db")).unwrap();
        let sessions: i64 = index.query_row("SELECT count(*) FROM sessions", [], |row| row.get(0)).unwrap();
        assert_eq!(sessions, 300);
    }
    sql("index.db", "DELETE FROM events WHERE offset = 7");
    assert_eq!(only_error(&livehook, &[]), "index: it lacks 1 record: 7");
    std::fs::remove_file(livehook.path("data/index.db")).unwrap();

    sql("journal.db", "UPDATE records SET line = 'x' WHERE offset = 9");
    assert_eq!(only_error(&livehook, &[]), "journal: record 9: its columns are not those of an event");
    let (findings, _) = examined(&livehook, &["--quick"]);
    assert_eq!(found(&findings, "error"), [""; 0]);
    sql("journal.db", "UPDATE consumers SET cursor = 1000 WHERE name = 'file'; DELETE FROM records WHERE offset = 9");
    let error = only_error(&livehook, &["--quick"]);
    assert_eq!(error, "journal: the cursor of file is 1000, after the last record, 300");

    std::fs::write(livehook.path("config.toml"), "data_dir = \"data\"\nname = 7\n[receiver]\nkeys = [\"k\"]\n")
        .unwrap();
    let (findings, code) = examined(&livehook, &["--quick"]);
    let mistake = findings.iter().find(|finding| finding["area"] == "configuration").unwrap();
    assert_eq!((mistake["severity"].as_str().unwrap(), code), ("error", 1), "{findings:#?}");
    assert!(mistake["found"].as_str().unwrap().starts_with("line 2: name"), "{mistake}");
    std::fs::remove_dir_all(livehook.path("data")).unwrap();
    let (findings, _) = examined(&livehook, &["--quick"]);
    assert!(found(&findings, "error").iter().any(|error| error.starts_with("files: ")), "{findings:#?}");
}

/// A server that answers each request with these bytes.
fn answering(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    address
}

#[tokio::test]
async fn public_url_says_who_answers() {
    let livehook = with_events().await;
    let url = |path: &str| format!("http://{}{path}", livehook.receiver);
    let (findings, _) = examined(&livehook, &["--quick", "--url", &url("/callback")]);
    assert_eq!(found(&findings, "error"), [""; 0], "{findings:#?}");
    let good = found(&findings, "ok");
    assert!(good.iter().any(|text| text.contains("reaches livehook, and the key ")), "{good:?}");
    // There is no proxy, so the address is right; but no machine on the Internet has it.
    let warnings = found(&findings, "warning");
    assert!(warnings[0].contains("livehook saw the probe come from 127.0.0.1"), "{warnings:?}");
    assert_eq!(livehook.journal().len(), EVENTS as usize, "the probe is not stored");

    let error = only_error(&livehook, &["--quick", "--url", &url("/other")]);
    assert!(error.ends_with("which has no such path"), "{error}");
    let proxy = answering(
        "HTTP/1.1 502 Bad Gateway\r\nServer: frontdoor\r\nContent-Length: 4\r\nConnection: close\r\n\r\nlost",
    );
    let error = only_error(&livehook, &["--quick", "--url", &format!("http://{proxy}/callback")]);
    assert!(error.ends_with("answers 502, and not from livehook: frontdoor: lost"), "{error}");
    let open = answering("HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\n{\"code\":0}");
    let error = only_error(&livehook, &["--quick", "--url", &format!("http://{open}/callback")]);
    assert!(error.contains("answers 200 to an expired signature"), "{error}");
    let error = only_error(&livehook, &["--quick", "--url", "http://127.0.0.1:9/callback"]);
    assert!(error.contains("no connection"), "{error}");

    let text = std::fs::read_to_string(livehook.path("config.toml")).unwrap();
    std::fs::write(livehook.path("config.toml"), text.replace(KEY, "another-key-of-another-one")).unwrap();
    let error = only_error(&livehook, &["--quick", "--url", &url("/callback")]);
    assert!(error.contains("refuses the key"), "{error}");
}

/// A page of the journal is overwritten. The service goes on with all other events, and accepts none of them again.
#[tokio::test]
async fn damaged_journal_is_repaired() {
    let mut livehook = with_events().await;
    livehook.stop().await;
    let path = livehook.path("data/journal.db");
    let mut bytes = std::fs::read(&path).unwrap();
    let lines = livehook.journal();
    let place = bytes.windows(lines[120].len()).position(|part| part == lines[120].as_bytes()).unwrap();
    let page = place / 4096 * 4096;
    bytes[page..page + 4096].fill(0);
    std::fs::write(&path, &bytes).unwrap();

    let repair = ["--config", "config.toml", "--repair", "repaired"];
    let output = command(&livehook.directory, &[&repair[..], &["--output", "json"]].concat());
    let (stdout, stderr) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    let lost: BTreeSet<i64> = stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["number"].as_str().unwrap().parse().unwrap())
        .collect();
    assert!(lost.contains(&121) && lost.len() < 20, "{lost:?}");
    assert!(stderr.contains(&format!("saved {} records", EVENTS - lost.len() as u64)), "{stderr}");
    assert!(std::fs::read(&path).unwrap() == bytes, "the damaged journal stays as it is");
    let again = command(&livehook.directory, &repair);
    assert!(String::from_utf8(again.stderr).unwrap().contains("not empty"));

    std::fs::rename(livehook.path("data"), livehook.path("damaged")).unwrap();
    std::fs::rename(livehook.path("repaired"), livehook.path("data")).unwrap();
    livehook.start();
    livehook.ready().await;
    // All callbacks again: only the lost events are new.
    post_all(livehook.receiver, 0..EVENTS, |number| signed(number, now_secs())).await;
    livehook.stop().await;
    assert_eq!(livehook.journal().len(), EVENTS as usize);
    let (findings, _) = examined(&livehook, &[]);
    assert!(found(&findings, "ok").iter().any(|text| text.contains("journal: 300 records")), "{findings:#?}");
    assert!(found(&findings, "error").is_empty(), "{findings:#?}");
}
