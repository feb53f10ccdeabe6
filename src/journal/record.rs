//! A stored event and its place in the journal.

use std::fmt;

use crate::callback::Event;

/// The place of a record. Offsets grow, may have gaps, and are never used again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(pub i64);

impl Offset {
    /// The offset before this one. No record lies between the two.
    pub fn before(self) -> Offset {
        Offset(self.0.saturating_sub(1))
    }

    /// The offset after this one. No record lies between the two.
    pub fn next(self) -> Offset {
        Offset(self.0.saturating_add(1))
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A stored event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its place.
    pub offset: Offset,
    /// The event.
    pub event: Event,
}

/// Record times can go backwards by up to this much (ms) if the system clock was set back. A search by time reads this far
/// past its bounds.
pub const CLOCK_SLACK_MS: i64 = 3_600_000;
