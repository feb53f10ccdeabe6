//! The thread that alone changes the journal.
//!
//! It takes all that is waiting, commits it in one transaction with one sync, and hands the answers of the whole batch over
//! at once, to [`Exchange`](super::Exchange). It waits for nobody but the disk.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

use super::exchange::Settled;
use super::pruning::Housekeeping;
use super::queue::{Alter, Append, Queue, Work};
use super::store::{Now, Store};
use super::{AppendError, Appended, JournalError, Offset, Record};
use crate::telemetry::Metrics;

/// How often the writer looks after size and age.
const HOUSEKEEPING: Duration = Duration::from_secs(1);

/// How long one look may prune before events get their turn.
const PRUNING: Duration = Duration::from_millis(10);

/// How long a journal that failed is left alone before it is tried again.
const REOPENING: Duration = Duration::from_secs(1);

/// Shares of the size limit at which an operator is warned.
const WARNINGS_PERCENT: [u64; 2] = [50, 80];

/// Why the journal refuses events, shared with those that append.
pub(super) type Refuses = Arc<Mutex<Option<AppendError>>>;

/// The writer's state between two steps.
pub(super) struct Writer {
    queue: Arc<Queue>,
    settled: mpsc::Sender<Settled>,
    refuses: Refuses,
    metrics: Arc<Metrics>,
    /// How many dead letters each consumer has. Also sent when a redrive, a drop or a replay was asked for and no number has
    /// changed.
    dead_letters: watch::Sender<Vec<i64>>,
    store: State,
    began: Instant,
    next_housekeeping: Instant,
    warned_percent: u64,
}

enum State {
    Open(Box<Store>),
    /// The last commit failed; the parts are those that open it again.
    Broken {
        reopen: Box<dyn FnMut(Now) -> Result<Store, JournalError> + Send>,
        reason: String,
    },
}

impl Writer {
    pub(super) fn new(
        store: Store,
        queue: Arc<Queue>,
        settled: mpsc::Sender<Settled>,
        refuses: Refuses,
        metrics: Arc<Metrics>,
        dead_letters: watch::Sender<Vec<i64>>,
        began: Instant,
    ) -> Writer {
        let store = State::Open(Box::new(store));
        Writer {
            queue,
            settled,
            refuses,
            metrics,
            dead_letters,
            store,
            began,
            next_housekeeping: began,
            warned_percent: 0,
        }
    }

    /// Works until the queue is closed and empty.
    pub(super) fn run(mut self) {
        // Also when a step panics, nobody may wait for an answer that does not come.
        let _closed_at_the_end = CloseQueue(Arc::clone(&self.queue));
        loop {
            let patience = self.next_housekeeping.saturating_duration_since(Instant::now());
            let mut work = self.queue.take(patience);
            let is_last = work.is_last;
            let alters = std::mem::take(&mut work.alters);
            let now = Now { wall_ms: jiff::Timestamp::now().as_millisecond(), monotonic: self.began.elapsed() };
            let settled = self.step(work, now);
            if let Some(settled) = settled
                && self.settled.blocking_send(settled).is_err()
            {
                return;
            }
            for alter in alters {
                self.alter(alter, now);
            }
            if is_last {
                return;
            }
            if Instant::now() >= self.next_housekeeping
                && let Some(settled) = self.keep_house(now)
                && self.settled.blocking_send(settled).is_err()
            {
                return;
            }
        }
    }

    /// Settles one batch.
    fn step(&mut self, work: Work, now: Now) -> Option<Settled> {
        let Work { appends, advances, .. } = work;
        if appends.is_empty() && advances.is_empty() {
            return None;
        }
        let began = Instant::now();
        let result = match &mut self.store {
            State::Open(store) => store.commit(&appends, &advances, now),
            State::Broken { reason, .. } => {
                let error = AppendError::Broken(reason.clone());
                return Some(Settled {
                    appends: appends.into_iter().map(|append| (append.reply, Err(error.clone()))).collect(),
                    advances: advances
                        .into_iter()
                        .map(|advance| (advance.reply, Err(JournalError::Broken(reason.clone()))))
                        .collect(),
                    stored: Vec::new(),
                    head: Offset(0),
                });
            }
        };
        match result {
            Ok(outcomes) => {
                if advances
                    .iter()
                    .any(|advance| !advance.progress.dead_letters.is_empty() || !advance.progress.settled.is_empty())
                {
                    self.publish_dead_letters();
                }
                let stored = outcomes.iter().filter(|outcome| **outcome == Ok(Appended::Stored)).count();
                if stored > 0 {
                    self.metrics.commit(stored, began.elapsed());
                }
                let is_full = outcomes.contains(&Err(AppendError::Full));
                // A batch of duplicates or of progress alone shows nothing of the room for events.
                if is_full || stored > 0 {
                    self.set_refuses(is_full.then_some(AppendError::Full));
                }
                let head = self.head();
                let offsets = (head.0 - stored as i64 + 1..).map(Offset);
                let is_stored =
                    |(_, outcome): &(&Append, &Result<Appended, AppendError>)| **outcome == Ok(Appended::Stored);
                let stored = appends.iter().zip(&outcomes).filter(is_stored).zip(offsets);
                Some(Settled {
                    stored: stored
                        .map(|((append, _), offset)| Record { offset, event: append.event.clone() })
                        .collect(),
                    appends: appends.into_iter().map(|append| append.reply).zip(outcomes).collect(),
                    advances: advances.into_iter().map(|advance| (advance.reply, Ok(()))).collect(),
                    head,
                })
            }
            Err(error) => {
                self.fail(&error);
                self.step(Work { appends, advances, ..Work::default() }, now)
            }
        }
    }

    /// Changes what somebody wants changed.
    fn alter(&mut self, Alter { slice, reply }: Alter, now: Now) {
        let result = match &mut self.store {
            State::Open(store) => store.alter(slice, now),
            State::Broken { reason, .. } => Err(JournalError::Broken(reason.clone())),
        };
        match &result {
            Ok(_) => self.publish_dead_letters(),
            Err(JournalError::Broken(_)) => {}
            Err(error) => self.fail(error),
        }
        // Who gave up waiting is gone.
        let _ = reply.send(result);
    }

    /// Before whoever waits is answered: they may look at once.
    fn publish_dead_letters(&self) {
        if let State::Open(store) = &self.store {
            self.dead_letters.send_replace(store.dead_letters());
        }
    }

    fn head(&self) -> Offset {
        match &self.store {
            State::Open(store) => store.head(),
            State::Broken { .. } => Offset(0),
        }
    }

    /// After a failure nothing in memory is believed: the journal is opened anew before it takes anything.
    fn fail(&mut self, error: &JournalError) {
        let reason = error.to_string();
        tracing::error!(error = reason, "the journal failed: events are refused until it has proven itself");
        self.set_refuses(Some(AppendError::Broken(reason.clone())));
        if let State::Open(store) = &self.store {
            self.next_housekeeping = Instant::now() + REOPENING;
            self.store = State::Broken { reopen: Box::new(store.reopener()), reason };
        }
    }

    /// Looks after size and age, or opens a journal that failed. Of one that was opened it tells where it ends.
    fn keep_house(&mut self, now: Now) -> Option<Settled> {
        let began = Instant::now();
        self.next_housekeeping = began + HOUSEKEEPING;
        match &mut self.store {
            State::Open(store) => match store.keep_house(now, || began.elapsed() > PRUNING) {
                Ok(found) => self.report(&found),
                Err(error) => self.fail(&error),
            },
            State::Broken { reopen, reason } => match reopen(now) {
                Ok(store) => {
                    tracing::info!("the journal can be written again");
                    let head = store.head();
                    self.store = State::Open(Box::new(store));
                    self.set_refuses(None);
                    // What failed may be durable nevertheless.
                    self.publish_dead_letters();
                    return Some(Settled { head, ..Settled::default() });
                }
                Err(error) => {
                    let text = error.to_string();
                    if text != *reason {
                        tracing::error!(error = text, "the journal still fails");
                        *reason = text;
                    }
                    self.next_housekeeping = Instant::now() + REOPENING;
                }
            },
        }
        None
    }

    fn report(&mut self, found: &Housekeeping) {
        if found.has_more {
            self.next_housekeeping = Instant::now() + PRUNING;
        }
        self.metrics.journal_bytes(found.used_bytes);
        self.metrics.dedupe_window(i64::from(found.true_window_secs));
        let State::Open(store) = &self.store else { return };
        let limit = store.options().size_bytes_max;
        let percent = found.held_bytes.saturating_mul(100) / limit.max(1);
        let reached = WARNINGS_PERCENT.into_iter().filter(|warning| percent >= *warning).max().unwrap_or(0);
        if reached > self.warned_percent {
            let slowest = found.slowest.as_deref().unwrap_or("none: it is dead letters");
            tracing::warn!(
                slowest_sink = slowest,
                percent,
                limit_bytes = limit,
                "the journal fills up with what it may not drop, for sinks or the index that are behind, or as dead letters: at the limit, new events are refused"
            );
        }
        self.warned_percent = reached;
        if self.is_refusing_as_full() && found.has_room {
            // The next batch would find out too; until it comes, readiness must not stay wrong.
            self.set_refuses(None);
        }
    }

    fn is_refusing_as_full(&self) -> bool {
        *self.refuses.lock().unwrap_or_else(PoisonError::into_inner) == Some(AppendError::Full)
    }

    fn set_refuses(&self, reason: Option<AppendError>) {
        let mut refuses = self.refuses.lock().unwrap_or_else(PoisonError::into_inner);
        if *refuses != reason {
            if reason == Some(AppendError::Full) {
                tracing::error!("{}", AppendError::Full);
            }
            *refuses = reason;
        }
    }
}

struct CloseQueue(Arc<Queue>);

impl Drop for CloseQueue {
    fn drop(&mut self) {
        self.0.close();
        // Whoever came too late is dropped with the rest, and learns that the journal is closed.
        while !self.0.take(Duration::ZERO).is_last {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Options;

    #[test]
    fn a_journal_that_failed_is_opened_again_at_the_next_look() {
        let directory = tempfile::tempdir().unwrap();
        let now = Now { wall_ms: 0, monotonic: Duration::ZERO };
        let store = Store::open(directory.path(), &Options::default(), &[], now).unwrap();
        let (settled, _settled) = mpsc::channel(1);
        let queue = Arc::new(Queue::new(1, 1));
        let dead_letters = watch::channel(Vec::new()).0;
        let mut writer =
            Writer::new(store, queue, settled, Refuses::default(), Arc::default(), dead_letters, Instant::now());
        writer.fail(&JournalError::Closed);
        let look = writer.next_housekeeping.saturating_duration_since(Instant::now());
        assert!(look <= REOPENING && matches!(writer.store, State::Broken { .. }));
        assert!(writer.keep_house(now).is_some() && matches!(writer.store, State::Open(_)));
    }
}
