//! The task between requests and the writer thread: it wakes the writer when events have gathered, and wakes the waiting
//! requests and consumers when they are committed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc, watch};

use super::super::tail::Tail;
use super::super::{AppendError, Appended, Offset, Record};
use super::inbox::{Inbox, Reply};

/// The longest time to gather events while more keep coming.
const GATHERING: Duration = Duration::from_millis(2);

/// The results of one commit.
#[derive(Default)]
pub(in super::super) struct Committed {
    /// The result of each event, and who waits for it.
    pub(super) appends: Vec<(Reply<Appended, AppendError>, Result<Appended, AppendError>)>,
    /// The same for progress.
    pub(super) advances: Vec<(Reply<()>, Result<(), super::super::JournalError>)>,
    /// The stored records in order.
    pub(super) stored: Vec<Record>,
    /// Earlier records, or some of `stored`, that are verified now.
    pub(super) confirmed: Vec<Record>,
    /// The newest record; 0 if it is unknown.
    pub(super) head: Offset,
}

/// The writer thread ended before the journal was closed.
#[derive(Debug, thiserror::Error)]
#[error("the thread that writes the journal has died")]
pub struct WriterDied;

/// Wakes the writer thread and everything that waits for it. The journal does nothing unless this runs.
///
/// One task does this for all requests, because a system call for each event would cost more than the rest of its way:
/// requests that are ready together are handed over together.
pub struct Wakeups {
    pub(in super::super) inbox: Arc<Inbox>,
    /// Notified when an event is in the inbox.
    pub(in super::super) appended: Arc<Notify>,
    pub(in super::super) committed: mpsc::Receiver<Committed>,
    pub(in super::super) tail: Arc<Tail>,
    pub(in super::super) head: watch::Sender<Offset>,
    pub(in super::super) is_closing: Arc<AtomicBool>,
}

impl Wakeups {
    /// Runs until the journal is closed and every commit is reported.
    ///
    /// # Errors
    /// The writer thread ended before the journal was closed.
    pub async fn run(mut self) -> Result<(), WriterDied> {
        loop {
            tokio::select! {
                () = self.appended.notified() => self.hand_over().await,
                committed = self.committed.recv() => match committed {
                    Some(committed) => self.report(committed),
                    None if self.is_closing.load(Ordering::SeqCst) => return Ok(()),
                    None => return Err(WriterDied),
                },
            }
        }
    }

    /// Hands the events over once a turn of the runtime has brought no further one. So a lone event does not wait, and under
    /// load all events that are ready share a sync.
    async fn hand_over(&self) {
        let until = Instant::now() + GATHERING;
        let mut gathered = 0;
        while self.inbox.gathered() > gathered && Instant::now() < until {
            gathered = self.inbox.gathered();
            tokio::task::yield_now().await;
        }
        self.inbox.hand_over();
    }

    fn report(&self, Committed { appends, advances, stored, confirmed, head }: Committed) {
        // The tail comes before the head, so a consumer that the head wakes finds the records in memory.
        self.tail.push(stored, head);
        self.tail.replace(confirmed);
        // An unchanged head must not wake the consumers.
        self.head.send_if_modified(|known| {
            let is_newer = head > *known;
            *known = head.max(*known);
            is_newer
        });
        // The answers come last, so a sender who then asks the API sees its own event in the head.
        // A request that timed out dropped its receiver. Its event is stored all the same.
        for (reply, result) in appends {
            let _ = reply.send(result);
        }
        for (reply, result) in advances {
            let _ = reply.send(result);
        }
    }
}
