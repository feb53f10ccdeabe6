//! The sink itself: hands batches to the writer on a thread for blocking calls, and starts the recovery after a restart.

use async_trait::async_trait;
use tokio::task::JoinHandle;

use super::closed_names::Stamp;
use super::error::FileError;
use super::options::Options;
use super::recovery::Recovery;
use super::retention::Retention;
use super::state::FileState;
use super::writer::Writer;
use super::{places, probe};
use crate::clock::Clock;
use crate::journal::{Offset, Record, Records};
use crate::sink::blocking::blocking;
use crate::sink::{Failure, Outcome, Sink};

#[cfg(test)]
mod tests;

/// An append on a thread for blocking calls. It returns the writer that it used.
type Append = JoinHandle<(Option<Writer>, Result<(), FileError>)>;

/// Appends events to a file.
pub struct FileSink {
    options: Options,
    clock: Clock,
    writer: Option<Writer>,
    /// The append in progress. It outlives a delivery that is dropped, so that two appends never run at once.
    running: Option<Append>,
    state: Option<Vec<u8>>,
    /// The stamp of the file that was closed last, as of `state`.
    newest: Option<Stamp>,
    pub(super) retention: Retention,
}

impl FileSink {
    /// Makes the sink. It touches nothing until it resumes.
    pub fn new(options: Options, clock: Clock) -> FileSink {
        let retention = Retention::default();
        FileSink { options, clock, writer: None, running: None, state: None, newest: None, retention }
    }

    fn parse_state(&self, state: &[u8]) -> Option<FileState> {
        match serde_json::from_slice(state) {
            Ok(state) => Some(state),
            Err(error) => {
                tracing::warn!(
                    path = %self.options.path.display(),
                    %error,
                    "the stored state of the file cannot be read: the sink appends to the file as it is"
                );
                None
            }
        }
    }

    /// Waits for the append in progress, if there is one, and takes its writer back.
    async fn wait(&mut self) -> Result<(), Failure> {
        let Some(running) = &mut self.running else { return Ok(()) };
        let joined = running.await;
        self.running = None;
        let (writer, appended) = joined.map_err(Failure::outage)?;
        self.writer = writer;
        Ok(appended?)
    }

    /// Lets the writer work on a thread for blocking calls, and opens it first if there are only its options.
    async fn write(
        &mut self,
        writer: Result<Writer, Options>,
        work: impl FnOnce(&mut Writer) -> Result<(), FileError> + Send + 'static,
    ) -> Result<(), Failure> {
        self.running = Some(tokio::task::spawn_blocking(move || {
            let mut writer = match writer.or_else(Writer::open) {
                Ok(writer) => writer,
                Err(error) => return (None, Err(error)),
            };
            let worked = work(&mut writer);
            (Some(writer), worked)
        }));
        self.wait().await
    }

    async fn append(&mut self, batch: &[Record]) -> Result<(), Failure> {
        // An append that still runs belongs to a dropped delivery, whose outcome was never reported. The writer takes it back.
        let _ = self.wait().await;
        let now_secs = (self.clock)().div_euclid(1000);
        self.start_retention(now_secs).await;

        let mut lines = self.writer.as_mut().map(Writer::spare_buffer).unwrap_or_default();
        // The buffer may hold the lines of a batch that failed.
        lines.clear();
        lines.reserve_exact(batch.iter().map(|record| record.event.line().len() + 1).sum());
        for record in batch {
            lines.extend_from_slice(record.event.line().as_bytes());
            lines.push(b'\n');
        }
        // Most batches have a writer, so the options are copied only for the others.
        let writer = self.writer.take().ok_or_else(|| self.options.clone());
        self.write(writer, move |writer| writer.append(lines, now_secs)).await?;
        self.keep_batch();
        Ok(())
    }

    /// Makes the present content of the file part of the state. It is delivered, so the writer no longer takes it back.
    fn keep_batch(&mut self) {
        let Some(writer) = &mut self.writer else { return };
        writer.keep_batch();
        self.newest = writer.newest();
        self.state = serde_json::to_vec(&writer.state()).ok();
    }

    /// Starts the retention if it's due.
    async fn start_retention(&mut self, now_secs: i64) {
        if let Some(writer) = &self.writer {
            self.retention.start(writer.names(), &self.options, now_secs).await;
        }
    }
}

#[async_trait]
impl Sink for FileSink {
    async fn resume(&mut self, cursor: Offset, state: Option<&[u8]>, records: &dyn Records) -> Result<Offset, Failure> {
        // The result of a dropped append doesn't matter, because the recovery reads the file.
        let _ = self.wait().await;
        self.writer = None;
        self.retention.withdraw();
        let options = self.options.clone();
        let mut writer = blocking(move || Writer::open(options)).await??;

        let state = state.and_then(|state| self.parse_state(state));
        let mut recovery = Recovery::new(records, cursor, state.is_some());
        let target = writer.target().to_owned();
        for place in blocking(move || places::find(state.as_ref(), &target)).await?? {
            recovery.visit(place).await?;
        }

        // The recovery may have cut the file since the writer opened it.
        self.writer = Some(blocking(move || writer.measure().map(|()| writer)).await??);
        self.keep_batch();
        Ok(recovery.found())
    }

    fn is_ordered(&self) -> bool {
        true
    }

    async fn deliver(&mut self, batch: &[Record]) -> Vec<Outcome> {
        if batch.is_empty() {
            return Vec::new();
        }
        let outcome = match self.append(batch).await {
            Ok(()) => Outcome::Delivered,
            Err(failure) => Outcome::Retry(failure),
        };
        if outcome == Outcome::Delivered
            && let Some(writer) = &self.writer
        {
            self.retention.allow(writer.newest());
        }
        // A batch is written as a whole or not at all, so one outcome holds for all of it.
        vec![outcome; batch.len()]
    }

    /// Rotates a file of an earlier day, and starts the retention.
    async fn tend(&mut self) -> Result<bool, Failure> {
        let _ = self.wait().await;
        let now_secs = (self.clock)().div_euclid(1000);
        // The state is durable, so no recovery needs the files that were closed before it.
        self.retention.allow(self.newest);
        self.start_retention(now_secs).await;
        let Some(writer) = self.writer.take() else { return Ok(false) };
        let before = self.newest;
        self.write(Ok(writer), move |writer| writer.rotate_by_day(now_secs)).await?;
        if self.writer.as_ref().and_then(Writer::newest) == before {
            return Ok(false);
        }
        self.keep_batch();
        Ok(true)
    }

    fn state(&self) -> Option<Vec<u8>> {
        self.state.clone()
    }

    async fn probe(&mut self) -> Result<String, Failure> {
        let path = self.options.path.clone();
        Ok(blocking(move || probe::check(&path)).await??)
    }
}
