//! A cause of a stop, the row type of the tables.

use super::category::ReasonCategory;

/// The meaning of one or more of the vendor's codes.
pub(super) struct Cause {
    /// The codes that share it.
    pub(super) errcodes: &'static [i64],
    /// The sub-codes that share it. Empty if it is the cause of a whole code.
    pub(super) subs: &'static [i64],
    pub(super) category: ReasonCategory,
    pub(super) meaning: &'static str,
    pub(super) actor: &'static str,
    pub(super) advice: &'static str,
}
