//! The sink `log`: one event a line on stdout.
//!
//! It writes to a descriptor of its own that leads to where stdout leads, on a thread of its own. So a reader that does
//! not read blocks that thread and this sink, and nothing else; `std::io::Stdout` with its lock would block whoever
//! else comes near it, the end of the process included. A line that was begun is finished before anything else.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;

use async_trait::async_trait;
use rustix::event::{PollFd, PollFlags, poll};
use serde::Deserialize;
use tokio::task::JoinHandle;

use super::{DeliveryError, Outcome, Sink};
use crate::journal::{Offset, Record};

/// Has no keys of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Options {}

/// Writes to stdout.
pub struct LogSink {
    output: Option<Output>,
    /// What a delivery waits for. It outlives one that is dropped, so that two never write at once.
    running: Option<JoinHandle<(Output, io::Result<()>)>>,
}

/// Where lines go, and what is still to be written there.
#[derive(Debug)]
struct Output {
    file: File,
    /// The lines of the batch.
    lines: Vec<u8>,
    /// Where in them the line of each record ends.
    ends: Vec<(Offset, usize)>,
    /// How many of their bytes are written.
    written: usize,
    /// The event that was written in part when the last write failed, and the rest of its line.
    begun: Option<(Offset, Vec<u8>)>,
}

impl LogSink {
    /// Makes the sink. It touches nothing before it delivers.
    pub fn new(_options: Options) -> LogSink {
        LogSink { output: None, running: None }
    }

    /// Makes a sink that writes somewhere else.
    #[cfg(test)]
    fn with_target(file: File) -> LogSink {
        LogSink { output: Some(Output::new(file)), running: None }
    }

    /// Waits for the write that runs, if one does, and takes its output back.
    async fn wait(&mut self) -> Result<io::Result<()>, DeliveryError> {
        let Some(running) = &mut self.running else { return Ok(Ok(())) };
        let joined = running.await;
        self.running = None;
        let (output, written) = joined.map_err(DeliveryError::transient)?;
        self.output = Some(output);
        Ok(written)
    }

    async fn write(&mut self, batch: &[Record]) -> Result<Vec<Outcome>, DeliveryError> {
        // A delivery that was dropped may still write: ours come after its lines, and not amid them. How it ended
        // nobody asks any more.
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
        let written = |record: &Record| self.output.as_ref().is_some_and(|output| output.has_written(record.offset));
        Ok(batch
            .iter()
            .map(|record| match &failure {
                Some(failure) if !written(record) => Err(failure.clone()),
                _ => Ok(()),
            })
            .collect())
    }
}

impl Output {
    fn new(file: File) -> Output {
        Output { file, lines: Vec::new(), ends: Vec::new(), written: 0, begun: None }
    }

    /// Takes up the lines of a batch, after the rest of the one that was begun.
    fn fill(&mut self, batch: &[Record]) {
        self.lines.clear();
        self.ends.clear();
        self.written = 0;
        let begun = self.begun.as_ref().map(|(offset, rest)| {
            self.lines.extend_from_slice(rest);
            self.ends.push((*offset, rest.len()));
            *offset
        });
        for record in batch.iter().filter(|record| Some(record.offset) != begun) {
            self.lines.extend_from_slice(record.event.line().as_bytes());
            self.lines.push(b'\n');
            self.ends.push((record.offset, self.lines.len()));
        }
    }

    /// Whether the line of this record is out, to its end.
    fn has_written(&self, offset: Offset) -> bool {
        self.ends.iter().any(|(written, end)| *written == offset && *end <= self.written)
    }

    /// Keeps the rest of a line that is out in part, and nothing else.
    fn keep_rest(&mut self) {
        let continued = self.begun.take().is_some();
        let first_unwritten = self.ends.iter().position(|(_, end)| *end > self.written);
        if let Some(position) = first_unwritten {
            let (offset, end) = self.ends[position];
            let start = position.checked_sub(1).map_or(0, |previous| self.ends[previous].1);
            if self.written > start || (continued && position == 0) {
                self.begun = Some((offset, self.lines[self.written..end].to_vec()));
            }
        }
        self.lines = Vec::new();
    }

    /// Writes what is not written yet, for as long as it takes.
    fn write(&mut self) -> io::Result<()> {
        while self.written < self.lines.len() {
            match self.file.write(&self.lines[self.written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Whoever shares stdout with us may have made it non-blocking.
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

/// A descriptor of our own for stdout.
fn stdout() -> io::Result<File> {
    Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?))
}

fn explain(error: io::Error) -> DeliveryError {
    DeliveryError::transient(match error.kind() {
        io::ErrorKind::BrokenPipe => format!("stdout is closed, nobody reads it any more: {error}"),
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
            Err(error) => vec![Err(error); batch.len()],
        }
    }

    async fn probe(&mut self) -> Result<String, DeliveryError> {
        stdout().map(|_| "stdout is open".to_owned()).map_err(explain)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{PipeReader, Read, pipe};
    use std::os::fd::OwnedFd;
    use std::time::Duration;

    use super::*;
    use crate::sink::fixture::{all_delivered, event, lines, records};

    fn piped() -> (PipeReader, LogSink) {
        let (reader, writer) = pipe().unwrap();
        (reader, LogSink::with_target(File::from(OwnedFd::from(writer))))
    }

    /// Reads on a thread of its own until the other end is closed.
    fn read_all(mut reader: PipeReader) -> std::thread::JoinHandle<String> {
        std::thread::spawn(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).unwrap();
            text
        })
    }

    /// More than a pipe holds.
    fn many() -> Vec<Record> {
        records(1000)
    }

    async fn times_out(sink: &mut LogSink, batch: &[Record]) -> bool {
        tokio::time::timeout(Duration::from_millis(50), sink.deliver(batch)).await.is_err()
    }

    #[tokio::test]
    async fn one_event_is_one_line() {
        let (reader, mut sink) = piped();
        let batch = records(3);
        assert!(all_delivered(&sink.deliver(&batch).await, &batch));
        assert!(sink.deliver(&[]).await.is_empty());
        drop(sink);
        assert_eq!(read_all(reader).join().unwrap(), lines(&batch));
    }

    #[tokio::test]
    async fn a_reader_that_does_not_read_holds_up_this_sink_alone() {
        let (reader, mut sink) = piped();
        let batch = many();
        assert!(times_out(&mut sink, &batch).await, "the pipe took more than a pipe holds");
        // That delivery was dropped amid a line. The next is written behind it, and not into it.
        let read = read_all(reader);
        let next = records(1001).split_off(1000);
        assert!(all_delivered(&sink.deliver(&next).await, &next));
        drop(sink);
        assert_eq!(read.join().unwrap(), lines(&batch) + &lines(&next));
    }

    #[tokio::test]
    async fn a_closed_reader_is_a_failure_with_a_reason() {
        let (reader, mut sink) = piped();
        drop(reader);
        let outcomes = sink.deliver(&records(2)).await;
        assert_eq!(outcomes.len(), 2);
        for outcome in outcomes {
            let error = outcome.unwrap_err();
            assert!(matches!(error, DeliveryError::Transient { .. }));
            assert!(error.to_string().starts_with("stdout is closed, nobody reads it any more: "), "{error}");
        }
    }

    #[tokio::test]
    async fn a_non_blocking_stdout_is_waited_for() {
        let (reader, writer) = pipe().unwrap();
        rustix::io::ioctl_fionbio(&writer, true).unwrap();
        let mut sink = LogSink::with_target(File::from(OwnedFd::from(writer)));
        let batch = many();
        assert!(times_out(&mut sink, &batch).await);
        let read = read_all(reader);
        assert!(all_delivered(&sink.deliver(&batch[..1]).await, &batch[..1]));
        drop(sink);
        assert_eq!(read.join().unwrap(), lines(&batch) + &lines(&batch[..1]));
    }

    #[tokio::test]
    async fn a_line_that_was_begun_is_finished_first_and_not_written_again() {
        let batch = records(3);
        let expected = lines(&batch);
        let scratch = tempfile::NamedTempFile::new().unwrap();
        for written in 0..=expected.len() {
            // The state after a write that failed behind so many bytes.
            let mut output = Output::new(scratch.reopen().unwrap());
            output.fill(&batch);
            output.written = written;
            output.keep_rest();
            let done = batch.iter().filter(|record| output.has_written(record.offset)).count();
            assert_eq!(done, expected[..written].matches('\n').count());

            // Another failure before anything else is written changes nothing.
            output.fill(&batch[done..]);
            output.keep_rest();

            output.file.set_len(0).unwrap();
            output.file.write_all(&expected.as_bytes()[..written]).unwrap();
            let mut sink = LogSink { output: Some(output), running: None };
            assert!(all_delivered(&sink.deliver(&batch[done..]).await, &batch[done..]));
            assert_eq!(std::fs::read_to_string(scratch.path()).unwrap(), expected, "{written}");
        }
    }

    #[tokio::test]
    async fn a_line_that_was_begun_is_finished_also_when_others_follow() {
        let batch = records(3);
        let scratch = tempfile::NamedTempFile::new().unwrap();
        let mut output = Output::new(scratch.reopen().unwrap());
        output.fill(&batch[..1]);
        output.written = 10;
        output.keep_rest();
        output.file.write_all(&lines(&batch).as_bytes()[..10]).unwrap();
        let mut sink = LogSink { output: Some(output), running: None };
        assert!(all_delivered(&sink.deliver(&batch[1..]).await, &batch[1..]));
        assert_eq!(std::fs::read_to_string(scratch.path()).unwrap(), lines(&batch));
    }

    #[tokio::test]
    async fn a_full_disk_behind_stdout_is_transient() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let error = LogSink::with_target(full).deliver(&records(1)).await.remove(0).unwrap_err();
        assert!(
            matches!(&error, DeliveryError::Transient { reason, .. } if reason.starts_with("stdout cannot be written: "))
        );
    }

    #[tokio::test]
    async fn no_name_can_inject_a_line_or_an_escape_sequence() {
        let hostile = "\\u001b[31m\\n{}\\r\\u2028\\u0085\\u009b2J\\u0000\\u007f\u{2028}\u{85}\u{9b}\u{7f}";
        let body = format!(r#"{{"event_type":1,"stream_id":"{hostile}","app":"{hostile}","{hostile}":["{hostile}"]}}"#);
        let (reader, mut sink) = piped();
        let batch = [Record { offset: Offset(1), event: event(&body) }];
        assert!(all_delivered(&sink.deliver(&batch).await, &batch));
        drop(sink);
        let text = read_all(reader).join().unwrap();
        let line = text.strip_suffix('\n').unwrap();
        assert!(!line.contains(|character: char| character.is_control() || character == '\u{2028}'), "{line:?}");
    }
}
