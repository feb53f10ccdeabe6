//! Sessions: one push from its start to its stop, built from events.
//!
//! The events of a [`Session`] may come in any order and any number of times. [`Session::apply`] only takes minima and maxima, and
//! of two pushes, two stops or two manual ends the one with the smaller event id. So the session depends on the set of its events,
//! and on nothing else. Its state, live or stale, also depends on the time, which is an argument.
//!
//! Nothing here does I/O, reads a clock, or knows how sessions are stored.

mod broadcast;
mod fact;
mod id;
mod state;
#[cfg(test)]
pub(crate) mod testing;

pub use crate::callback::StreamKey;
pub use broadcast::{Broadcast, Span, broadcasts};
pub use fact::{Fact, Kind, ManualEnd, Push, Stop};
pub use id::SessionId;
pub use state::{Session, State};
