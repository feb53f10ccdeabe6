//! Looks at every record and every cursor of a journal, for people who want to know whether it is intact. Reads the whole file.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{JournalError, Offset, Reader, Record};
use crate::storage;

/// How many records are read at once.
const PAGE_RECORDS: usize = 1000;

/// How many faults an inspection lists. It only counts the others.
const FAULTS_MAX: usize = 20;

/// The result of an inspection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    /// SQLite's texts about damaged pages; none if all are intact.
    pub damages: Vec<String>,
    /// How many records can be read, with or without a fault.
    pub records: u64,
    /// The first records with a fault, each with the fault as part of a sentence.
    pub faults: Vec<(Offset, String)>,
    /// How many records have a fault.
    pub faults_count: u64,
}

impl Reader {
    /// Checks SQLite's pages, and that each record is the event that it says to be. Blocks while it reads the whole journal.
    pub fn inspect(&self) -> Inspection {
        let mut inspection = Inspection { damages: self.damages(), ..Inspection::default() };
        let mut after = Offset(0);
        loop {
            match self.read(after, PAGE_RECORDS) {
                Ok(records) => {
                    let Some(last) = records.last() else { return inspection };
                    after = last.offset;
                    records.iter().for_each(|record| inspection.add(record));
                }
                Err(JournalError::Corrupt(_)) => after = self.inspect_one(after, &mut inspection),
                Err(error) => {
                    // A damaged page is in the way.
                    inspection.add_fault(after.next(), format!("it and those after it cannot be read: {error}"));
                    return inspection;
                }
            }
        }
    }

    /// Inspects the first record after an offset. Returns its offset.
    fn inspect_one(&self, after: Offset, inspection: &mut Inspection) -> Offset {
        match self.read(after, 1) {
            Ok(records) => {
                records.iter().for_each(|record| inspection.add(record));
                records.last().map_or(after, |record| record.offset)
            }
            Err(JournalError::Corrupt(offset)) => {
                inspection.records += 1;
                inspection.add_fault(offset, "its columns are not those of an event".to_owned());
                offset
            }
            // The next page reports it.
            Err(_) => after,
        }
    }

    /// Returns SQLite's texts about damaged pages: none if all are intact. Reads the whole journal.
    pub fn damages(&self) -> Vec<String> {
        storage::damages(&self.connection)
    }

    /// Returns the offsets of the records after `after`, without their events: at most `limit`.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn offsets(&self, after: Offset, limit: usize) -> Result<Vec<Offset>, JournalError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let read = || {
            let query = "SELECT offset FROM records WHERE offset > ?1 ORDER BY offset LIMIT ?2";
            let mut statement = self.connection.prepare_cached(query)?;
            let rows = statement.query_map([after.0, limit], |row| row.get(0).map(Offset))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        };
        self.with_path(read())
    }
}

impl Inspection {
    fn add(&mut self, record: &Record) {
        self.records += 1;
        if let Some(fault) = fault_of(record) {
            self.add_fault(record.offset, fault);
        }
    }

    fn add_fault(&mut self, offset: Offset, fault: String) {
        self.faults_count += 1;
        if self.faults.len() < FAULTS_MAX {
            self.faults.push((offset, fault));
        }
    }
}

/// The members of a line that the columns of its record repeat.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    event_type: Cow<'a, str>,
    #[serde(borrow, rename = "data")]
    _data: &'a RawValue,
}

/// Returns why the line of a record is not the event that its columns name, as part of a sentence; `None` if it is.
pub(super) fn fault_of(record: &Record) -> Option<String> {
    let event = &record.event;
    match serde_json::from_str::<Line<'_>>(event.line()) {
        Err(error) => Some(format!("its line is not an event: {error}")),
        Ok(line) if line.id != event.id().to_string() => Some("its line has the id of another event".to_owned()),
        Ok(line) if line.event_type != event.event_type().cloud_event_type().to_string() => {
            Some("its line has the type of another event".to_owned())
        }
        Ok(_) => None,
    }
}

#[cfg(test)]
mod tests;
