//! A disk that is full before the start, with the real program: tmpfs, and ext2 with blocks smaller than a page of memory.

use std::path::Path;
use std::process::{Command, Output};

use super::client::{Client, now_secs, signed};
use super::process::{Livehook, Mounted, PROGRAM};

async fn post(livehook: &Livehook, number: u64) -> u16 {
    Client::connect(livehook.receiver).await.unwrap().post(&signed(number, now_secs())).await.unwrap().status
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
    std::fs::remove_file(data.join("ballast")).unwrap();
    livehook.ready().await;
    for number in 0..4 {
        assert_eq!(post(&livehook, number).await, 200, "{}", livehook.log());
    }
    livehook.stop().await;
    assert_eq!(livehook.journal().len(), 4);
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
