//! Commands that read a data directory without write access: as another user, and on a read-only file system.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use super::client::{Client, members, now_secs, sign};
use super::process::{Livehook, Mounted, PROGRAM};

/// A user that owns nothing.
const NOBODY: &str = "65534";

fn open_to(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

async fn livehook_with_an_event(directory: &Path) -> Livehook {
    let mut livehook = Livehook::configure(directory, "", "");
    livehook.start();
    livehook.ready().await;
    let mut client = Client::connect(livehook.receiver).await.unwrap();
    // Retention would remove the session of an old event at once.
    let body = members(1).replace("1703731478", &now_secs().to_string());
    assert_eq!(client.post(&sign(&body, now_secs() + 600)).await.unwrap().status, 200);
    livehook
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs every command that reads. Each must succeed.
fn read(command: impl Fn() -> Command) {
    for name in ["events", "sessions"] {
        let Output { status, stdout, stderr } = command().args([name, "--output", "json"]).output().unwrap();
        assert!(status.success(), "{name}: {}", text(&stderr));
        assert_eq!(text(&stdout).lines().count(), 1, "{name}: {}", text(&stderr));
    }
}

#[tokio::test]
#[ignore = "becomes another user, which takes root: run by tests/run"]
async fn other_user_can_read_and_gets_clear_errors() {
    let directory = tempfile::tempdir().unwrap();
    open_to(directory.path(), 0o755);
    let mut livehook = livehook_with_an_event(directory.path()).await;
    let (data, program) = (livehook.path("data"), livehook.path("livehook"));
    // Another process copies it: Linux refuses to start a program that is still open for writing (ETXTBSY).
    assert!(Command::new("cp").arg(PROGRAM).arg(&program).status().unwrap().success());
    let command = || {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]).arg(&program);
        // No process listens on this port.
        command.env("LIVEHOOK_DATA_DIR", &data).env("LIVEHOOK_ADMIN_LISTEN", "127.0.0.1:9");
        command
    };
    let failure = |arguments: &[&str]| {
        let Output { status, stderr, .. } = command().args(arguments).output().unwrap();
        assert_eq!(status.code(), Some(1), "{arguments:?}");
        text(&stderr)
    };
    let commands: [&[&str]; 4] =
        [&["events"], &["sessions"], &["backup", "/tmp/never-made-by-a-test"], &["dead-letters", "drop", "--all"]];
    for arguments in commands {
        let message = failure(arguments);
        assert!(message.contains("permission denied; run this as the user that livehook runs as"), "{message}");
    }

    open_to(&data, 0o755);
    for file in std::fs::read_dir(&data).unwrap() {
        open_to(&file.unwrap().path(), 0o644);
    }
    read(command);
    livehook.stop().await;
    read(command);

    livehook.start();
    livehook.ready().await;
    livehook.kill();
    std::fs::remove_file(data.join("journal.db-shm")).unwrap();
    let message = failure(&["events"]);
    assert!(message.contains("journal.db: the database is in use or was not closed"), "{message}");
    open_to(&data.join("journal.db"), 0o600);
    let message = failure(&["events"]);
    assert!(message.contains("journal.db: permission denied"), "{message}");
}

#[tokio::test]
#[ignore = "mounts a small file system, which takes root: run by tests/run"]
async fn read_only_file_system_is_readable() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let _mounted = Mounted::tmpfs(&data, "size=16m");
    livehook_with_an_event(directory.path()).await.stop().await;
    let status = Command::new("mount").args(["-o", "remount,ro"]).arg(&data).status().unwrap();
    assert!(status.success(), "the file system can be mounted again, read-only");
    read(|| {
        let mut command = Command::new(PROGRAM);
        command.env("LIVEHOOK_DATA_DIR", &data);
        command
    });
}
