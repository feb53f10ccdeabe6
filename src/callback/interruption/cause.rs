//! One cause of a stop, as the tables list it.

use super::category::ReasonCategory;

/// What one or more of the vendor's codes stand for.
pub(super) struct Cause {
    /// The codes that share it.
    pub(super) errcodes: &'static [i64],
    /// The sub codes that share it; none where it is that of the whole code.
    pub(super) subs: &'static [i64],
    pub(super) category: ReasonCategory,
    pub(super) meaning: &'static str,
    pub(super) actor: &'static str,
    pub(super) advice: &'static str,
}
