//! The id of a message: the point in the journal up to which a subscriber has everything.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use utoipa::ToSchema;

use crate::journal::Offset;

/// How many digits of the journal's generation a point has: enough to distinguish journals.
const JOURNAL_DIGITS: usize = 16;

/// The journal of a point, as the first digits of its generation. A copy of a journal has another generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::admin::api) struct JournalMark(String);

impl JournalMark {
    /// Returns the mark of the journal with this generation.
    pub(super) fn of(generation: &str) -> JournalMark {
        JournalMark(generation.chars().take(JOURNAL_DIGITS).collect())
    }

    /// Returns the point after the record at an offset of this journal.
    pub(super) fn at(&self, offset: Offset) -> Point {
        Point { journal: self.clone(), offset }
    }
}

/// A place in a journal, such as `5d0c1f7a9be2440d-4711`. Every record up to it was sent, or was filtered out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::admin::api) struct Point {
    /// The journal.
    pub(super) journal: JournalMark,
    /// The last record that counts as sent.
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

/// A text that is not a point.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("is not an id of this feed: send the `id` of the last message, such as 5d0c1f7a9be2440d-4711, or leave it out")]
pub(in crate::admin::api) struct InvalidPoint;

impl FromStr for Point {
    type Err = InvalidPoint;

    fn from_str(text: &str) -> Result<Point, InvalidPoint> {
        let (journal, offset) = text.split_once('-').ok_or(InvalidPoint)?;
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let is_mark = journal.len() == JOURNAL_DIGITS && journal.bytes().all(is_digit);
        // `parse` would accept a sign.
        if !is_mark || !offset.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(InvalidPoint);
        }
        let offset = offset.parse().map_err(|_| InvalidPoint)?;
        Ok(Point { journal: JournalMark(journal.to_owned()), offset: Offset(offset) })
    }
}

/// Events that a subscriber wants and can't get.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(in crate::admin::api) struct Gap {
    /// The reason.
    pub(super) reason: GapReason,
    /// The `id` up to which the subscriber has everything.
    #[schema(value_type = String, pattern = "^[0-9a-f]{16}-[0-9]+$", examples("5d0c1f7a9be2440d-4711"))]
    pub(super) from: Point,
    /// The `id` after which it gets everything again.
    #[schema(value_type = String, pattern = "^[0-9a-f]{16}-[0-9]+$", examples("5d0c1f7a9be2440d-9000"))]
    pub(super) to: Point,
}

/// Why there is a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum GapReason {
    /// The records were pruned.
    Pruned,
    /// The point belongs to another journal, such as the one before a restored backup.
    OtherJournal,
    /// The journal ends before the point.
    BeyondEnd,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_a_point_is_read_back() {
        let mark = JournalMark::of("5d0c1f7a9be2440d0123456789abcdef");
        for (offset, text) in [(0, "5d0c1f7a9be2440d-0"), (i64::MAX, "5d0c1f7a9be2440d-9223372036854775807")] {
            let point = mark.at(Offset(offset));
            assert_eq!(point.to_string(), text);
            assert_eq!(text.parse(), Ok(point));
        }
    }

    #[test]
    fn other_text_is_refused() {
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
