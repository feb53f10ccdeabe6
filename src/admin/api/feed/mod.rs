//! The feed: events and changes of sessions as server-sent events, from the moment they are committed.
//!
//! [`feeder`] turns new records into messages once ([`batch`]) and sends them to all. A [`subscriber`] sends its client the
//! messages that its [`filter`] passes. The id of a message is a [`point`], from which a client that reconnects goes on ([`start`]).

mod batch;
mod feeder;
mod filter;
mod point;
mod seats;
mod start;
mod subscriber;
#[cfg(test)]
mod testing;

pub(in crate::admin) use feeder::Feed;
pub(super) use filter::{Filter, MessageKind};
pub(super) use point::{Gap, InvalidPoint};
pub(in crate::admin) use seats::Seat;
pub(super) use start::{Beginning, Start};
pub(super) use subscriber::Subscriber;
