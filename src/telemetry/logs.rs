//! Between those who have something to say and stderr: a bounded queue and a thread that writes.
//!
//! Whatever is at the other end of stderr may be slow, stuck or gone. That is no reason to stop answering callbacks, so
//! what does not fit into the queue is lost, and the number of lost lines is told as soon as there is room.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// How much may wait to be written, in bytes.
const WAITING_BYTES_MAX: usize = 1024 * 1024;

/// How long the last lines are waited for at the end. It comes on top of the grace for the rest.
const FINISH_PATIENCE: Duration = Duration::from_millis(250);

/// Diagnostics on their way.
#[derive(Debug)]
pub struct Log {
    queue: Arc<Queue>,
}

impl Log {
    /// Starts the thread that writes, and calls `tell_lost` with the number of lost lines where they are missing. It ends
    /// with the process, since a write that blocks cannot be ended otherwise.
    pub(super) fn start(writer: impl Write + Send + 'static, tell_lost: impl Fn(u64) + Send + 'static) -> Log {
        let queue = Arc::new(Queue::default());
        let filled = Arc::clone(&queue);
        // Without the thread, the lines are lost: a service that runs in silence is better than none.
        let _ = std::thread::Builder::new().name("log".to_owned()).spawn(move || filled.empty_into(writer, tell_lost));
        Log { queue }
    }

    /// What makes the writers of single lines.
    pub(super) fn writer(&self) -> LineWriter {
        LineWriter { queue: Arc::clone(&self.queue) }
    }

    /// Waits until everything said is written, but not long: what stderr does not take then is lost.
    pub fn finish(self) {
        let state = self.queue.lock();
        let is_busy = |state: &mut State| state.is_writing || !state.lines.is_empty();
        drop(self.queue.changed.wait_timeout_while(state, FINISH_PATIENCE, is_busy));
    }
}

/// Takes lines, each in one write. It neither waits nor fails.
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
    lost: u64,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, line: &[u8]) {
        let mut state = self.lock();
        if state.bytes + line.len() > WAITING_BYTES_MAX {
            state.lost += 1;
            return;
        }
        state.bytes += line.len();
        state.lines.push_back(line.into());
        self.changed.notify_all();
    }

    fn empty_into(&self, mut writer: impl Write, tell_lost: impl Fn(u64)) {
        loop {
            let mut state = self.lock();
            state.is_writing = false;
            if state.lines.is_empty() && state.lost > 0 {
                let lines = std::mem::take(&mut state.lost);
                drop(state);
                tell_lost(lines);
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
            // There is nobody to tell.
            let _ = writer.write_all(&line);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Hands each line over, and blocks until somebody takes it.
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
    fn what_does_not_fit_is_lost_and_counted_and_nobody_waits() {
        let (sender, taken) = mpsc::sync_channel(0);
        let (tell, told) = mpsc::channel();
        let log = Log::start(Slow(sender), move |lines| tell.send(lines).unwrap());
        let line = |number: usize| format!("{number} {}\n", "x".repeat(WAITING_BYTES_MAX / 10 - 16));
        for number in 0..30 {
            log.writer().write_all(line(number).as_bytes()).unwrap();
        }
        let mut kept = 0;
        while let Ok(taken) = taken.recv_timeout(Duration::from_millis(500)) {
            assert_eq!(taken, line(kept));
            kept += 1;
        }
        assert!((10..=11).contains(&kept), "{kept} were kept: the queue, and the one that was being written");
        assert_eq!(told.try_iter().collect::<Vec<_>>(), [30 - kept as u64]);
        log.writer().write_all(b"after\n").unwrap();
        assert_eq!(taken.recv().unwrap(), "after\n");
    }

    #[test]
    fn the_end_waits_for_what_is_being_written_and_not_for_what_is_stuck() {
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
