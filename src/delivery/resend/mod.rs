//! Resends: events that people want sent again. A redrive sends dead letters again, a replay sends journal records again.
//!
//! `schedule` decides when a resend has its turn, and `pace` how many events a turn has.

mod pace;
mod redrive;
mod replay;
mod schedule;
mod turn;

pub(super) use schedule::Resend;
