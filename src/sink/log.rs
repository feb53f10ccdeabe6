//! The sink `log`: one event per line on stdout.
//!
//! The sink writes to its own duplicate of the stdout descriptor, on a thread for blocking calls. So a reader that stops
//! reading blocks this sink alone: `std::io::Stdout` with its lock would also block every other user of stdout, even the
//! exit of the process. The sink always finishes a line that it began before it writes another.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;

use async_trait::async_trait;
use rustix::event::{PollFd, PollFlags, poll};
use serde::Deserialize;
use tokio::task::JoinHandle;

use super::contract::{Failure, Outcome, Sink};
use super::keys::Keys;
use super::mistake::Mistake;
use crate::journal::{Offset, Record};

#[cfg(test)]
mod tests;

/// The keys of a log sink: it has none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Options {}

impl Keys for Options {
    fn target(&self) -> Option<String> {
        None
    }

    fn mistakes(&self) -> Vec<Mistake> {
        Vec::new()
    }
}

/// Writes events to stdout.
pub struct LogSink {
    output: Option<Output>,
    /// The write in progress. It outlives a delivery that is dropped, so that two writes never run at once.
    running: Option<JoinHandle<(Output, io::Result<()>)>>,
}

/// The file that lines go to, and the lines that are still to be written.
#[derive(Debug)]
struct Output {
    file: File,
    /// The lines of the batch.
    lines: Vec<u8>,
    /// The end of each record's line, as an index into `lines`.
    ends: Vec<(Offset, usize)>,
    /// How many bytes of `lines` are written.
    written: usize,
    /// The event whose line was cut off by a failed write, and the rest of that line.
    begun: Option<(Offset, Vec<u8>)>,
}

impl LogSink {
    /// Makes the sink. It touches nothing until it delivers.
    pub fn new(_options: Options) -> LogSink {
        LogSink { output: None, running: None }
    }

    /// Makes a sink that writes to another file.
    #[cfg(test)]
    fn with_target(file: File) -> LogSink {
        LogSink { output: Some(Output::new(file)), running: None }
    }

    /// Waits for the write in progress, if there is one, and takes its output back.
    async fn wait(&mut self) -> Result<io::Result<()>, Failure> {
        let Some(running) = &mut self.running else { return Ok(Ok(())) };
        let joined = running.await;
        self.running = None;
        let (output, written) = joined.map_err(Failure::outage)?;
        self.output = Some(output);
        Ok(written)
    }

    async fn write(&mut self, batch: &[Record]) -> Result<Vec<Outcome>, Failure> {
        // A dropped delivery may still be writing, and its lines must end before ours begin. Its result no longer matters.
        let _ = self.wait().await?;
        let mut output = match self.output.take() {
            Some(output) => output,
            None => Output::new(stdout().map_err(explain)?),
        };
        output.fill(batch);
        self.running = Some(tokio::task::spawn_blocking(move || {
            let written = output.write();
            output.keep_rest();
            (output, written)
        }));
        let failure = self.wait().await?.map_err(explain).err();
        let is_written = |record: &Record| self.output.as_ref().is_some_and(|output| output.has_written(record.offset));
        Ok(batch
            .iter()
            .map(|record| match &failure {
                // Lines that were written before the failure must not be repeated.
                Some(failure) if !is_written(record) => Outcome::Retry(failure.clone()),
                _ => Outcome::Delivered,
            })
            .collect())
    }
}

impl Output {
    fn new(file: File) -> Output {
        Output { file, lines: Vec::new(), ends: Vec::new(), written: 0, begun: None }
    }

    /// Takes the lines of a batch, after the rest of a line that was cut off.
    fn fill(&mut self, batch: &[Record]) {
        self.lines.clear();
        self.ends.clear();
        self.written = 0;
        let begun = self.begun.as_ref().map(|(offset, rest)| {
            self.lines.extend_from_slice(rest);
            self.ends.push((*offset, rest.len()));
            *offset
        });
        // The worker gives the event of a cut line again, and the rest of that line is in the buffer already.
        for record in batch.iter().filter(|record| Some(record.offset) != begun) {
            self.lines.extend_from_slice(record.event.line().as_bytes());
            self.lines.push(b'\n');
            self.ends.push((record.offset, self.lines.len()));
        }
    }

    /// Whether the whole line of this record is written.
    fn has_written(&self, offset: Offset) -> bool {
        self.ends.iter().any(|(written, end)| *written == offset && *end <= self.written)
    }

    /// Keeps the rest of a line that is written in part, and drops all other lines.
    fn keep_rest(&mut self) {
        let continued = self.begun.take().is_some();
        let first_unwritten = self.ends.iter().position(|(_, end)| *end > self.written);
        if let Some(position) = first_unwritten {
            let (offset, end) = self.ends[position];
            let start = position.checked_sub(1).map_or(0, |previous| self.ends[previous].1);
            // The first line may be the rest of one whose beginning an earlier batch wrote.
            if self.written > start || (continued && position == 0) {
                self.begun = Some((offset, self.lines[self.written..end].to_vec()));
            }
        }
        self.lines = Vec::new();
    }

    /// Writes all lines, and blocks for as long as that takes.
    fn write(&mut self) -> io::Result<()> {
        while self.written < self.lines.len() {
            match self.file.write(&self.lines[self.written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Another process that shares stdout may have made it non-blocking.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    match poll(&mut [PollFd::new(&self.file, PollFlags::OUT)], None) {
                        Ok(_) | Err(rustix::io::Errno::INTR) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Returns a duplicate of the descriptor of stdout.
fn stdout() -> io::Result<File> {
    Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?))
}

fn explain(error: io::Error) -> Failure {
    Failure::outage(match error.kind() {
        io::ErrorKind::BrokenPipe => format!("stdout is closed, because its reader has ended: {error}"),
        _ => format!("stdout cannot be written: {error}"),
    })
}

#[async_trait]
impl Sink for LogSink {
    fn is_ordered(&self) -> bool {
        true
    }

    async fn deliver(&mut self, batch: &[Record]) -> Vec<Outcome> {
        match self.write(batch).await {
            Ok(outcomes) => outcomes,
            Err(failure) => vec![Outcome::Retry(failure); batch.len()],
        }
    }

    async fn probe(&mut self) -> Result<String, Failure> {
        stdout().map(|_| "stdout is open".to_owned()).map_err(explain)
    }
}
