//! A bounded queue of log lines, and the thread that writes them to stderr.
//!
//! The reader of stderr may be slow, stuck or gone, but livehook must still answer callbacks. If a line does not fit into the
//! queue, it is dropped. When the queue is empty again, the log shows how many lines were dropped.
//!
//! livehook does not use `tracing-appender`, because it limits its queue by lines and not by bytes, does not log the number of
//! dropped lines, waits longer at the end, and prints to stdout if its queue is full at the end.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// The most bytes that may wait in the queue.
const WAITING_BYTES_MAX: usize = 1024 * 1024;

/// How long the end of the process waits for the last lines, in addition to `shutdown_grace_secs`.
const FINISH_PATIENCE: Duration = Duration::from_millis(250);

/// The log. Keep it until the end of the process, see [`Log::finish`].
#[derive(Debug)]
pub struct Log {
    queue: Arc<Queue>,
}

impl Log {
    /// Starts the thread that writes. After the thread has dropped lines, it calls `report_dropped` with their number. The thread
    /// ends with the process, because nothing else ends a blocked write.
    pub(super) fn start(writer: impl Write + Send + 'static, report_dropped: impl Fn(u64) + Send + 'static) -> Log {
        let queue = Arc::new(Queue::default());
        let filled = Arc::clone(&queue);
        // If the thread can't start, no line is written. A service without a log is better than no service.
        let _ =
            std::thread::Builder::new().name("log".to_owned()).spawn(move || filled.empty_into(writer, report_dropped));
        Log { queue }
    }

    /// Returns a writer for the subscriber of `tracing`.
    pub(super) fn writer(&self) -> LineWriter {
        LineWriter { queue: Arc::clone(&self.queue) }
    }

    /// Waits until every line is written, but at most 250 ms. The remaining lines are dropped.
    pub fn finish(self) {
        let state = self.queue.lock();
        let is_busy = |state: &mut State| state.is_writing || !state.lines.is_empty();
        drop(self.queue.changed.wait_timeout_while(state, FINISH_PATIENCE, is_busy));
    }
}

/// Puts each write into the queue as one line. It neither waits nor fails.
#[derive(Clone, Debug)]
pub(super) struct LineWriter {
    queue: Arc<Queue>,
}

impl Write for LineWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.queue.add(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for LineWriter {
    type Writer = LineWriter;

    fn make_writer(&self) -> LineWriter {
        self.clone()
    }
}

#[derive(Debug, Default)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: VecDeque<Box<[u8]>>,
    bytes: usize,
    is_writing: bool,
    dropped: u64,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, line: &[u8]) {
        let mut state = self.lock();
        if state.bytes + line.len() > WAITING_BYTES_MAX {
            state.dropped += 1;
            return;
        }
        state.bytes += line.len();
        state.lines.push_back(line.into());
        self.changed.notify_all();
    }

    fn empty_into(&self, mut writer: impl Write, report_dropped: impl Fn(u64)) {
        loop {
            let mut state = self.lock();
            state.is_writing = false;
            if state.lines.is_empty() && state.dropped > 0 {
                let lines = std::mem::take(&mut state.dropped);
                // The report is a line of this log, so it needs the lock.
                drop(state);
                report_dropped(lines);
                continue;
            }
            self.changed.notify_all();
            let waited = self.changed.wait_while(state, |state| state.lines.is_empty());
            let mut state = waited.unwrap_or_else(PoisonError::into_inner);
            let Some(line) = state.lines.pop_front() else {
                continue;
            };
            state.bytes -= line.len();
            state.is_writing = true;
            drop(state);
            // If stderr fails, there is no other place to report it.
            let _ = writer.write_all(&line);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Hands each line to a test, and blocks until the test takes it.
    struct Slow(mpsc::SyncSender<String>);

    impl Write for Slow {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.0.send(String::from_utf8_lossy(line).into_owned()).map_err(io::Error::other)?;
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn full_queue_drops_and_counts_lines() {
        let (sender, taken) = mpsc::sync_channel(0);
        let report = sender.clone();
        let log = Log::start(Slow(sender), move |lines| report.send(format!("{lines} dropped")).unwrap());
        let line = |number: usize| format!("{number} {}\n", "x".repeat(WAITING_BYTES_MAX / 10 - 16));
        log.writer().write_all(line(0).as_bytes()).unwrap();
        // Else the thread could take the first line after others were dropped, and one of the last would have its place.
        while !log.queue.lock().is_writing {
            std::thread::yield_now();
        }
        for number in 1..30 {
            log.writer().write_all(line(number).as_bytes()).unwrap();
        }
        let mut kept = 0;
        let reported = loop {
            let taken = taken.recv().unwrap();
            if taken != line(kept) {
                break taken;
            }
            kept += 1;
        };
        assert_eq!(kept, 11, "the line that was being written, and the queue");
        assert_eq!(reported, "19 dropped");
        log.writer().write_all(b"after\n").unwrap();
        assert_eq!(taken.recv().unwrap(), "after\n");
    }

    #[test]
    fn finish_waits_but_not_for_a_stuck_writer() {
        let (sender, taken) = mpsc::sync_channel(0);
        let log = Log::start(Slow(sender), |_| {});
        log.writer().write_all(b"last words\n").unwrap();
        let queue = Arc::clone(&log.queue);
        let reading = std::thread::spawn(move || {
            std::thread::sleep(FINISH_PATIENCE / 5);
            taken.recv().unwrap();
            taken
        });
        log.finish();
        let state = queue.lock();
        assert!(state.lines.is_empty() && !state.is_writing);
        drop(state);

        let _unread = reading.join().unwrap();
        let log = Log { queue };
        log.writer().write_all(b"stuck\n").unwrap();
        let began = std::time::Instant::now();
        log.finish();
        assert!(began.elapsed() >= FINISH_PATIENCE);
    }
}
