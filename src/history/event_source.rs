//! Finds events. If a query names its streams in full, the index gives the offsets of their records, up to its cursor. A search
//! of the journal finds the rest. Both ways give the same records in the same order.

use std::path::Path;

use super::event_query::{EventPage, EventQuery, next};
use crate::callback::EventId;
use crate::index::{self, IndexError, Order};
use crate::journal::{self, Offset, Record};

/// How many bytes of events a page has at most, apart from its last record.
pub const PAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How many records are looked at for one page. A query that matches nothing must not read the whole journal at once.
pub const SCAN_RECORDS_MAX: usize = 20_000;

/// How many bytes of events are looked at for one page.
const SCAN_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How many records are read from the journal at a time, and how many offsets from the index.
const READ_RECORDS: usize = 1000;

/// The fewest offsets to read from the index at once. Most of the cost of a query does not depend on their number.
const OFFSETS_MIN: usize = 100;

/// A journal and, if there is one, an index, which may belong to the journal or not.
#[derive(Clone, Copy, Debug)]
pub struct EventSource<'r> {
    journal: &'r journal::Reader,
    index: Option<&'r index::Reader>,
    scan_records_max: usize,
}

/// A record that may match.
enum Candidate {
    Read(Record),
    /// At this offset, by the index. The journal may have pruned it.
    At(Offset),
    /// At this offset, with another type.
    OtherType(Offset),
}

impl Candidate {
    fn offset(&self) -> Offset {
        match self {
            Candidate::Read(record) => record.offset,
            Candidate::At(offset) | Candidate::OtherType(offset) => *offset,
        }
    }
}

/// An index that can answer a query for the records up to `until`.
struct Indexed<'r> {
    reader: &'r index::Reader,
    until: Offset,
}

/// Opens the index of a data directory; `None` if it has none.
///
/// # Errors
/// The index cannot be read, or cannot be compared with the journal.
pub fn usable_index(data_dir: &Path, journal: &journal::Reader) -> Result<Option<index::Reader>, IndexError> {
    let opened = index::Reader::open(data_dir).and_then(|index| index.cursor_in(journal).map(|_| index));
    match opened {
        Ok(index) => Ok(Some(index)),
        Err(IndexError::Absent(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

impl<'r> EventSource<'r> {
    /// Reads `journal`, and uses `index` if it belongs to that journal.
    pub fn new(journal: &'r journal::Reader, index: Option<&'r index::Reader>) -> EventSource<'r> {
        EventSource { journal, index, scan_records_max: SCAN_RECORDS_MAX }
    }

    /// The next records that match, at most [`EventQuery::limit`] and about [`PAGE_BYTES_MAX`] of them. The search ends
    /// after [`SCAN_RECORDS_MAX`] records, so a page can have few records, or none, and still be followed by more.
    ///
    /// # Errors
    /// The journal or the index cannot be read.
    pub fn page(&self, query: &EventQuery) -> Result<EventPage, IndexError> {
        let (range, start) = query.bounds(self.journal)?;
        let mut indexed = self.indexed(query)?;
        let mut page = EventPage { records: Vec::new(), place: start, has_more: true };
        let (mut page_bytes, mut scanned, mut scanned_bytes) = (0, 0, 0);
        while scanned < self.scan_records_max && scanned_bytes < SCAN_BYTES_MAX {
            let candidates = self.candidates(query, page.place, &mut indexed)?;
            if candidates.is_empty() {
                page.has_more = false;
                break;
            }
            for candidate in candidates {
                let offset = candidate.offset();
                if !range.contains(offset) {
                    page.has_more = false;
                    return Ok(page);
                }
                scanned += 1;
                if let Some(record) = self.record(candidate)? {
                    let bytes = record.event.line().len();
                    scanned_bytes += bytes;
                    if query.selection.takes(&record.event) {
                        // Only a match beyond the limit proves that there is more.
                        if page.records.len() >= query.limit || page_bytes >= PAGE_BYTES_MAX {
                            return Ok(page);
                        }
                        page_bytes += bytes;
                        page.records.push(record);
                    }
                }
                page.place = offset;
            }
        }
        Ok(page)
    }

    /// The newest record of an event. Records that the index doesn't hold are searched one by one, the newest
    /// `scan_records_max` of them; `None` if the event is not found.
    ///
    /// # Errors
    /// The journal or the index cannot be read.
    pub fn find(&self, id: EventId, scan_records_max: usize) -> Result<Option<Record>, IndexError> {
        // The cursor is read first. An event that is indexed between the two reads is then found, and not missed by both.
        let until = match self.index {
            Some(index) => index.cursor_in(self.journal)?.unwrap_or_default(),
            None => Offset::default(),
        };
        if let Some(index) = self.index
            && let Some(offset) = index.event(id)?
            && let Some(record) = self.journal.get(offset)?
            && record.event.id() == id
        {
            return Ok(Some(record));
        }
        let mut place = Offset(i64::MAX);
        let mut left = scan_records_max;
        loop {
            let records = self.newest_not_indexed(place, until, left.min(READ_RECORDS))?;
            let Some(last) = records.last() else { return Ok(None) };
            place = last.offset;
            left -= records.len();
            if let Some(found) = records.into_iter().find(|record| record.event.id() == id) {
                return Ok(Some(found));
            }
        }
    }

    /// The index, if it can answer the query for a part of the journal.
    fn indexed(&self, query: &EventQuery) -> Result<Option<Indexed<'r>>, IndexError> {
        let Some(reader) = self.index.filter(|_| query.selection.streams.names_streams()) else { return Ok(None) };
        Ok(reader.cursor_in(self.journal)?.map(|until| Indexed { reader, until }))
    }

    /// Returns some of the records after `place`, in the order of the query. Skips only records that cannot match. Empty at the
    /// end.
    fn candidates(
        &self,
        query: &EventQuery,
        place: Offset,
        indexed: &mut Option<Indexed<'_>>,
    ) -> Result<Vec<Candidate>, IndexError> {
        let Some(Indexed { reader, until }) = indexed else { return self.read_journal(query, place) };
        let until = *until;
        let from = match query.order {
            Order::Ascending => place,
            Order::Descending => {
                let records = self.newest_not_indexed(place, until, READ_RECORDS)?;
                if !records.is_empty() {
                    return Ok(read(records));
                }
                place.min(next(until))
            }
        };
        let count = query.limit.saturating_add(1).clamp(OFFSETS_MIN, READ_RECORDS);
        let Some(mut offsets) = reader.events_of_streams(&query.selection.streams, from, query.order, count)? else {
            // Too many streams have these names. That won't change for this page.
            *indexed = None;
            return self.read_journal(query, place);
        };
        // The index may have moved on. Records beyond `until` are read from the journal, and must not come twice.
        offsets.retain(|offset| *offset <= until);
        match query.order {
            Order::Ascending if offsets.is_empty() => self.read_journal(query, place.max(until)),
            _ => Ok(offsets.into_iter().map(Candidate::At).collect()),
        }
    }

    fn read_journal(&self, query: &EventQuery, place: Offset) -> Result<Vec<Candidate>, IndexError> {
        let (order, types) = (query.order, &query.selection.types);
        if !types.is_empty() {
            let found = self.journal.read_types(place, order == Order::Descending, READ_RECORDS, types)?;
            let candidate = |(offset, record): (Offset, Option<Record>)| {
                record.map_or(Candidate::OtherType(offset), Candidate::Read)
            };
            return Ok(found.into_iter().map(candidate).collect());
        }
        Ok(read(match order {
            Order::Ascending => self.journal.read(place, READ_RECORDS)?,
            Order::Descending => self.journal.read_back(place, READ_RECORDS)?,
        }))
    }

    /// The newest records before `place` that stand after `until`, newest first.
    fn newest_not_indexed(&self, place: Offset, until: Offset, limit: usize) -> Result<Vec<Record>, IndexError> {
        let newest = place.before().min(self.journal.head()?.unwrap_or_default());
        // Offsets have gaps, so there are at most as many records as offsets. Usually that is none.
        let count = usize::try_from(newest.0.saturating_sub(until.0)).unwrap_or(0);
        if count == 0 {
            return Ok(Vec::new());
        }
        let mut records = self.journal.read_back(next(newest), count.min(limit))?;
        records.retain(|record| record.offset > until);
        Ok(records)
    }

    fn record(&self, candidate: Candidate) -> Result<Option<Record>, IndexError> {
        match candidate {
            Candidate::Read(record) => Ok(Some(record)),
            Candidate::At(offset) => Ok(self.journal.get(offset)?),
            Candidate::OtherType(_) => Ok(None),
        }
    }
}

fn read(records: Vec<Record>) -> Vec<Candidate> {
    records.into_iter().map(Candidate::Read).collect()
}

#[cfg(test)]
mod tests;
