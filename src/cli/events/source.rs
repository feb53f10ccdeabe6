//! Where `events` finds what may match: all of the journal, or, for streams that are named in full, what the index says
//! of them, and what of the journal is not in the index yet. Both give the same records in the same order.

use std::path::Path;

use crate::callback::EventId;
use crate::cli::render::output::talk;
use crate::index::{self, IndexError, Order, Selection};
use crate::journal::{JournalError, Offset, Reader, Record};
use crate::sink::Filter;

/// How many records are asked for at once.
const PAGE_RECORDS: usize = 1000;

/// How many bytes of events are read one by one at most before they are given, as the journal's own pages have it.
const PAGE_BYTES: usize = 1024 * 1024;

/// The journal, with the index beside it where that helps.
pub(super) struct Source {
    journal: Reader,
    index: Option<Indexed>,
    /// The streams that are asked for, where all are named in full.
    streams: Option<Selection>,
}

/// An index of this journal.
struct Indexed {
    reader: index::Reader,
    /// It knows every record up to here.
    until: Offset,
    /// Older ones are gone from the journal.
    first: Offset,
}

impl Source {
    /// Opens the journal of a data directory, and its index if there is one of use.
    ///
    /// # Errors
    /// There is no journal, or it cannot be read.
    pub(super) fn open(data_dir: &Path, filter: &Filter) -> anyhow::Result<Source> {
        let journal = Reader::open(data_dir)?;
        let index = Indexed::open(data_dir, &journal).unwrap_or_else(|error| {
            if !matches!(error, IndexError::Absent(_)) {
                talk(format_args!("the index is of no use, and all of the journal is searched: {error}"));
            }
            None
        });
        let is_named = !filter.streams.is_empty() && filter.streams.iter().all(|pattern| pattern.exact().is_some());
        let streams = is_named.then(|| Selection {
            key: None,
            domains: filter.domains.clone(),
            streams: filter.streams.clone(),
            app_names: Vec::new(),
        });
        Ok(Source { journal, index, streams })
    }

    /// The journal alone.
    pub(super) fn journal(&self) -> &Reader {
        &self.journal
    }

    /// Some records after `after`, oldest first, and all of them that match up to the last; none at the end.
    ///
    /// # Errors
    /// The journal or the index cannot be read.
    pub(super) fn read(&self, after: Offset) -> anyhow::Result<Vec<Record>> {
        let (Some(index), Some(streams)) = (&self.index, &self.streams) else {
            return Ok(self.journal.read(after, PAGE_RECORDS)?);
        };
        let mut from = after.max(index.first.before());
        while from < index.until {
            let Some(mut offsets) = index.reader.events_of_streams(streams, from, Order::Ascending, PAGE_RECORDS)?
            else {
                return Ok(self.journal.read(after, PAGE_RECORDS)?);
            };
            offsets.retain(|offset| *offset <= index.until);
            let Some(last) = offsets.last() else { break };
            let records = self.records(&offsets)?;
            if !records.is_empty() {
                return Ok(records);
            }
            from = *last;
        }
        Ok(self.journal.read(after.max(index.until), PAGE_RECORDS)?)
    }

    /// Some records before `before`, newest first, and all of them that match down to the last; none at the beginning.
    ///
    /// # Errors
    /// The journal or the index cannot be read.
    pub(super) fn read_back(&self, before: Offset) -> anyhow::Result<Vec<Record>> {
        let (Some(index), Some(streams)) = (&self.index, &self.streams) else {
            return Ok(self.journal.read_back(before, PAGE_RECORDS)?);
        };
        let after_index = Offset(index.until.0 + 1);
        if before > after_index {
            let mut records = self.journal.read_back(before, PAGE_RECORDS)?;
            records.retain(|record| record.offset > index.until);
            if !records.is_empty() {
                return Ok(records);
            }
        }
        let mut from = before.min(after_index);
        while from > index.first {
            let Some(offsets) = index.reader.events_of_streams(streams, from, Order::Descending, PAGE_RECORDS)? else {
                return Ok(self.journal.read_back(before.min(after_index), PAGE_RECORDS)?);
            };
            let Some(last) = offsets.last() else { break };
            let records = self.records(&offsets)?;
            if !records.is_empty() {
                return Ok(records);
            }
            from = *last;
        }
        Ok(Vec::new())
    }

    /// The record of an event; `None` where there is none.
    ///
    /// # Errors
    /// The journal or the index cannot be read.
    pub(super) fn find(&self, id: EventId) -> anyhow::Result<Option<Record>> {
        let mut after = Offset::default();
        if let Some(index) = &self.index {
            if let Some(offset) = index.reader.event(id)?
                && let Some(record) = self.journal.get(offset)?
                && record.event.id() == id
            {
                return Ok(Some(record));
            }
            after = index.until;
        }
        loop {
            let page = self.journal.read(after, PAGE_RECORDS)?;
            let Some(last) = page.last() else { return Ok(None) };
            after = last.offset;
            if let Some(found) = page.into_iter().find(|record| record.event.id() == id) {
                return Ok(Some(found));
            }
        }
    }

    /// The records at some offsets, without those that are gone; fewer than asked for where they are large.
    fn records(&self, offsets: &[Offset]) -> Result<Vec<Record>, JournalError> {
        let mut records = Vec::new();
        let mut bytes = 0;
        for offset in offsets {
            let Some(record) = self.journal.get(*offset)? else { continue };
            bytes += record.event.line().len();
            records.push(record);
            if bytes >= PAGE_BYTES {
                break;
            }
        }
        Ok(records)
    }
}

impl Indexed {
    /// Opens the index. `None` where it was made of another journal, or the journal holds nothing.
    fn open(data_dir: &Path, journal: &Reader) -> Result<Option<Indexed>, IndexError> {
        let reader = index::Reader::open(data_dir)?;
        let until = reader.cursor()?;
        let Some(first) = journal.read(Offset::default(), 1)?.pop() else { return Ok(None) };
        Ok(reader.is_of(journal)?.then_some(Indexed { reader, until, first: first.offset }))
    }
}

#[cfg(test)]
mod tests;
