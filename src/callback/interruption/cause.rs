//! A cause of a stop, the row type of the tables.

use super::category::ReasonCategory;
use super::cause_name::CauseName;

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

impl Cause {
    /// Returns the name of the cause of a stop with this code.
    pub(super) fn name(&self, errcode: Option<i64>) -> CauseName {
        match (self.errcodes.first(), errcode) {
            (Some(first), _) => CauseName::Listed(*first, self.subs.first().copied()),
            (None, Some(_)) => CauseName::Unlisted,
            (None, None) => CauseName::Absent,
        }
    }
}
