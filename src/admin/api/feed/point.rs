//! Where a subscriber stands, as the id of a message says it and `Last-Event-ID` gives it back.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use utoipa::ToSchema;

use crate::journal::Offset;

/// How many digits of the journal's generation a point has. They tell journals apart; nobody makes two that share them.
const JOURNAL_DIGITS: usize = 16;

/// The journal that a point is of, and not a copy of it: the first digits of its generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct JournalMark(String);

impl JournalMark {
    /// The mark of the journal that has this generation.
    pub(super) fn of(generation: &str) -> JournalMark {
        JournalMark(generation.chars().take(JOURNAL_DIGITS).collect())
    }

    /// The point behind the record at an offset of this journal.
    pub(super) fn at(&self, offset: Offset) -> Point {
        Point { journal: self.clone(), offset }
    }
}

/// A place in a journal: every record up to it has been given, or was not wanted. Such as `5d0c1f7a9be2440d-4711`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Point {
    /// The journal.
    pub(super) journal: JournalMark,
    /// The last record that counts as given.
    pub(super) offset: Offset,
}

impl fmt::Display for Point {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.journal.0, self.offset)
    }
}

impl Serialize for Point {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A text that is no point.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "is no id of this feed: give back the `id` of the last message, such as 5d0c1f7a9be2440d-4711, or leave it out"
)]
pub(super) struct InvalidPoint;

impl FromStr for Point {
    type Err = InvalidPoint;

    fn from_str(text: &str) -> Result<Point, InvalidPoint> {
        let (journal, offset) = text.split_once('-').ok_or(InvalidPoint)?;
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let is_mark = journal.len() == JOURNAL_DIGITS && journal.bytes().all(is_digit);
        // What parses a number would take a sign too.
        if !is_mark || !offset.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(InvalidPoint);
        }
        let offset = offset.parse().map_err(|_| InvalidPoint)?;
        Ok(Point { journal: JournalMark(journal.to_owned()), offset: Offset(offset) })
    }
}

/// Events that a subscriber asked for and cannot be given.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(in super::super) struct Gap {
    /// Why.
    pub(super) reason: GapReason,
    /// The `id` up to which the subscriber has everything.
    #[schema(value_type = String, pattern = "^[0-9a-f]{16}-[0-9]+$", examples("5d0c1f7a9be2440d-4711"))]
    pub(super) from: Point,
    /// The `id` after which it is given everything again.
    #[schema(value_type = String, pattern = "^[0-9a-f]{16}-[0-9]+$", examples("5d0c1f7a9be2440d-9000"))]
    pub(super) to: Point,
}

/// Why there is a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum GapReason {
    /// The records are no longer kept.
    Pruned,
    /// The point is one of another journal, as after a restored backup.
    OtherJournal,
    /// The journal ends before the point.
    BeyondEnd,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_lead_back() {
        let mark = JournalMark::of("5d0c1f7a9be2440d0123456789abcdef");
        for (offset, text) in [(0, "5d0c1f7a9be2440d-0"), (i64::MAX, "5d0c1f7a9be2440d-9223372036854775807")] {
            let point = mark.at(Offset(offset));
            assert_eq!(point.to_string(), text);
            assert_eq!(text.parse(), Ok(point));
        }
    }

    #[test]
    fn what_is_no_point_is_refused() {
        for text in [
            "",
            "-",
            "4711",
            "5d0c1f7a9be2440d",
            "5d0c1f7a9be2440d-",
            "5d0c1f7a9be2440-1",
            "5d0c1f7a9be2440dd-1",
            "5D0C1F7A9BE2440D-1",
            "5d0c1f7a9be2440g-1",
            "5d0c1f7a9be2440d--1",
            "5d0c1f7a9be2440d-+1",
            "5d0c1f7a9be2440d-1 ",
            "5d0c1f7a9be2440d-1-1",
            "5d0c1f7a9be2440d-9223372036854775808",
            "5d0c1f7a9be2440d-1\nid: x",
        ] {
            assert_eq!(text.parse::<Point>(), Err(InvalidPoint), "{text:?}");
        }
    }
}
