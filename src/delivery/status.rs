//! The worker of a sink and the admin endpoint share this state part by part, so a request never holds up a delivery.

use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::callback::EventSelection;

/// The state of one sink's delivery. Its worker writes it, and the admin endpoint reads it.
#[derive(Debug, Default)]
pub struct Status {
    /// The configured name.
    pub sink: String,
    /// The `type`, as in the configuration.
    pub type_name: &'static str,
    /// The events that the sink is given.
    pub selection: EventSelection,
    cursor: AtomicI64,
    oldest_pending_ms: AtomicI64,
    attempt: AtomicU32,
    dead_letters: AtomicI64,
    last_error: Mutex<Option<String>>,
}

/// A [`Status`] at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusView {
    /// The offset up to which every record is finished.
    pub cursor: i64,
    /// When livehook received the oldest unfinished event, in Unix ms; `None` if every event is finished.
    pub oldest_pending_ms: Option<i64>,
    /// The number of the next attempt: 1 if the sink works.
    pub attempt: u32,
    /// The number of dead letters.
    pub dead_letters: i64,
    /// Why the sink failed last; `None` while it works.
    pub last_error: Option<String>,
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

    /// Returns the present state. Its parts may be of slightly different moments.
    pub fn view(&self) -> StatusView {
        let oldest_pending_ms = self.oldest_pending_ms.load(Ordering::Relaxed);
        StatusView {
            cursor: self.cursor.load(Ordering::Relaxed),
            // 0 stands for none: no event was received in 1970.
            oldest_pending_ms: (oldest_pending_ms != 0).then_some(oldest_pending_ms),
            attempt: self.attempt.load(Ordering::Relaxed),
            dead_letters: self.dead_letters.load(Ordering::Relaxed),
            last_error: self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    pub(super) fn set_cursor(&self, cursor: i64) {
        self.cursor.store(cursor, Ordering::Relaxed);
    }

    pub(super) fn set_oldest_pending_ms(&self, received_ms: Option<i64>) {
        self.oldest_pending_ms.store(received_ms.unwrap_or(0), Ordering::Relaxed);
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
