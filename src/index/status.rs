//! The state of the index while its worker runs, and requests to the worker: for a rebuild, for other options, and for records that a
//! query waits for.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::{Notify, watch};

use super::options::Options;
use crate::journal::Offset;

/// The state of the index. Its worker writes it, and others read it.
#[derive(Debug, Default)]
pub struct Status {
    cursor: watch::Sender<Offset>,
    live_streams: AtomicI64,
    is_rebuilding: AtomicBool,
    last_error: Mutex<Option<String>>,
    unsaved_bytes_max: AtomicU64,
    is_rebuild_requested: AtomicBool,
    /// Options that the worker has not taken yet.
    other_options: Mutex<Option<Options>>,
    requested: Notify,
    awaited: Notify,
}

/// A [`Status`] at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusView {
    /// The last record that is in the index.
    pub cursor: i64,
    /// How many streams are live.
    pub live_streams: i64,
    /// Whether it is being rebuilt.
    pub is_rebuilding: bool,
    /// Why the last step of the worker failed; `None` if it didn't.
    pub last_error: Option<String>,
}

impl Status {
    /// The state now. Its members are read one after the other, so they may not fit each other exactly.
    pub fn view(&self) -> StatusView {
        StatusView {
            cursor: self.cursor.borrow().0,
            live_streams: self.live_streams.load(Ordering::Relaxed),
            // The request is read first: it ends only after the rebuild has begun, so one of the two is seen.
            is_rebuilding: self.is_rebuild_requested.load(Ordering::Acquire)
                || self.is_rebuilding.load(Ordering::Acquire),
            last_error: self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    /// Follows the last record that is in the index. It goes back when a rebuild begins.
    pub fn cursor(&self) -> watch::Receiver<Offset> {
        self.cursor.subscribe()
    }

    /// Sets how many bytes of events may be in the index without being durable there. The journal cannot prune them.
    pub fn set_unsaved_bytes_max(&self, bytes: u64) {
        self.unsaved_bytes_max.store(bytes, Ordering::Relaxed);
    }

    pub(super) fn unsaved_bytes_max(&self) -> u64 {
        self.unsaved_bytes_max.load(Ordering::Relaxed)
    }

    /// Asks the worker to rebuild the index from the journal.
    pub fn request_rebuild(&self) {
        self.is_rebuild_requested.store(true, Ordering::Release);
        // `notify_one` is remembered if the worker does not wait at the moment.
        self.requested.notify_one();
    }

    /// Lets the worker take over other options. Queries follow them some milliseconds later.
    pub fn take_over(&self, options: &Options) {
        *self.other_options.lock().unwrap_or_else(PoisonError::into_inner) = Some(options.clone());
        self.requested.notify_one();
    }

    /// Tells the worker that a query waits for the records that it lets gather.
    pub fn await_records(&self) {
        self.awaited.notify_one();
    }

    /// Returns when a query waits for records, or has done so since the last call.
    pub(crate) async fn awaited(&self) {
        self.awaited.notified().await;
    }

    /// Takes the options that the worker has not taken yet; `None` if there are none.
    pub(super) fn take_other_options(&self) -> Option<Options> {
        self.other_options.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Returns when there was a request since the last call.
    pub(super) async fn requested(&self) {
        self.requested.notified().await;
    }

    /// Whether a rebuild has been requested and hasn't begun.
    pub(super) fn is_rebuild_requested(&self) -> bool {
        self.is_rebuild_requested.load(Ordering::Acquire)
    }

    pub(super) fn set_rebuild_begun(&self) {
        self.is_rebuilding.store(true, Ordering::Release);
        self.is_rebuild_requested.store(false, Ordering::Release);
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

    /// Sets why the last step failed; `None` if it didn't. Returns whether that differs from before.
    pub(super) fn set_error(&self, error: Option<String>) -> bool {
        let mut last = self.last_error.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = *last != error;
        *last = error;
        changed
    }
}
