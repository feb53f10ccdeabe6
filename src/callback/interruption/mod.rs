//! Why a push ended: the meaning of the vendor's `errcode` of a stop, who has to act, and where to look first.
//!
//! Source: the vendor's pages on stream interruption records and on push callbacks, of several years. The words are ours;
//! who acts and what to check is our judgement. In older editions of the table, 16 is an internal error of the vendor's.
//!
//! A callback brings `errcode` and `errmsg` and no sub code. The codes 18 and 21 mean little without one, so for these two
//! alone `errmsg` is searched for a hint. The result is marked as a guess, and nothing may depend on it.

mod category;
mod cause;
mod causes;
mod hint;
mod reason;
mod subcodes;

pub use category::{ReasonCategory, UnknownReasonCategory};
pub use reason::{Interruption, Reason};
