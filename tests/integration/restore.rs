//! A restored backup: clients with positions from before the restore notice it, and skip nothing.

use std::process::Command;

use super::client::{Client, now_secs, sign};
use super::process::{Livehook, PROGRAM};
use super::subscriber::Subscriber;

/// Posts one push for each sequence.
async fn post(livehook: &Livehook, numbers: std::ops::Range<u64>) {
    let mut client = Client::connect(livehook.receiver).await.unwrap();
    for number in numbers {
        let now_secs = now_secs();
        let members = format!(
            r#""event_type":1,"app":"d.com","appname":"live","stream_id":"s{number}","sequence":"{number}","event_time":{now_secs}"#
        );
        assert_eq!(client.post(&sign(&members, now_secs + 600)).await.unwrap().status, 200);
    }
}

/// The status and the body of an API answer.
async fn get(livehook: &Livehook, path: &str) -> (u16, serde_json::Value) {
    let answer = Client::connect(livehook.admin).await.unwrap().get(&format!("/api/v1/{path}"), "").await.unwrap();
    (answer.status, serde_json::from_str(&answer.body).unwrap())
}

#[tokio::test]
async fn restore_invalidates_old_positions() {
    let mut livehook = Livehook::running("", "").await;
    post(&livehook, 0..3).await;
    let path = livehook.directory.clone();
    let backup = || {
        let mut command = Command::new(PROGRAM);
        command.args(["backup", "--data-dir", "data", "copy"]).current_dir(&path);
        assert!(command.status().unwrap().success());
    };
    backup();
    let mut before = Subscriber::connect(livehook.admin, "?since=1h&kind=event", "").await;
    post(&livehook, 3..8).await;
    for _ in 0..8 {
        before.next().await;
    }
    let last_id = before.last_id.clone().unwrap();
    drop(before);
    let (_, page) = get(&livehook, "events?limit=2").await;
    let next = format!("events?limit=2&page={}", page["next"].as_str().unwrap());
    assert_eq!(get(&livehook, &next).await.0, 200);
    livehook.stop().await;

    let [data, copy, away] = ["data", "copy", "away"].map(|name| livehook.path(name));
    std::fs::rename(&data, &away).unwrap();
    std::fs::rename(&copy, &data).unwrap();
    livehook.start();
    livehook.ready().await;
    post(&livehook, 100..108).await;
    let mut back = Subscriber::resume(livehook.admin, "?kind=event", &last_id).await.unwrap();
    let gap = back.next().await;
    assert_eq!((gap.kind.as_str(), gap.data["reason"].as_str()), ("gap", Some("other_journal")), "{gap:?}");
    let (status, problem) = get(&livehook, &next).await;
    assert_eq!((status, problem["parameter"].as_str()), (400, Some("page")), "{problem}");
    let mut anew = Subscriber::connect(livehook.admin, "?since=1h&kind=event", "").await;
    for _ in 0..11 {
        assert_eq!(anew.next().await.kind, "event");
    }
    assert_eq!(get(&livehook, "sessions").await.1["items"].as_array().unwrap().len(), 11);
    assert!(!livehook.log().contains("another journal"), "the index is of this journal still: {}", livehook.log());

    // Positions of one restored copy are not valid in the next one either.
    let last_id = anew.last_id.clone().unwrap();
    backup();
    livehook.stop().await;
    std::fs::remove_dir_all(&data).unwrap();
    std::fs::rename(&copy, &data).unwrap();
    livehook.start();
    livehook.ready().await;
    let mut back = Subscriber::resume(livehook.admin, "", &last_id).await.unwrap();
    assert_eq!(back.next().await.kind, "gap");
    livehook.stop().await;
}

fn command(livehook: &Livehook, line: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(PROGRAM);
    let output = command.args(line).args(["--data-dir", "data"]).current_dir(&livehook.directory).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// The sequences of all stored pushes.
fn sequences(livehook: &Livehook) -> Vec<u64> {
    let sequence = |line: &String| {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        event["data"]["sequence"].as_str().unwrap().parse().unwrap()
    };
    livehook.journal().iter().map(sequence).collect()
}

#[tokio::test]
async fn restore_replaces_only_what_it_may() {
    let mut livehook = Livehook::running("", "").await;
    post(&livehook, 0..3).await;
    assert_eq!(command(&livehook, &["backup", "copy"]).0, Some(0));
    assert_eq!(command(&livehook, &["backup", "--to", "copy.tar"]).0, Some(0));
    post(&livehook, 3..8).await;
    let (code, said) = command(&livehook, &["restore", "copy"]);
    assert!(code == Some(1) && said.contains("another livehook uses"), "{said}");
    // The last commits are in the WAL.
    livehook.kill();

    let (code, said) = command(&livehook, &["restore", "copy"]);
    assert!(code == Some(1) && said.contains("5 newer records than the backup, 4 to 8; use --force"), "{said}");
    assert_eq!(sequences(&livehook), (0..8).collect::<Vec<_>>());
    let (code, said) = command(&livehook, &["restore", "--force", "copy"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(sequences(&livehook), [0, 1, 2]);

    // The old journal is there as a whole, with what was in its WAL.
    let entries = std::fs::read_dir(livehook.path("data")).unwrap().map(|entry| entry.unwrap().path());
    let aside = entries.into_iter().find(|path| path.to_str().unwrap().contains("before-restore-")).unwrap();
    let reader = livehook::journal::Reader::open(&aside).unwrap();
    assert_eq!(reader.head().unwrap().unwrap().0, 8);
    drop(reader);

    livehook.start();
    livehook.ready().await;
    post(&livehook, 100..102).await;
    assert_eq!(get(&livehook, "sessions").await.1["items"].as_array().unwrap().len(), 5);
    livehook.stop().await;
    // A tar file, to a directory that doesn't exist.
    std::fs::rename(livehook.path("data"), livehook.path("gone")).unwrap();
    let (code, said) = command(&livehook, &["restore", "copy.tar"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(sequences(&livehook), [0, 1, 2]);
    livehook.start();
    livehook.ready().await;
    livehook.stop().await;
}

#[tokio::test]
async fn damaged_backups_are_refused() {
    let mut livehook = Livehook::running("", "").await;
    post(&livehook, 0..3).await;
    for line in [&["backup", "copy"][..], &["backup", "--to", "copy.tar"]] {
        assert_eq!(command(&livehook, line).0, Some(0));
    }
    livehook.stop().await;
    let refused = |line: &[&str], why: &str| {
        let (code, said) = command(&livehook, &[&["restore", "--force"], line].concat());
        assert!(code == Some(1) && said.contains(why), "{line:?}: {said}");
        assert_eq!(sequences(&livehook), [0, 1, 2]);
        assert!(!livehook.path("data/restore.part").exists());
    };
    for name in ["copy/journal.db", "copy.tar"] {
        let mut bytes = std::fs::read(livehook.path(name)).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(livehook.path(name), bytes).unwrap();
    }
    refused(&["copy"], "differs from its checksum");
    refused(&["copy.tar"], "differs from its checksum");
    std::fs::remove_file(livehook.path("copy/SHA256SUMS")).unwrap();
    refused(&["copy"], "SHA256SUMS");
    refused(&["absent"], "absent");
    std::fs::write(livehook.path("other.tar"), "this is no tar file, but long enough for a head".repeat(50)).unwrap();
    refused(&["other.tar"], "not a tar file of `livehook backup`");
    // A file that leads out of the backup.
    let mut tar = Command::new("tar");
    std::fs::write(livehook.path("evil"), "x").unwrap();
    assert!(tar.args(["-cPf", "evil.tar", "../evil"]).current_dir(livehook.path("data")).status().unwrap().success());
    std::fs::rename(livehook.path("data/evil.tar"), livehook.path("evil.tar")).unwrap();
    refused(&["evil.tar"], "no file of a backup");
}
