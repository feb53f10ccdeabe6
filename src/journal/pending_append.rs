//! The result of an append, which arrives later.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use super::AppendError;

/// How a durable event was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// The event was new.
    Stored,
    /// An event of the same id was durable already.
    Duplicate,
}

/// An event that is being stored. It is stored even if this is dropped before it is ready.
// A type of its own, because a future in a box would be an allocation for each event.
#[derive(Debug)]
#[must_use = "an event is not durable before this is ready"]
pub struct PendingAppend(State);

#[derive(Debug)]
enum State {
    Refused(AppendError),
    Waiting(oneshot::Receiver<Result<Appended, AppendError>>),
}

impl PendingAppend {
    /// The journal takes no event now.
    pub(super) fn refused(error: AppendError) -> PendingAppend {
        PendingAppend(State::Refused(error))
    }

    /// The result will be sent. A dropped sender means that the journal was closed.
    pub(super) fn waiting(result: oneshot::Receiver<Result<Appended, AppendError>>) -> PendingAppend {
        PendingAppend(State::Waiting(result))
    }
}

impl Future for PendingAppend {
    type Output = Result<Appended, AppendError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            State::Refused(error) => Poll::Ready(Err(error.clone())),
            State::Waiting(result) => {
                Pin::new(result).poll(context).map(|result| result.unwrap_or(Err(AppendError::Closed)))
            }
        }
    }
}
