//! How events come to the writer, and how its answers come back: one task of the async side. It touches no file.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc, oneshot, watch};

use super::queue::Queue;
use super::tail::Tail;
use super::{AppendError, Appended, JournalError, Offset, Record};

/// How long events are gathered at most while more keep coming.
const GATHERING: Duration = Duration::from_millis(2);

/// Somebody who waits, and the answer.
type Answer<T> = (oneshot::Sender<T>, T);

/// The answers of one batch.
#[derive(Default)]
pub(super) struct Settled {
    pub(super) appends: Vec<Answer<Result<Appended, AppendError>>>,
    pub(super) advances: Vec<Answer<Result<(), JournalError>>>,
    /// What has been stored, in order.
    pub(super) stored: Vec<Record>,
    /// The newest record; 0 where that is not known.
    pub(super) head: Offset,
}

/// The writer thread ended although nobody closed the journal.
#[derive(Debug, thiserror::Error)]
#[error("the thread that writes the journal has died")]
pub struct WriterDied;

/// Brings events to the writer, and its answers to those that wait. Must run for the journal to do anything.
///
/// Both ways go through one task, since a system call for each event would cost more than the rest of its way: requests
/// that are ready together are handed over together, after the last of them.
pub struct Exchange {
    pub(super) queue: Arc<Queue>,
    pub(super) submitted: Arc<Notify>,
    pub(super) settled: mpsc::Receiver<Settled>,
    pub(super) tail: Arc<Tail>,
    pub(super) head: watch::Sender<Offset>,
    pub(super) is_closing: Arc<AtomicBool>,
}

impl Exchange {
    /// Runs until the journal is closed and all is settled.
    ///
    /// # Errors
    /// The writer died before it was told to end.
    pub async fn run(mut self) -> Result<(), WriterDied> {
        loop {
            tokio::select! {
                () = self.submitted.notified() => self.hand_over().await,
                settled = self.settled.recv() => match settled {
                    Some(settled) => self.answer(settled),
                    None if self.is_closing.load(Ordering::SeqCst) => return Ok(()),
                    None => return Err(WriterDied),
                },
            }
        }
    }

    /// Hands events over once a turn of the runtime has brought no further one. So a lone event waits for nothing, and
    /// under load a sync is shared by all that were ready.
    async fn hand_over(&self) {
        let until = Instant::now() + GATHERING;
        let mut gathered = 0;
        while self.queue.gathered() > gathered && Instant::now() < until {
            gathered = self.queue.gathered();
            tokio::task::yield_now().await;
        }
        self.queue.hand_over();
    }

    fn answer(&self, Settled { appends, advances, stored, head }: Settled) {
        // Those that gave up waiting are gone; what they sent is stored all the same.
        for (reply, outcome) in appends {
            let _ = reply.send(outcome);
        }
        for (reply, outcome) in advances {
            let _ = reply.send(outcome);
        }
        self.tail.push(stored, head);
        self.head.send_if_modified(|known| {
            let is_news = head > *known;
            *known = head.max(*known);
            is_news
        });
    }
}
