//! Helpers for the tests of the command sink: a sink that runs a script, with real processes.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::command_sink::CommandSink;
use super::options::Options;
use crate::sink::keys::Keys;
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
        Scripted { directory, sink: CommandSink::new("it", options) }
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
    let id = || std::fs::read_to_string(path).ok().filter(|id| id.ends_with('\n'));
    wait_until("a process leaves its number", || id().is_some()).await;
    let stat = format!("/proc/{}/stat", id().unwrap().trim());
    // A zombie is dead: only its parent has not waited for it yet.
    let is_running = || std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z "));
    wait_until("the process ends", || !is_running()).await;
}

/// Waits until a real process has done something.
pub(super) async fn wait_until(expected: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited too long until {expected}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
