//! What others may know of the index while it works, and ask of it.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::{Notify, watch};

use crate::journal::Offset;

/// The state of the index, written by its worker.
#[derive(Debug, Default)]
pub struct Status {
    cursor: watch::Sender<Offset>,
    live_streams: AtomicI64,
    is_rebuilding: AtomicBool,
    last_error: Mutex<Option<String>>,
    is_rebuild_asked: AtomicBool,
    asked: Notify,
}

/// A [`Status`] at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusView {
    /// The last record that is in the index.
    pub cursor: i64,
    /// How many streams are live.
    pub live_streams: i64,
    /// Whether it is being made anew.
    pub is_rebuilding: bool,
    /// Why it could not go on the last time; `None` once it could.
    pub last_error: Option<String>,
}

impl Status {
    /// The state now. Its parts may be of slightly different moments.
    pub fn view(&self) -> StatusView {
        StatusView {
            cursor: self.cursor.borrow().0,
            live_streams: self.live_streams.load(Ordering::Relaxed),
            is_rebuilding: self.is_rebuilding.load(Ordering::Relaxed) || self.is_rebuild_asked.load(Ordering::Relaxed),
            last_error: self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    /// The last record that is in the index, to be watched. It goes back where the index is made anew.
    pub fn cursor(&self) -> watch::Receiver<Offset> {
        self.cursor.subscribe()
    }

    /// Asks the worker to make the index anew from the journal.
    pub fn ask_for_rebuild(&self) {
        self.is_rebuild_asked.store(true, Ordering::Release);
        self.asked.notify_one();
    }

    /// Returns when a rebuild has been asked for.
    pub(super) async fn rebuild_asked(&self) {
        while !self.is_rebuild_asked.load(Ordering::Acquire) {
            self.asked.notified().await;
        }
    }

    /// Whether a rebuild has been asked for and not begun.
    pub(super) fn is_rebuild_asked(&self) -> bool {
        self.is_rebuild_asked.load(Ordering::Acquire)
    }

    pub(super) fn set_rebuild_begun(&self) {
        self.is_rebuilding.store(true, Ordering::Release);
        self.is_rebuild_asked.store(false, Ordering::Release);
    }

    pub(super) fn set_rebuild_done(&self) {
        self.is_rebuilding.store(false, Ordering::Release);
    }

    pub(super) fn set_cursor(&self, cursor: Offset) {
        self.cursor.send_replace(cursor);
    }

    pub(super) fn set_live_streams(&self, count: i64) {
        self.live_streams.store(count, Ordering::Relaxed);
    }

    /// Notes why the index could not go on, or that it could. Whether that is news.
    pub(super) fn set_error(&self, error: Option<String>) -> bool {
        let mut last = self.last_error.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = *last != error;
        *last = error;
        changed
    }
}
