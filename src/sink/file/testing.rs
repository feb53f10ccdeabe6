//! Helpers for the tests of the file sink: a directory with the files of one sink.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::closed_names::{ClosedNames, Form};
use super::file_sink::FileSink;
use super::options::Options;
use super::state::FileState;
use crate::clock::testing::{advance_test_clock, set_test_clock, test_clock};
use crate::journal::{Offset, Record};
use crate::sink::Sink;
use crate::sink::testing::{Stored, all_delivered};

/// 2026-01-02T03:04:05Z.
pub(super) const NOW_SECS: i64 = 1_767_323_045;

/// A directory with the files of one sink.
pub(super) struct Files {
    pub(super) directory: TempDir,
    pub(super) options: Options,
}

impl Files {
    pub(super) fn new() -> Files {
        Files::with(|_| {})
    }

    /// With changed options. The time is [`NOW_SECS`].
    pub(super) fn with(change: impl FnOnce(&mut Options)) -> Files {
        let directory = tempfile::tempdir().unwrap();
        let mut options = Options::at(directory.path().join("events.jsonl"));
        change(&mut options);
        set_test_clock(NOW_SECS * 1000);
        Files { directory, options }
    }

    pub(super) fn sink(&self) -> FileSink {
        FileSink::new(self.options.clone(), test_clock)
    }

    /// A sink that has resumed after `cursor`, and the record that it found.
    pub(super) async fn resumed(&self, cursor: Offset, state: Option<&[u8]>, stored: &Stored) -> (FileSink, Offset) {
        let mut sink = self.sink();
        let offset = sink.resume(cursor, state, stored).await.unwrap();
        (sink, offset)
    }

    /// A new sink.
    pub(super) async fn fresh(&self) -> FileSink {
        self.resumed(Offset(0), None, &Stored(Vec::new())).await.0
    }

    pub(super) fn path(&self) -> &Path {
        &self.options.path
    }

    pub(super) fn write(&self, text: impl AsRef<[u8]>) {
        fs::write(self.path(), text).unwrap();
    }

    pub(super) fn read(&self) -> String {
        fs::read_to_string(self.path()).unwrap()
    }

    /// The content of the plain files, in the order in which they were written.
    pub(super) fn contents(&self) -> Vec<String> {
        let names = ClosedNames::next_to(self.path());
        let closed = names.list().unwrap().into_iter().filter(|(_, form)| *form == Form::Plain);
        let mut paths: Vec<PathBuf> = closed.map(|(stamp, form)| names.path(stamp, form)).collect();
        paths.extend(self.path().exists().then(|| self.path().to_owned()));
        paths.into_iter().map(|path| fs::read_to_string(path).unwrap()).collect()
    }

    /// The state that a sink stores for the file as it is.
    pub(super) fn state(&self) -> Vec<u8> {
        let metadata = fs::metadata(self.path()).unwrap();
        let state = FileState {
            path: fs::canonicalize(self.path()).unwrap().to_str().unwrap().to_owned(),
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            rotated: None,
        };
        serde_json::to_vec(&state).unwrap()
    }
}

/// Lets the time pass, in seconds.
pub(super) fn pass(secs: i64) {
    advance_test_clock(secs * 1000);
}

/// Delivers a batch that must succeed.
pub(super) async fn deliver(sink: &mut FileSink, batch: &[Record]) {
    let outcomes = sink.deliver(batch).await;
    assert!(all_delivered(&outcomes, batch), "{outcomes:?}");
}
