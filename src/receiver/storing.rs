//! An event on its way into the journal, with the memory that it takes.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::runtime::Handle;

use super::body::Share;
use crate::callback::Event;
use crate::journal::{AppendError, Appended, Journal};

type Append = dyn Future<Output = Result<Appended, AppendError>> + Send;

/// Waits until the journal has answered for an event. Who waits may go, with its client or at the end of its patience: what was
/// handed to the journal is not taken back, so it goes on counting as memory until the journal is done with it.
pub(super) struct Appending(Option<Pin<Box<Append>>>);

impl Appending {
    /// Hands the event to the journal when it is first polled.
    pub(super) fn new(journal: Arc<dyn Journal>, event: Event, share: Share) -> Appending {
        Appending(Some(Box::pin(async move {
            let _share = share;
            journal.append(event).await
        })))
    }
}

impl Future for Appending {
    type Output = Result<Appended, AppendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(append) = &mut self.0 else { return Poll::Pending };
        let outcome = ready!(append.as_mut().poll(context));
        self.0 = None;
        Poll::Ready(outcome)
    }
}

impl Drop for Appending {
    fn drop(&mut self) {
        // A task only for those that are left alone, since one for each event would cost more than the rest of its way.
        if let (Some(append), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(append);
        }
    }
}
