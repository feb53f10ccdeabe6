//! Which events a caller wants, and the page that it gets.

use crate::callback::EventSelection;
use crate::index::{IndexError, Order};
use crate::journal::{self, CLOCK_SLACK_MS, Offset, Record};

/// Which events are wanted.
#[derive(Clone, Debug, Default)]
pub struct EventQuery {
    /// Only these events.
    pub selection: EventSelection,
    /// Oldest or newest first, by offset.
    pub order: Order,
    /// The [`EventPage::place`] of the page before; `None` for the first page.
    pub after: Option<Offset>,
    /// A page has at most this many records.
    pub limit: usize,
}

/// Some of the records that match a query.
#[derive(Debug)]
pub struct EventPage {
    /// The records, in the order of the query.
    pub records: Vec<Record>,
    /// The last record that was looked at. The next page begins after it.
    pub place: Offset,
    /// Whether more records may match. A page can be empty and have more: see [`super::EventSource::page`].
    pub has_more: bool,
}

/// The offsets between which every matching record stands, both included.
pub(super) struct OffsetRange {
    first: Offset,
    last: Offset,
}

impl EventQuery {
    /// The offsets between which to look, and the place after which to begin.
    pub(super) fn bounds(&self, journal: &journal::Reader) -> Result<(OffsetRange, Offset), IndexError> {
        let is_ascending = self.order == Order::Ascending;
        let received = self.selection.received;
        let mut range = OffsetRange { first: Offset::default(), last: Offset(i64::MAX) };
        // `after` replaces one of the two bounds, so that one needs no search.
        if let Some(since_ms) = received.since_ms.filter(|_| !is_ascending || self.after.is_none()) {
            range.first = journal.offset_before(since_ms)?.next();
        }
        if let Some(until_ms) = received.until_ms.filter(|_| is_ascending || self.after.is_none()) {
            // `offset_before` errs to the older side by the slack. Here the newer side is needed, so the slack counts twice.
            range.last = journal.offset_before(until_ms.saturating_add(2 * CLOCK_SLACK_MS))?.next();
        }
        let start = if is_ascending { range.first.before() } else { range.last.next() };
        Ok((range, self.after.unwrap_or(start)))
    }
}

impl OffsetRange {
    /// Whether a record stands between the bounds.
    pub(super) fn contains(&self, offset: Offset) -> bool {
        (self.first..=self.last).contains(&offset)
    }
}
