//! A damaged journal: every command that reads it, and the start of the service, name its path and the cure, and change nothing.

use std::path::Path;
use std::process::{Command, Output};

use super::client::{now_secs, post_all, signed};
use super::process::{Livehook, PROGRAM};

/// How the journal is damaged.
#[derive(Clone, Copy, Debug)]
enum Damage {
    Text,
    ZeroedHead,
    ZeroedMiddle,
    Truncated,
    TruncatedHead,
    Empty,
    OtherProgram,
    OtherTables,
    Future,
}

impl Damage {
    fn apply(self, journal: &Path) {
        let pragma = |sql: &str| rusqlite::Connection::open(journal).unwrap().execute_batch(sql).unwrap();
        let mut bytes = std::fs::read(journal).unwrap();
        match self {
            Damage::Text => bytes = b"this was a journal once\n".repeat(1000),
            Damage::ZeroedHead => bytes[..4096].fill(0),
            Damage::ZeroedMiddle => bytes[4096..].fill(0),
            Damage::Truncated => bytes.truncate(5000),
            Damage::TruncatedHead => bytes.truncate(50),
            Damage::Empty => bytes.clear(),
            Damage::OtherProgram => return pragma("PRAGMA application_id = 7"),
            Damage::OtherTables => return pragma("DROP TABLE replays"),
            Damage::Future => return pragma("PRAGMA user_version = 99"),
        }
        std::fs::write(journal, bytes).unwrap();
    }
}

fn command(directory: &Path, line: &[&str]) -> Output {
    // A service that starts nevertheless must not run for ever.
    let mut command = Command::new("timeout");
    command.args(["20", PROGRAM]).args(line).args(["--config", "config.toml"]).current_dir(directory);
    command.env_remove("LIVEHOOK_CONFIG").env_remove("LIVEHOOK_DATA_DIR").output().unwrap()
}

#[tokio::test]
async fn damaged_journal_names_path_and_cure() {
    let mut livehook = Livehook::running("", "").await;
    post_all(livehook.receiver, 0..200, |number| signed(number, now_secs())).await;
    livehook.stop().await;
    let journal = livehook.path("data/journal.db");
    let whole = std::fs::read(&journal).unwrap();
    for damage in [
        Damage::Text,
        Damage::ZeroedHead,
        Damage::ZeroedMiddle,
        Damage::Truncated,
        Damage::TruncatedHead,
        Damage::Empty,
        Damage::OtherProgram,
        Damage::OtherTables,
        Damage::Future,
    ] {
        std::fs::write(&journal, &whole).unwrap();
        damage.apply(&journal);
        let damaged = std::fs::read(&journal).unwrap();
        for line in [
            &["serve"][..],
            &["events"],
            &["sessions"],
            &["dead-letters", "list"],
            &["dead-letters", "redrive", "--all"],
            &["rebuild-index"],
        ] {
            let output = command(&livehook.directory, line);
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{damage:?}, {line:?}: {said}");
            assert!(said.contains("data/journal.db") && said.contains("backup"), "{damage:?}, {line:?}: {said}");
        }
        assert!(std::fs::read(&journal).unwrap() == damaged, "{damage:?}: a command changed the journal");
    }
}
