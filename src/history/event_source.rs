//! Finds events. If a query names its streams in full, or its types, the index gives the offsets of their records, up to its
//! cursor. A search of the journal finds the rest. Both ways give the same records in the same order.

use std::path::Path;

use super::event_query::{EventPage, EventQuery};
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

/// How many offsets of the index are searched for a type at a time.
const SEARCH_OFFSETS: i64 = 65_536;

/// How many offsets of the index take as long to search for a type as one record of the journal.
const OFFSETS_PER_RECORD: i64 = 256;

/// If at least one record of this many has a type that is wanted, reading all of them is faster than reading one after the
/// other.
const DENSE_OFFSETS: u64 = 16;

/// A journal and, if there is one, an index, which may belong to the journal or not.
#[derive(Clone, Copy, Debug)]
pub struct EventSource<'r> {
    journal: &'r journal::Reader,
    index: Option<&'r index::Reader>,
    scan_records_max: usize,
    search_offsets: i64,
}

/// A record that may match, or records that don't.
enum Candidate {
    Read(Record),
    /// At this offset, by the index. The journal may have pruned it.
    At(Offset),
    /// No record from the candidate before up to this offset matches. Finding this out took as long as reading `cost` records.
    Passed {
        last: Offset,
        cost: usize,
    },
}

impl Candidate {
    fn offset(&self) -> Offset {
        match self {
            Candidate::Read(record) => record.offset,
            Candidate::At(offset) | Candidate::Passed { last: offset, .. } => *offset,
        }
    }

    fn cost(&self) -> usize {
        match self {
            Candidate::Passed { cost, .. } => *cost,
            Candidate::Read(_) | Candidate::At(_) => 1,
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
        EventSource { journal, index, scan_records_max: SCAN_RECORDS_MAX, search_offsets: SEARCH_OFFSETS }
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
                scanned += candidate.cost();
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
        let selection = &query.selection;
        let can_answer = selection.streams.names_streams() || !selection.types.is_empty();
        let Some(reader) = self.index.filter(|_| can_answer) else { return Ok(None) };
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
                place.min(until.next())
            }
        };
        let count = query.limit.saturating_add(1).clamp(OFFSETS_MIN, READ_RECORDS);
        if !query.selection.streams.names_streams() {
            return self.candidates_by_type(query, from, &Indexed { reader, until }, count);
        }
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

    /// Returns some of the records after `from` by their types, up to `count` of them.
    fn candidates_by_type(
        &self,
        query: &EventQuery,
        from: Offset,
        indexed: &Indexed<'_>,
        count: usize,
    ) -> Result<Vec<Candidate>, IndexError> {
        let (order, until, begin) = (query.order, indexed.until, indexed.reader.events_begin()?);
        let (after, last) = match (order, begin) {
            (Order::Ascending, Some(begin)) if from < until => {
                let after = from.max(begin.before());
                (after, Offset(after.0.saturating_add(self.search_offsets)).min(until))
            }
            (Order::Ascending, _) => return self.read_journal(query, from.max(until)),
            (Order::Descending, Some(begin)) if from > begin => {
                (from, Offset(from.0.saturating_sub(self.search_offsets)).max(begin))
            }
            (Order::Descending, _) => return Ok(Vec::new()),
        };
        let offsets = indexed.reader.events_of_types(&query.selection.types, after, last, order, count)?;
        let is_full = offsets.len() >= count;
        let searched = offsets.last().filter(|_| is_full).unwrap_or(&last).0.abs_diff(after.0);
        if (offsets.len() as u64).saturating_mul(DENSE_OFFSETS) >= searched {
            return self.read_journal(query, from);
        }
        let mut candidates: Vec<_> = offsets.into_iter().map(Candidate::At).collect();
        if !is_full {
            let cost = usize::try_from(self.search_offsets / OFFSETS_PER_RECORD).unwrap_or(usize::MAX);
            candidates.push(Candidate::Passed { last, cost: cost.max(1) });
        }
        Ok(candidates)
    }

    fn read_journal(&self, query: &EventQuery, place: Offset) -> Result<Vec<Candidate>, IndexError> {
        let (order, types) = (query.order, &query.selection.types);
        if !types.is_empty() {
            let found = self.journal.read_types(place, order == Order::Descending, READ_RECORDS, types)?;
            let candidate = |(offset, record): (Offset, Option<Record>)| {
                record.map_or(Candidate::Passed { last: offset, cost: 1 }, Candidate::Read)
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
        let mut records = self.journal.read_back(newest.next(), count.min(limit))?;
        records.retain(|record| record.offset > until);
        Ok(records)
    }

    fn record(&self, candidate: Candidate) -> Result<Option<Record>, IndexError> {
        match candidate {
            Candidate::Read(record) => Ok(Some(record)),
            Candidate::At(offset) => Ok(self.journal.get(offset)?),
            Candidate::Passed { .. } => Ok(None),
        }
    }
}

fn read(records: Vec<Record>) -> Vec<Candidate> {
    records.into_iter().map(Candidate::Read).collect()
}

#[cfg(test)]
mod tests;
