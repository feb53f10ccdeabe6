//! Why a push ended: the meaning of a stop's `errcode`, who should act, and where to look first.
//!
//! Source: the vendor's pages on stream interruption records and on push callbacks, of several years. The words are ours, and so is
//! the judgement of who acts and what to check. In older editions of the table, 16 is an internal error of the vendor.
//!
//! A callback has an `errcode` and an `errmsg`, but no sub-code. The codes 18 and 21 mean little without one, so only for these two
//! `errmsg` is searched for a hint. The result is marked as a guess, and nothing may depend on it.

mod category;
mod cause;
mod cause_name;
mod causes;
mod hint;
mod reason;
mod subcodes;

pub use category::ReasonCategory;
pub use cause_name::CauseName;
pub use reason::{Interruption, Reason};
