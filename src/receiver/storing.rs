//! Waits for the journal to store an event.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::runtime::Handle;
use tokio::time::{Instant, timeout_at};

use crate::callback::Event;
use crate::http::BodyShare;
use crate::journal::{AppendError, Appended, Journal};

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
/// The caller may stop waiting: hyper drops its future if the client leaves, and `deadline` may pass. The append then
/// continues in its own task, and the event counts as memory until the journal has stored it.
pub(super) async fn store(
    journal: Arc<dyn Journal>,
    event: Event,
    share: BodyShare,
    deadline: Instant,
) -> Result<Appended, StoreError> {
    let append: AppendFuture = Box::pin(async move {
        let _share = share;
        journal.append(event).await
    });
    let appended = timeout_at(deadline, DetachOnDrop(Some(append))).await;
    Ok(appended.map_err(|_| StoreError::TooSlow)??)
}

/// An append, with the memory that its event takes.
type AppendFuture = Pin<Box<dyn Future<Output = Result<Appended, AppendError>> + Send>>;

/// Waits for an append. If it is dropped before the end, the append continues in its own task.
struct DetachOnDrop(Option<AppendFuture>);

impl Future for DetachOnDrop {
    type Output = Result<Appended, AppendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(append) = &mut self.0 else { return Poll::Pending };
        let appended = ready!(append.as_mut().poll(context));
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
