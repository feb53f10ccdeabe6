//! Resends: events that people want sent again. A redrive sends dead letters again, a replay sends journal records again.
//!
//! [`Resends`] decides when a redrive or a replay has its turn, and `pace` how many events a turn has.

mod pace;
mod redrive;
mod replay;
mod resends;
mod turn;

pub(super) use resends::Resends;
