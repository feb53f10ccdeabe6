//! The sink `file`: JSON Lines, each event once.
//!
//! A batch is one write and one sync; only then is it answered for. What the file was then (device, inode, length) is
//! kept beside the cursor, so that after a crash at any moment `recovery` finds out from the content which lines are
//! there, and cuts the one that is torn. `writer` appends and rotates, `rotation` names the closed files,
//! `retention` removes and compresses them.
//!
//! It repairs nothing that it did not write, and never writes a line twice for want of an answer: a delivery that was
//! given up on is taken back before the next one.

mod probe;
mod recovery;
mod retention;
mod rotation;
#[cfg(test)]
mod tests;
mod writer;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Deserialize;
use tokio::task::JoinHandle;

use super::{DeliveryError, Mistake, Outcome, Sink, blocking};
use crate::journal::{Offset, Record, Records};
use recovery::{Recovery, Remembered};
use retention::Retention;
use writer::Writer;

/// The smallest file worth a rotation, in bytes: each costs some syncs of the directory.
pub const ROTATE_BYTES_MIN: u64 = 64 * 1024;

/// The keys of a file sink.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Options {
    /// The file; it and its directory are made where they are missing. A symbolic link is followed, and closed files
    /// are then beside what it leads to. Must be a regular file: for stdout there is the sink `log`.
    pub path: PathBuf,
    /// Rotate before the file would grow beyond this, in bytes, at least [`ROTATE_BYTES_MIN`]; unset is without limit. An
    /// event that is larger alone has a file of its own.
    ///
    /// `events.jsonl` is then closed as `events-<YYYYMMDDTHHMMSSZ>.jsonl`, with the time of closing in UTC, followed
    /// by `-1`, `-2` and so on where files are closed in the same second.
    #[serde(default)]
    pub rotate_bytes: Option<u64>,
    /// Rotate with the first event that is written on another day (UTC, by the clock and not by the event's time).
    #[serde(default)]
    pub rotate_daily: bool,
    /// How many closed files to keep, at least 1; unset is all of them.
    #[serde(default)]
    pub keep_files_max: Option<u32>,
    /// How long to keep closed files, in days since they were closed, at least 1; unset is for ever. They are looked at
    /// after each rotation and once a day, when an event comes.
    #[serde(default)]
    pub keep_days_max: Option<u32>,
    /// Compress closed files, as `.gz` beside where they were.
    #[serde(default)]
    pub gzip: bool,
}

impl Options {
    /// A file that is never rotated.
    pub fn at(path: impl Into<PathBuf>) -> Options {
        Options {
            path: path.into(),
            rotate_bytes: None,
            rotate_daily: false,
            keep_files_max: None,
            keep_days_max: None,
            gzip: false,
        }
    }

    /// Every rule that these options break.
    pub fn mistakes(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        let mut check = |holds: bool, key: &str, value: &dyn fmt::Display, rule: &str| {
            if !holds {
                mistakes.push(Mistake { key: key.to_owned(), value: Some(value.to_string()), rule: rule.to_owned() });
            }
        };
        let ends_in_separator = self.path.as_os_str().as_encoded_bytes().ends_with(b"/");
        check(
            self.path.file_name().is_some() && !ends_in_separator,
            "path",
            &format!("{:?}", self.path.to_string_lossy()),
            "must name a file, as in \"events.jsonl\"",
        );
        let rotate_bytes = self.rotate_bytes.unwrap_or(u64::MAX);
        check(
            rotate_bytes >= ROTATE_BYTES_MIN,
            "rotate_bytes",
            &rotate_bytes,
            &format!("must be at least {ROTATE_BYTES_MIN}; leave it out not to rotate by size"),
        );
        let rotates = self.rotate_bytes.is_some() || self.rotate_daily;
        for (key, value) in [("keep_files_max", self.keep_files_max), ("keep_days_max", self.keep_days_max)] {
            let Some(value) = value else { continue };
            check(value > 0, key, &value, "must be at least 1; leave it out to keep all");
            check(rotates, key, &value, "is of no use without rotation: set `rotate_bytes` or `rotate_daily` too");
        }
        check(
            rotates || !self.gzip,
            "gzip",
            &self.gzip,
            "is of no use without rotation: set `rotate_bytes` or `rotate_daily` too",
        );
        mistakes
    }
}

/// Why the file cannot be written. All of them can be mended, so that each is worth another try.
#[derive(Debug, thiserror::Error)]
enum FileError {
    #[error("{path}: cannot {action}: {source}")]
    Io { path: PathBuf, action: &'static str, source: io::Error },
    #[error(
        "{path} is {kind}: the sink `file` writes to a regular file only; choose another `path`, or the sink `log` for stdout"
    )]
    Irregular { path: PathBuf, kind: &'static str },
}

impl FileError {
    /// Gives the system's error the path and what was tried.
    fn io(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> FileError {
        move |source| FileError::Io { path: path.to_owned(), action, source }
    }
}

impl From<FileError> for DeliveryError {
    fn from(error: FileError) -> DeliveryError {
        DeliveryError::transient(error)
    }
}

/// Tells the time; a test gives its own.
type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// An append that runs on a thread of its own, with the writer that it gives back.
type Append = JoinHandle<(Option<Writer>, Result<(), FileError>)>;

/// Appends to a file.
pub struct FileSink {
    options: Options,
    clock: Clock,
    writer: Option<Writer>,
    /// What a delivery waits for. It outlives one that is dropped, so that two never write at once.
    running: Option<Append>,
    state: Option<Vec<u8>>,
    retention: Retention,
}

impl FileSink {
    /// Makes the sink. It touches nothing before it resumes.
    pub fn new(options: Options) -> FileSink {
        FileSink::with_clock(options, Arc::new(Timestamp::now))
    }

    fn with_clock(options: Options, clock: Clock) -> FileSink {
        FileSink { options, clock, writer: None, running: None, state: None, retention: Retention::default() }
    }

    fn remembered(&self, state: &[u8]) -> Option<Remembered> {
        match serde_json::from_slice(state) {
            Ok(remembered) => Some(remembered),
            Err(error) => {
                tracing::warn!(
                    path = %self.options.path.display(),
                    %error,
                    "What was kept of the file beside the cursor cannot be read; the file is continued as it is"
                );
                None
            }
        }
    }

    /// Waits for the append that runs, if one does, and takes its writer back.
    async fn wait(&mut self) -> Outcome {
        let Some(running) = &mut self.running else { return Ok(()) };
        let joined = running.await;
        self.running = None;
        let (writer, appended) = joined.map_err(DeliveryError::transient)?;
        self.writer = writer;
        Ok(appended?)
    }

    async fn append(&mut self, batch: &[Record]) -> Outcome {
        // Nobody was answered about a batch whose delivery was dropped: it is not settled, and the writer takes it back.
        let _ = self.wait().await;
        let now = (self.clock)();
        if let Some(writer) = &self.writer {
            self.retention.start(writer.names(), &self.options, now).await;
        }

        let mut lines = self.writer.as_mut().map(Writer::spare_buffer).unwrap_or_default();
        // What is in it may be a batch that failed.
        lines.clear();
        lines.reserve_exact(batch.iter().map(|record| record.event.line().len() + 1).sum());
        for record in batch {
            lines.extend_from_slice(record.event.line().as_bytes());
            lines.push(b'\n');
        }
        // Copied where they are needed only, since this runs for each batch.
        let writer = self.writer.take().ok_or_else(|| self.options.clone());
        self.running = Some(tokio::task::spawn_blocking(move || {
            let mut writer = match writer.or_else(Writer::open) {
                Ok(writer) => writer,
                Err(error) => return (None, Err(error)),
            };
            let appended = writer.append(lines, now);
            (Some(writer), appended)
        }));
        self.wait().await?;
        self.settle();
        Ok(())
    }

    /// From here on, what is in the file is answered for, and remembered.
    fn settle(&mut self) {
        let Some(writer) = &mut self.writer else { return };
        writer.settle();
        self.state = serde_json::to_vec(&writer.remembered()).ok();
    }
}

#[async_trait]
impl Sink for FileSink {
    async fn resume(
        &mut self,
        cursor: Offset,
        state: Option<&[u8]>,
        records: &dyn Records,
    ) -> Result<Offset, DeliveryError> {
        // Whatever became of an append that nobody waits for any more, it is found in the file.
        let _ = self.wait().await;
        self.writer = None;
        self.retention.withdraw();
        let options = self.options.clone();
        let mut writer = blocking(move || Writer::open(options)).await??;

        let remembered = state.and_then(|state| self.remembered(state));
        let mut recovery = Recovery::new(records, cursor, remembered.is_some());
        let target = writer.target().to_owned();
        for place in blocking(move || recovery::places(remembered.as_ref(), &target)).await?? {
            recovery.visit(place).await?;
        }

        self.writer = Some(blocking(move || writer.measure().map(|()| writer)).await??);
        self.settle();
        Ok(recovery.found())
    }

    fn is_ordered(&self) -> bool {
        true
    }

    async fn deliver(&mut self, batch: &[Record]) -> Vec<Outcome> {
        if batch.is_empty() {
            return Vec::new();
        }
        let outcome = self.append(batch).await;
        if outcome.is_ok()
            && let Some(writer) = &self.writer
        {
            self.retention.allow(writer.newest());
        }
        vec![outcome; batch.len()]
    }

    fn state(&self) -> Option<Vec<u8>> {
        self.state.clone()
    }

    async fn probe(&mut self) -> Result<String, DeliveryError> {
        let path = self.options.path.clone();
        Ok(blocking(move || probe::look(&path)).await??)
    }
}
