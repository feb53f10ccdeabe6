//! A disk that is full before the start, with the real program: tmpfs, and ext2 with blocks smaller than a page of memory.

use std::path::Path;
use std::process::{Command, Output};

use super::client::{Client, members, now_secs, sign, signed};
use super::process::{Livehook, Mounted, PROGRAM};

async fn post(livehook: &Livehook, number: u64) -> u16 {
    Client::connect(livehook.receiver).await.unwrap().post(&signed(number, now_secs())).await.unwrap().status
}

async fn metrics(livehook: &Livehook) -> String {
    Client::connect(livehook.admin).await.unwrap().get("/metrics", "").await.unwrap().body
}

/// Fills the disk to the last block.
fn fill(data: &Path) {
    use std::io::Write;
    let mut ballast = std::fs::File::create(data.join("ballast")).unwrap();
    for bytes in [64 << 10, 1024, 1] {
        while ballast.write_all(&vec![7; bytes]).is_ok() {}
    }
    // The system may delay errors until then.
    let _ = ballast.sync_all();
}

fn command(livehook: &Livehook, line: &[&str]) -> Output {
    let mut command = Command::new(PROGRAM);
    command.args(line).current_dir(&livehook.directory).env("LIVEHOOK_DATA_DIR", "data");
    command.env_remove("LIVEHOOK_CONFIG").env_remove("LIVEHOOK_ADMIN_LISTEN").env_remove("LIVEHOOK_ADMIN_TOKEN");
    command.output().unwrap()
}

/// Commands read what is there, also with a WAL. The service answers 503 until there is space, and then goes on by itself.
async fn start_with_full_disk(mut livehook: Livehook, is_killed: bool) {
    let data = livehook.path("data");
    livehook.start();
    livehook.ready().await;
    for number in 0..3 {
        assert_eq!(post(&livehook, number).await, 200);
    }
    if is_killed {
        livehook.kill()
    } else {
        livehook.stop().await
    }
    fill(&data);

    for line in
        [["events", "--output", "json"], ["dead-letters", "list", "--output=json"], ["sessions", "--output", "json"]]
    {
        let output = command(&livehook, &line);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line:?}: {}, {stderr}", output.status);
        let lines = output.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
        assert!(line[0] != "events" || lines == 3, "{lines} events: {stderr}");
    }

    livehook.start();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !livehook.log().contains("callbacks get a 503") {
        assert!(std::time::Instant::now() < deadline, "{}", livehook.log());
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(livehook.log().contains("data/journal.db: the disk is full"), "{}", livehook.log());
    assert_eq!((post(&livehook, 3).await, livehook.readiness().await), (503, 503));
    let shown = metrics(&livehook).await;
    for line in ["livehook_ready 0", "livehook_unready{reason=\"disk_full\"} 1", "livehook_volume_free_bytes "] {
        assert!(shown.contains(line), "{line} is not in\n{shown}");
    }
    for name in ["livehook_build_info{", "livehook_journal_file_bytes", "process_resident_memory_bytes"] {
        let value = shown.lines().find(|line| line.starts_with(name)).and_then(|line| line.rsplit(' ').next());
        assert!(value.is_some_and(|value| value != "0"), "{name} is 0 or not in\n{shown}");
    }
    std::fs::remove_file(data.join("ballast")).unwrap();
    livehook.ready().await;
    for number in 0..4 {
        assert_eq!(post(&livehook, number).await, 200, "{}", livehook.log());
    }
    let shown = metrics(&livehook).await;
    assert!(
        shown.contains("livehook_ready 1") && shown.contains("livehook_unready{reason=\"disk_full\"} 0"),
        "{shown}"
    );
    livehook.stop().await;
    assert_eq!(livehook.journal().len(), 4);
}

/// A reader keeps the WAL from being emptied, so it outgrows the first part of its index (4062 pages). The disk is full when the
/// second part is needed.
async fn fill_up_while_wal_grows(mut livehook: Livehook) {
    const PAGES_MAX: u64 = 4062;
    let data = livehook.path("data");
    livehook.start();
    livehook.ready().await;
    assert_eq!(post(&livehook, 0).await, 200);
    let reader = rusqlite::Connection::open(data.join("journal.db")).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM records").unwrap();
    let pages_left = || PAGES_MAX.saturating_sub(data.join("journal.db-wal").metadata().unwrap().len() / 4120);
    let mut number = 1;
    while pages_left() > 8 {
        // A large event takes some 60 pages.
        let filler = if pages_left() > 100 { "x".repeat(240_000) } else { String::new() };
        let members = format!("{},\"filler\":\"{filler}\"", members(number));
        let answer =
            Client::connect(livehook.receiver).await.unwrap().post(&sign(&members, now_secs() + 60)).await.unwrap();
        assert_eq!(answer.status, 200, "{}", livehook.log());
        number += 1;
    }
    fill(&data);
    // So much that the WAL takes the pages, but the disk does not take all of its index.
    let ballast = std::fs::OpenOptions::new().write(true).open(data.join("ballast")).unwrap();
    ballast.set_len(ballast.metadata().unwrap().len() - ((pages_left() + 6) << 12)).unwrap();
    ballast.sync_all().unwrap();
    drop(ballast);
    while post(&livehook, number).await == 200 {
        number += 1;
    }
    assert_eq!(livehook.readiness().await, 503, "{}", livehook.log());
    let shown = metrics(&livehook).await;
    assert!(shown.contains("livehook_unready{reason=\"disk_full\"} 1"), "{shown}\n{}", livehook.log());
    std::fs::remove_file(data.join("ballast")).unwrap();
    livehook.ready().await;
    assert_eq!(post(&livehook, number).await, 200);
    drop(reader);
    livehook.stop().await;
    assert_eq!(livehook.journal().len() as u64, number + 1);
}

#[tokio::test]
#[ignore = "mounts a small file system, which takes root: run by tests/run"]
async fn disk_of_small_blocks_fills_up() {
    let livehook = Livehook::configured("", "[index]\nenabled = false");
    let (data, image) = (livehook.path("data"), livehook.path("image"));
    std::fs::create_dir(&data).unwrap();
    let _mounted = Mounted::ext2(&data, &image, 48 << 20);
    fill_up_while_wal_grows(livehook).await;
}

#[tokio::test]
#[ignore = "mounts a small file system, which takes root: run by tests/run"]
async fn full_tmpfs_at_start() {
    for is_killed in [false, true] {
        let livehook = Livehook::configured("", "");
        let data = livehook.path("data");
        std::fs::create_dir(&data).unwrap();
        let _mounted = Mounted::tmpfs(&data, "size=6m");
        start_with_full_disk(livehook, is_killed).await;
    }
}

#[tokio::test]
#[ignore = "mounts a small file system, which takes root: run by tests/run"]
async fn full_disk_of_small_blocks_at_start() {
    for is_killed in [false, true] {
        let livehook = Livehook::configured("", "");
        let (data, image) = (livehook.path("data"), livehook.path("image"));
        std::fs::create_dir(&data).unwrap();
        let _mounted = Mounted::ext2(&data, &image, 6 << 20);
        start_with_full_disk(livehook, is_killed).await;
    }
}
