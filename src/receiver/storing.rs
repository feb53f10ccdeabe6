//! Waits for the journal to store an event.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::runtime::Handle;
use tokio::time::{Instant, timeout_at};

use crate::callback::Event;
use crate::http::BodyShare;
use crate::journal::{AppendError, Appended, Journal, PendingAppend};

/// Why an event is not known to be durable. The sender must try again.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoreError {
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error("the journal did not answer within `receiver.answer_timeout_secs`")]
    TooSlow,
}

/// Hands an event to the journal, and returns when it is durable. `share` is the memory that the event takes.
///
/// The caller may stop waiting: hyper drops its future if the client leaves, and `deadline` may pass. The event is stored even
/// so, and it counts as memory until then.
pub(super) async fn store(
    journal: &dyn Journal,
    event: Event,
    share: BodyShare,
    deadline: Instant,
) -> Result<Appended, StoreError> {
    let append = Append { pending: journal.append(event), _share: share };
    let appended = timeout_at(deadline, DetachOnDrop(Some(append))).await;
    Ok(appended.map_err(|_| StoreError::TooSlow)??)
}

/// An append, with the memory that its event takes.
struct Append {
    pending: PendingAppend,
    _share: BodyShare,
}

impl Future for Append {
    type Output = Result<Appended, AppendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.pending).poll(context)
    }
}

/// Waits for an append. If it is dropped before the end, a task keeps the append until it is ready.
struct DetachOnDrop(Option<Append>);

impl Future for DetachOnDrop {
    type Output = Result<Appended, AppendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(append) = &mut self.0 else { return Poll::Pending };
        let appended = ready!(Pin::new(append).poll(context));
        self.0 = None;
        Poll::Ready(appended)
    }
}

impl Drop for DetachOnDrop {
    fn drop(&mut self) {
        // Only an abandoned append gets a task: a task for each event would cost more than all other work for it.
        if let (Some(append), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(append);
        }
    }
}

#[cfg(test)]
mod tests;
