//! The committing half of the journal: one thread commits all waiting events and progress in one transaction with one sync, and
//! then each edit on its own.
//!
//! The reading half (tables, tail, readers, consumers) does not know this one. So another committer, for example a replicated
//! one, can take its place.

mod alone;
mod availability;
mod confirming;
mod id_block;
mod inbox;
mod known_ids;
mod now;
mod pruning;
mod slice_size;
mod store;
mod stored_ids;
#[cfg(test)]
mod testing;
mod thread;
mod wakeups;
mod window;

pub(super) use alone::append_alone;
pub(super) use availability::Availability;
pub(super) use inbox::{Append, Edit, Inbox};
pub(super) use now::Clocks;
pub(super) use store::Store;
pub(super) use thread::{Links, Writer};
pub use wakeups::{Wakeups, WriterDied};
