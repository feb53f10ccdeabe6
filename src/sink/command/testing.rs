//! Helpers for the tests of the command sink: a sink that runs a script, with real processes.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::command_sink::CommandSink;
use super::options::Options;
use crate::sink::testing::records_of_streams;
use crate::sink::{Outcome, Sink};

/// No test waits longer. The programs of the tests would run for much longer than this.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// A sink that runs a script in its own directory, where the script leaves its traces.
pub(super) struct Scripted {
    directory: tempfile::TempDir,
    pub(super) sink: CommandSink,
}

impl Scripted {
    pub(super) fn new(script: &str, more: &str) -> Scripted {
        let directory = tempfile::tempdir().unwrap();
        let text =
            format!("program = \"sh\"\narguments = [\"-c\", {script:?}]\ndirectory = {:?}\n{more}", directory.path());
        let options: Options = toml::from_str(&text).unwrap();
        assert_eq!(options.mistakes(), []);
        Scripted { directory, sink: CommandSink::new(options) }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(super) fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    pub(super) async fn deliver(&mut self, streams: &[&str]) -> Vec<Outcome> {
        self.sink.deliver(&records_of_streams(streams)).await
    }
}

/// Waits until the process is gone whose number a file holds.
pub(super) async fn is_gone(path: &Path) {
    let deadline = Instant::now() + PATIENCE;
    let id = loop {
        match std::fs::read_to_string(path) {
            Ok(id) if id.ends_with('\n') => break id,
            _ => assert!(Instant::now() < deadline, "no process left its number"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let stat = format!("/proc/{}/stat", id.trim());
    // A zombie is dead: only its parent has not waited for it yet.
    while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(Instant::now() < deadline, "the process {id} lives on");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
