//! The writer thread, the only one that changes the journal. It waits for nothing but its inbox and the disk.
//!
//! It takes everything that waits in the inbox, commits events and progress in one transaction with one sync, and passes their
//! results to [`Wakeups`](super::Wakeups) at once. Each edit then has a transaction and a reply of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};

use super::super::{AppendError, Appended, JournalError, Offset, Record};
use super::availability::Availability;
use super::inbox::{Advance, Append, Batch, Edit, Inbox, Reply};
use super::now::{Clocks, Now};
use super::store::{CommitReport, PruningReport, Store};
use super::wakeups::Committed;
use crate::telemetry::Metrics;

/// How often the writer prunes the journal.
const PRUNING_INTERVAL: Duration = Duration::from_secs(1);

/// How often it does so if nothing was written. A service without work should not wake the processor.
const IDLE_PRUNING_INTERVAL: Duration = Duration::from_secs(10);

/// How long the writer prunes at a time. The slice at the end may take it further.
const PRUNING_MAX: Duration = Duration::from_millis(5);

/// While there is more to prune, each pause is this many times as long as the work before it.
const PRUNING_PAUSE: u32 = 3;

/// How long the writer waits before it tries to reopen a journal that failed.
const REOPEN_WAIT: Duration = Duration::from_secs(1);

/// How long the writer removes nothing after pruning failed. Each further failure doubles it, up to the maximum.
const FAILED_PRUNING_WAIT: Duration = Duration::from_secs(60);
const FAILED_PRUNING_WAIT_MAX: Duration = Duration::from_secs(3600);

/// Shares of the size limit at which the log warns.
const WARNINGS_PERCENT: [u64; 2] = [50, 80];

/// Connects the writer thread to the rest of the journal.
pub(in super::super) struct Links {
    pub(in super::super) inbox: Arc<Inbox>,
    pub(in super::super) committed: mpsc::Sender<Committed>,
    pub(in super::super) availability: Availability,
    /// How many dead letters each consumer has. Also sent when a redrive or a replay changed no number.
    pub(in super::super) dead_letters: watch::Sender<Vec<i64>>,
    pub(in super::super) metrics: Arc<Metrics>,
    pub(in super::super) clocks: Clocks,
}

/// The writer thread.
pub(in super::super) struct Writer {
    links: Links,
    state: State,
    /// When the writer prunes the journal next, or reopens it after a failure.
    next_maintenance: Instant,
    /// How often pruning has failed in a row, and until when the writer removes nothing, on the monotonic clock.
    failed_prunings: u32,
    no_pruning_until: Duration,
    warned_percent: u64,
}

enum State {
    Open(Box<Store>),
    /// A commit failed, and the journal could not be opened again yet.
    Broken {
        reopen: Box<dyn FnMut(Now) -> Result<Store, JournalError> + Send>,
        error: AppendError,
    },
}

impl Writer {
    pub(in super::super) fn new(store: Store, links: Links) -> Writer {
        Writer {
            links,
            state: State::Open(Box::new(store)),
            next_maintenance: Instant::now(),
            failed_prunings: 0,
            no_pruning_until: Duration::ZERO,
            warned_percent: 0,
        }
    }

    /// Works until the inbox is closed and empty.
    pub(in super::super) fn run(mut self) {
        let _closed_at_the_end = CloseInbox(Arc::clone(&self.links.inbox));
        loop {
            let wait_max = self.next_maintenance.saturating_duration_since(Instant::now());
            let Batch { appends, advances, edits, is_last } = self.links.inbox.take(wait_max);
            let now = self.links.clocks.now();
            if !(appends.is_empty() && advances.is_empty() && edits.is_empty()) {
                self.next_maintenance = self.next_maintenance.min(Instant::now() + PRUNING_INTERVAL);
            }
            if !(appends.is_empty() && advances.is_empty()) {
                let committed = self.commit(appends, advances, now);
                // The task that passes replies on has ended, so nothing waits for one.
                if self.links.committed.blocking_send(committed).is_err() {
                    return;
                }
            }
            for edit in edits {
                self.edit(edit, now);
            }
            if is_last {
                return;
            }
            if Instant::now() >= self.next_maintenance
                && let Some(committed) = self.maintain(now)
                && self.links.committed.blocking_send(committed).is_err()
            {
                return;
            }
        }
    }

    /// Commits events and progress together.
    fn commit(&mut self, appends: Vec<Append>, advances: Vec<Advance>, now: Now) -> Committed {
        let began = Instant::now();
        let store = match &mut self.state {
            State::Open(store) => store,
            State::Broken { error, .. } => return refuse(error, appends, advances),
        };
        let CommitReport { results, confirmed } = match store.commit(&appends, &advances, now) {
            Ok(report) => report,
            Err(error) => {
                let error = self.fail(&error);
                return refuse(&error, appends, advances);
            }
        };
        let (head, remembered) = (store.head(), store.remembered_ids());
        if advances
            .iter()
            .any(|Advance { progress, .. }| !progress.dead_letters.is_empty() || !progress.redrive_attempts.is_empty())
        {
            self.publish_dead_letters();
        }
        let stored = results.iter().filter(|result| **result == Ok(Appended::Stored)).count();
        if stored > 0 {
            self.links.metrics.commit(stored, began.elapsed());
            self.links.metrics.limits().dedupe_ids(remembered);
        }
        let is_full = results.contains(&Err(AppendError::Full));
        // A batch of duplicates or of progress alone does not show whether there is space.
        if is_full || stored > 0 {
            self.links.availability.set(is_full.then_some(AppendError::Full));
        }
        // Offsets of one commit have no gaps, and the last one is the head.
        let offsets = (head.0 - stored as i64 + 1..).map(Offset);
        let is_stored = |(_, result): &(&Append, &Result<Appended, AppendError>)| **result == Ok(Appended::Stored);
        let stored = appends.iter().zip(&results).filter(is_stored).zip(offsets);
        Committed {
            stored: stored.map(|((append, _), offset)| Record { offset, event: append.event.clone() }).collect(),
            confirmed,
            appends: appends.into_iter().map(|append| append.reply).zip(results).collect(),
            advances: advances.into_iter().map(|advance| (advance.reply, Ok(()))).collect(),
            head,
        }
    }

    fn edit(&mut self, edit: Edit, now: Now) {
        match edit {
            Edit::DeadLetters(step, reply) => self.edit_store(reply, |store| store.change_dead_letters(step, now)),
            Edit::BeginReplay(replay, reply) => self.edit_store(reply, |store| store.begin_replay(&replay, now)),
            Edit::CancelReplay(number, reply) => self.edit_store(reply, |store| store.cancel_replay(number, now)),
            Edit::AddConsumer(name, start, reply) => self.edit_store(reply, |store| store.add_consumer(&name, start)),
            Edit::RetireConsumer(name, reply) => self.edit_store(reply, |store| store.retire_consumer(&name)),
            Edit::SetOptions(options, reply) => self.edit_store(reply, |store| {
                store.set_options(options);
                Ok(())
            }),
        }
    }

    fn edit_store<T>(&mut self, reply: Reply<T>, edit: impl FnOnce(&mut Store) -> Result<T, JournalError>) {
        let result = match &mut self.state {
            State::Open(store) => edit(store),
            State::Broken { error, .. } => Err(JournalError::of_failure(error)),
        };
        match &result {
            Ok(_) => self.publish_dead_letters(),
            // The second concerns one consumer, and nothing has changed.
            Err(JournalError::Broken(_) | JournalError::Cursor { .. }) => {}
            Err(error) => {
                self.fail(error);
            }
        }
        // A request that timed out dropped its receiver.
        let _ = reply.send(result);
    }

    /// Must come before the replies: a caller may read the numbers as soon as it has its reply.
    fn publish_dead_letters(&self) {
        if let State::Open(store) = &self.state {
            self.links.dead_letters.send_replace(store.dead_letters());
        }
    }

    /// Stops the use of the open journal: after a failure, its memory may not match the file. Returns why events are refused.
    fn fail(&mut self, error: &JournalError) -> AppendError {
        tracing::error!(
            error = error.to_string(),
            "the journal failed: events are refused until it can be written again"
        );
        let error = AppendError::of_failure(error);
        self.links.availability.set(Some(error.clone()));
        if let State::Open(store) = &self.state {
            self.next_maintenance = Instant::now() + REOPEN_WAIT;
            self.state = State::Broken { reopen: Box::new(store.reopener()), error: error.clone() };
        }
        error
    }

    /// Prunes the journal, or reopens it after a failure. If it reopened the journal, the result has its head.
    fn maintain(&mut self, now: Now) -> Option<Committed> {
        self.next_maintenance = Instant::now() + IDLE_PRUNING_INTERVAL;
        match &self.state {
            State::Open(_) => self.prune_store(now),
            State::Broken { .. } => self.reopen_store(now),
        }
    }

    /// Prunes the journal. If that failed and the journal was reopened, the result has its head.
    fn prune_store(&mut self, now: Now) -> Option<Committed> {
        let State::Open(store) = &mut self.state else { return None };
        let began = Instant::now();
        let limit_bytes = store.options().size_bytes_max;
        let may_prune = now.monotonic >= self.no_pruning_until;
        let result = match may_prune {
            // An event waits for the slice at work, and not for the next one.
            true => store.prune(now, || began.elapsed() > PRUNING_MAX || self.links.inbox.has_events()),
            false => store.measure(now),
        };
        match result {
            Ok(report) => {
                self.report(&report, limit_bytes, began.elapsed());
                if may_prune {
                    self.failed_prunings = 0;
                }
            }
            Err(error) if error.is_damage() => return self.postpone_pruning(&error, now),
            Err(error) => {
                self.fail(&error);
            }
        }
        None
    }

    /// Opens the journal again after pruning met damage, because the memory may not match the file. New events don't depend on
    /// pruning, so they are refused only if the journal cannot be opened.
    fn postpone_pruning(&mut self, error: &JournalError, now: Now) -> Option<Committed> {
        let State::Open(store) = &self.state else { return None };
        let wait = FAILED_PRUNING_WAIT.saturating_mul(1 << self.failed_prunings.min(10)).min(FAILED_PRUNING_WAIT_MAX);
        self.failed_prunings = self.failed_prunings.saturating_add(1);
        self.no_pruning_until = now.monotonic + wait;
        tracing::error!(
            error = error.to_string(),
            "the journal cannot remove old events, and tries again in {} s",
            wait.as_secs()
        );
        self.state = State::Broken { reopen: Box::new(store.reopener()), error: AppendError::of_failure(error) };
        self.reopen_store(now)
    }

    fn reopen_store(&mut self, now: Now) -> Option<Committed> {
        let State::Broken { reopen, error: known } = &mut self.state else { return None };
        match reopen(now) {
            Ok(store) => {
                tracing::info!("the journal can be written again");
                let head = store.head();
                self.state = State::Open(Box::new(store));
                self.links.availability.set(None);
                // The failed commit may be durable nevertheless.
                self.publish_dead_letters();
                Some(Committed { head, ..Committed::default() })
            }
            Err(error) => {
                let now = AppendError::of_failure(&error);
                self.links.availability.set(Some(now.clone()));
                if now != *known {
                    tracing::error!(error = error.to_string(), "the journal still fails");
                    *known = now;
                }
                self.next_maintenance = Instant::now() + REOPEN_WAIT;
                None
            }
        }
    }

    fn report(&mut self, report: &PruningReport, limit_bytes: u64, took: Duration) {
        if report.has_more {
            self.next_maintenance = Instant::now() + took * PRUNING_PAUSE;
        }
        let (used_bytes, file_bytes) = (report.file.used_bytes(), report.file.file_bytes());
        self.links.metrics.disk().journal(used_bytes, file_bytes, report.held_bytes);
        self.links.metrics.dedupe_window(i64::from(report.window_secs));
        self.links.metrics.limits().dedupe_ids(report.window_ids);
        let percent = report.held_bytes.saturating_mul(100) / limit_bytes.max(1);
        let reached = WARNINGS_PERCENT.into_iter().filter(|warning| percent >= *warning).max().unwrap_or(0);
        // Each mark is reported once, not every second, until the size falls below it.
        if reached > self.warned_percent {
            let slowest = report.slowest.as_deref().unwrap_or("none: dead letters take the space");
            tracing::warn!(
                slowest_sink = slowest,
                percent,
                limit_bytes,
                "the journal fills up with records that a sink or the index still needs, or with dead letters: at the limit, new events are refused"
            );
        }
        self.warned_percent = reached;
        // Without this, readiness would stay wrong until the next batch.
        if report.has_space && self.links.availability.error() == Some(AppendError::Full) {
            self.links.availability.set(None);
        }
    }
}

fn refuse(error: &AppendError, appends: Vec<Append>, advances: Vec<Advance>) -> Committed {
    let advance_error = || Err(JournalError::of_failure(error));
    Committed {
        appends: appends.into_iter().map(|append| (append.reply, Err(error.clone()))).collect(),
        advances: advances.into_iter().map(|advance| (advance.reply, advance_error())).collect(),
        ..Committed::default()
    }
}

/// Closes the inbox when the writer ends, even by a panic, so that nothing waits for a reply for ever.
struct CloseInbox(Arc<Inbox>);

impl Drop for CloseInbox {
    fn drop(&mut self) {
        self.0.close();
        // Dropping the remaining entries drops their replies, which reports that the journal is closed.
        while !self.0.take(Duration::ZERO).is_last {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::Options;
    use super::super::super::testing::{event, offsets};
    use super::super::testing::{append_all, appends, at, open};
    use super::*;
    use crate::clock::system_clock;

    /// A writer that works by the call.
    fn writer(store: Store, clocks: Clocks) -> Writer {
        let (committed, _) = mpsc::channel(1);
        let links = Links {
            inbox: Arc::new(Inbox::new(1, 1)),
            committed,
            availability: Availability::default(),
            dead_letters: watch::channel(Vec::new()).0,
            metrics: Arc::default(),
            clocks,
        };
        Writer::new(store, links)
    }

    #[test]
    fn waiting_event_ends_pruning() {
        let directory = tempfile::tempdir().unwrap();
        let mut store = open(directory.path());
        append_all(&mut store, 2500);
        store.pass(0, 2500);
        let mut writer = writer(store, Clocks::start(system_clock));
        let event = appends([event(1)]).remove(0);
        writer.links.inbox.append(event, Instant::now()).unwrap();
        writer.prune_store(at(31 * 86_400));
        assert_eq!(offsets(directory.path()).len(), 2250, "the event waits for one slice");
        assert!(writer.next_maintenance < Instant::now() + PRUNING_INTERVAL, "the rest is pruned soon");
    }

    #[test]
    fn damage_stops_pruning_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let mut store = open(directory.path());
        append_all(&mut store, 100);
        store.pass(0, 100);
        let damage = "UPDATE records SET received_ms = 'damaged' WHERE offset = 1";
        let journal = rusqlite::Connection::open(directory.path().join("journal.db")).unwrap();
        assert_eq!(journal.execute(damage, []).unwrap(), 1);
        let mut writer = writer(store, Clocks::start(system_clock));
        let late = 31 * 86_400;
        let reopened = writer.prune_store(at(late)).unwrap();
        assert_eq!((reopened.head, writer.failed_prunings), (Offset(100), 1));
        for (secs, failed) in [(late + 59, 1), (late + 60, 2), (late + 179, 2), (late + 180, 3)] {
            writer.prune_store(at(secs));
            assert_eq!(writer.failed_prunings, failed, "{secs}");
            assert!(matches!(writer.state, State::Open(_)) && writer.links.availability.error().is_none());
        }
    }

    #[test]
    fn failed_journal_is_opened_again() {
        let directory = tempfile::tempdir().unwrap();
        let clocks = Clocks::start(system_clock);
        let store = Store::open(directory.path(), &Options::default(), &[], clocks.now()).unwrap();
        let mut writer = writer(store, clocks);
        writer.fail(&JournalError::Closed);
        let wait = writer.next_maintenance.saturating_duration_since(Instant::now());
        assert!(wait <= REOPEN_WAIT && matches!(writer.state, State::Broken { .. }));
        assert!(writer.maintain(clocks.now()).is_some() && matches!(writer.state, State::Open(_)));
    }
}
