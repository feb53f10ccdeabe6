//! The name of a cause, for translations of its texts.

use std::fmt;

/// The name of a cause: `18-202`, `1`, `unlisted`, `absent` or `manual`. Codes that share a cause share its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CauseName {
    /// The first code of the cause, and its first sub-code if it has any.
    Listed(i64, Option<i64>),
    /// The code is not in the table.
    Unlisted,
    /// The callback has no code.
    Absent,
    /// A person ended the session.
    Manual,
}

impl fmt::Display for CauseName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CauseName::Listed(errcode, None) => write!(formatter, "{errcode}"),
            CauseName::Listed(errcode, Some(sub)) => write!(formatter, "{errcode}-{sub}"),
            CauseName::Unlisted => formatter.write_str("unlisted"),
            CauseName::Absent => formatter.write_str("absent"),
            CauseName::Manual => formatter.write_str("manual"),
        }
    }
}
