//! Sessions: one push from its start to its stop, put together from events.
//!
//! A [`Session`] is what its events say together. They may come in any order and any number of times: [`Session::apply`]
//! only ever takes minima, maxima, and of two pushes or two stops the one with the smaller event id, so the result depends
//! on which events there are and on nothing else. Whether a session is live or stale depends on the time besides, which is
//! an argument.
//!
//! Nothing here does I/O or reads a clock, and nothing knows how sessions are kept.

mod broadcast;
mod fact;
mod id;
mod state;
#[cfg(test)]
pub(crate) mod testing;

pub use crate::callback::StreamKey;
pub use broadcast::{Broadcast, Span, broadcasts};
pub use fact::{Fact, Kind, Push, Stop};
pub use id::{InvalidSessionId, SessionId};
pub use state::{InvalidState, Session, State};
