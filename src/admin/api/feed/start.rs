//! Where a subscriber begins.

use super::point::{Gap, GapReason, JournalMark, Point};
use crate::admin::api::readers::{Failure, Reader};
use crate::journal::Offset;

/// Where a subscriber wants to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::admin::api) enum Beginning {
    /// With the next event.
    Now,
    /// With events received at this time or later, in Unix ms.
    Since(i64),
    /// After this point.
    After(Point),
}

/// Where a subscriber begins.
#[derive(Debug)]
pub(in crate::admin::api) struct Start {
    /// The journal.
    pub(super) mark: JournalMark,
    /// The subscriber gets the records after this one.
    pub(super) place: Offset,
    /// The events that it wants and can't get.
    pub(super) gap: Option<Gap>,
}

impl Start {
    /// Finds the place to begin at. `head` is the newest record. Whether records after a point were pruned shows when they
    /// are read.
    pub(in crate::admin::api) fn find(reader: &Reader, beginning: Beginning, head: Offset) -> Result<Start, Failure> {
        let journal = &reader.journal;
        let mark = JournalMark::of(&journal.generation()?);
        let (place, reason, from) = match beginning {
            Beginning::Now => return Ok(Start { mark, place: head, gap: None }),
            Beginning::Since(since_ms) => {
                // The offset directly before an existing record, because pruned records before it are not a gap here.
                let first = journal.read(journal.offset_before(since_ms)?, 1)?;
                let place = first.first().map_or(head, |record| record.offset.before());
                return Ok(Start { mark, place, gap: None });
            }
            Beginning::After(point) if point.journal != mark => (head, GapReason::OtherJournal, point),
            Beginning::After(point) if point.offset > head => (head, GapReason::BeyondEnd, point),
            Beginning::After(point) => return Ok(Start { mark, place: point.offset, gap: None }),
        };
        let gap = Gap { reason, from, to: mark.at(place) };
        Ok(Start { mark, place, gap: Some(gap) })
    }
}
