//! The worker of a sink and the admin endpoint share this state part by part, so a request never holds up a delivery.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::catch_up::CatchUp;
use super::requests::Requests;
use crate::callback::{Event, EventId, EventSelection};

/// The state of one sink's delivery. Its worker writes it, and the admin endpoint reads it.
#[derive(Debug, Default)]
pub struct Status {
    /// The configured name.
    pub sink: String,
    /// The `type`, as in the configuration.
    pub type_name: &'static str,
    /// The events that the sink is given.
    pub selection: EventSelection,
    /// The requests of people to its worker.
    pub requests: Requests,
    cursor: AtomicI64,
    oldest_pending_ms: AtomicI64,
    last_delivered_ms: AtomicI64,
    attempt: AtomicU32,
    dead_letters: AtomicI64,
    last_error: Mutex<Option<String>>,
    last_failure: Mutex<Option<PastFailure>>,
    failing: Mutex<Option<FailingEvent>>,
    held_streams: AtomicUsize,
    is_blocked: AtomicBool,
    catch_up: Mutex<CatchUp>,
}

/// An event that has failed and waits for its next attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailingEvent {
    /// Its id.
    pub id: EventId,
    /// The name of its stream; empty if it has none.
    pub stream: String,
}

impl FailingEvent {
    /// Names an event.
    pub(super) fn of(event: &Event) -> FailingEvent {
        FailingEvent { id: event.id(), stream: event.partition_key().stream().into_owned() }
    }
}

/// A failure of a sink, which may work again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastFailure {
    /// When an attempt failed, in Unix ms.
    pub failed_ms: i64,
    /// Why it failed.
    pub reason: String,
}

/// A [`Status`] at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusView {
    /// The offset up to which every record is finished.
    pub cursor: i64,
    /// When livehook received the oldest unfinished event, in Unix ms; `None` if every event is finished.
    pub oldest_pending_ms: Option<i64>,
    /// When the sink last took an event, in Unix ms; `None` if it has taken none since the start of the service.
    pub last_delivered_ms: Option<i64>,
    /// The number of the next attempt: 1 if the sink works.
    pub attempt: u32,
    /// The number of dead letters.
    pub dead_letters: i64,
    /// Why the sink failed last; `None` while it works.
    pub last_error: Option<String>,
    /// The newest failure since the service started, also if the sink works again.
    pub last_failure: Option<PastFailure>,
    /// The oldest event that has failed; `None` while every event passes.
    pub failing: Option<FailingEvent>,
    /// The number of streams whose events wait in the journal, because an earlier one of the stream has failed.
    pub held_streams: usize,
    /// Whether the sink reads no more events, because too many have failed or wait behind one that failed.
    pub is_blocked: bool,
    /// How long it takes to catch up at the present speed, in seconds; `None` if that is unknown.
    pub catch_up_secs: Option<i64>,
}

impl Status {
    /// The status of a worker that has not begun.
    pub fn new(sink: &str, type_name: &'static str) -> Status {
        Status { sink: sink.to_owned(), type_name, attempt: AtomicU32::new(1), ..Status::default() }
    }

    /// Limits the sink to the events of a selection.
    pub fn with_selection(self, selection: EventSelection) -> Status {
        Status { selection, ..self }
    }

    /// Shows the place of an earlier worker of the sink, until the new one begins.
    pub fn continue_after(&self, earlier: &Status) {
        let view = earlier.view();
        self.set_cursor(view.cursor);
        self.set_oldest_pending_ms(view.oldest_pending_ms);
        self.set_dead_letters(view.dead_letters);
        self.last_delivered_ms.store(view.last_delivered_ms.unwrap_or(0), Ordering::Relaxed);
    }

    /// Returns the present state. Its parts may be of slightly different moments.
    pub fn view(&self) -> StatusView {
        // 0 stands for none: no event was received in 1970.
        let moment = |stored: &AtomicI64| Some(stored.load(Ordering::Relaxed)).filter(|moment_ms| *moment_ms != 0);
        StatusView {
            cursor: self.cursor.load(Ordering::Relaxed),
            oldest_pending_ms: moment(&self.oldest_pending_ms),
            last_delivered_ms: moment(&self.last_delivered_ms),
            last_failure: self.last_failure.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            attempt: self.attempt.load(Ordering::Relaxed),
            dead_letters: self.dead_letters.load(Ordering::Relaxed),
            last_error: self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            failing: self.failing.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            held_streams: self.held_streams.load(Ordering::Relaxed),
            is_blocked: self.is_blocked.load(Ordering::Relaxed),
            catch_up_secs: self.catch_up.lock().unwrap_or_else(PoisonError::into_inner).secs(),
        }
    }

    pub(super) fn set_cursor(&self, cursor: i64) {
        self.cursor.store(cursor, Ordering::Relaxed);
    }

    /// Takes in how many records the sink is behind the journal's head.
    pub(super) fn note_lag(&self, now_ms: i64, records: i64) {
        self.catch_up.lock().unwrap_or_else(PoisonError::into_inner).note(now_ms, records);
    }

    /// Sets the number of streams whose events wait in the journal. Returns the number before.
    pub(super) fn set_held_streams(&self, count: usize) -> usize {
        self.held_streams.swap(count, Ordering::Relaxed)
    }

    /// Sets whether the sink reads no more events. Returns whether that changed.
    pub(super) fn set_blocked(&self, is_blocked: bool) -> bool {
        self.is_blocked.swap(is_blocked, Ordering::Relaxed) != is_blocked
    }

    /// Sets the oldest event that has failed.
    pub(super) fn set_failing(&self, event: Option<&Event>) {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        // The worker calls this after each step, and the event is mostly the same.
        if failing.as_ref().map(|failing| failing.id) != event.map(Event::id) {
            *failing = event.map(FailingEvent::of);
        }
    }

    pub(super) fn set_oldest_pending_ms(&self, received_ms: Option<i64>) {
        self.oldest_pending_ms.store(received_ms.unwrap_or(0), Ordering::Relaxed);
    }

    /// Takes in that the destination has taken an event.
    pub(super) fn note_delivery(&self, now_ms: i64) {
        self.last_delivered_ms.store(now_ms, Ordering::Relaxed);
    }

    /// Takes in that an attempt has failed.
    pub(super) fn note_failure(&self, now_ms: i64, reason: String) {
        let failure = PastFailure { failed_ms: now_ms, reason };
        *self.last_failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
    }

    pub(super) fn set_dead_letters(&self, count: i64) {
        self.dead_letters.store(count, Ordering::Relaxed);
    }

    /// Sets the next attempt and the last failure. Returns whether the failure changed.
    pub(super) fn set_attempt(&self, attempt: u32, error: Option<String>) -> bool {
        self.attempt.store(attempt, Ordering::Relaxed);
        // A panic elsewhere can't leave half a text here, so a poisoned lock is still good.
        let mut last = self.last_error.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = *last != error;
        *last = error;
        changed
    }
}
