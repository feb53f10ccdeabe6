//! After a crash: finds which records after the cursor are in the files already, and cuts a torn line.
//!
//! At most one batch was written without its cursor being stored. The batch begins at the stored length of the file. If the
//! file was rotated since, the batch continues in the files closed since and in the current one.
//!
//! Content decides which lines are ours: a whole line must be the line of a record after the cursor, in order, and a torn line must
//! be the beginning of one. A line that an earlier version wrote counts too. A record that is skipped between two that are found
//! was left out by the sink's filter. So the last record found is the sink's position, as if the crash had come a moment later.
//!
//! A power failure can leave zeros in place of pages that were not synced, even before pages that were. If only the sink
//! can have written there, everything from the line with the first zero on is cut and written again.
//!
//! The recovery cuts nothing else. The first line that belongs to no record was written by another program, so the recovery
//! changes nothing from there on.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::path::Path;
use std::sync::Arc;

use super::error::FileError;
use super::line_reader::{LineReader, Piece};
use super::places::Place;
use crate::callback::Event;
use crate::journal::{Offset, Record, Records};
use crate::sink::Failure;
use crate::sink::blocking::blocking;
use crate::storage::own_file;

#[cfg(test)]
mod tests;

const PAGE_RECORDS: usize = 512;

/// The number of records that may be skipped between two that are found. A batch holds the records that pass the filter out of
/// 1000, so fewer can be missing. Ten times as many leave room for larger batches, and bound the cost of a foreign line, which
/// is compared with each of these records.
const GAP_RECORDS_MAX: usize = 10_000;

/// Follows the records after the cursor through the files.
pub(super) struct Recovery<'a> {
    records: &'a dyn Records,
    /// The last record found.
    found: Offset,
    /// Whether records may be skipped.
    may_skip: bool,
    page: VecDeque<Record>,
    after: Offset,
}

/// What a file holds of the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    /// No line of ours.
    Foreign,
    /// Whole lines of ours.
    Whole,
    /// Possibly whole lines of ours, and from `start` to the end bytes that must be written again.
    Torn { start: u64 },
}

impl<'a> Recovery<'a> {
    /// Starts after `cursor`. Without a stored state, a file may hold lines from before the sink existed. Then only an unbroken
    /// run of records counts (`may_skip` is false), because a record that is skipped could be lost.
    pub(super) fn new(records: &'a dyn Records, cursor: Offset, may_skip: bool) -> Recovery<'a> {
        Recovery { records, found: cursor, may_skip, page: VecDeque::new(), after: cursor }
    }

    /// The last record that is in the files; the cursor if no later one is.
    pub(super) fn found(&self) -> Offset {
        self.found
    }

    /// Finds our lines in one place, cuts a torn line, and syncs the file.
    ///
    /// # Errors
    /// The file or the journal can't be read, or the file can't be changed.
    pub(super) async fn visit(&mut self, place: Place) -> Result<(), Failure> {
        let path = place.path.clone();
        let (file, length) = blocking(move || open(&path)).await??;
        let mut content = Content::Foreign;
        if place.start < length {
            content = self.read(&place, &file, length).await?;
        }
        // Another process cut the file and wrote to it, or another file was given the same inode. Then our lines begin at its
        // start, or there are none.
        if content == Content::Foreign && place.start > 0 && place.start != length {
            let place = Place { path: place.path.clone(), start: 0, is_ours: false };
            content = self.read(&place, &file, length).await?;
        }
        let path = place.path;
        blocking(move || {
            if let Content::Torn { start } = content {
                tracing::info!(
                    path = %path.display(),
                    cut_bytes = length - start,
                    "cut the torn line that a crash left: its event is written again"
                );
                let failed = || FileError::io(&path, "cut the torn line");
                let to_cut = own_file::open(&path, OpenOptions::new().write(true)).map_err(failed())?;
                to_cut.set_len(start).map_err(failed())?;
            }
            // Also if nothing was cut: the lines that were found count as delivered now, and may not have been synced.
            file.sync_all().map_err(FileError::io(&path, "sync it"))
        })
        .await??;
        Ok(())
    }

    /// Compares the lines of a place with the records, up to the first line that is not ours.
    async fn read(&mut self, place: &Place, file: &Arc<File>, length: u64) -> Result<Content, Failure> {
        let mut lines = LineReader::new(&place.path, file, place.start..length);
        let mut content = Content::Foreign;
        while let Some((start, piece)) = lines.next().await? {
            let (Piece::Line(bytes) | Piece::Torn(bytes)) = &piece;
            let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
            let has_zeros = text.len() < bytes.len();
            match &piece {
                // The sink ends an unfinished foreign line before it begins its own, which can leave an empty line.
                Piece::Line(line) if line.is_empty() => {}
                Piece::Line(line) if !has_zeros => match self.seek(|event| event.missing_bytes(line) == Some(0)).await?
                {
                    Some(offset) => {
                        self.found = offset;
                        content = Content::Whole;
                    }
                    None => return Ok(content),
                },
                _ if has_zeros && !place.is_ours => return Ok(content),
                _ => {
                    if self.seek(|event| event.missing_bytes(text).is_some()).await?.is_some() {
                        // The record is written again, so it must not count as found.
                        self.rewind();
                        content = Content::Torn { start };
                    }
                    return Ok(content);
                }
            }
        }
        Ok(content)
    }

    /// Returns the first record after the last one found whose event `is_wanted`.
    async fn seek(&mut self, is_wanted: impl Fn(&Event) -> bool + Send) -> Result<Option<Offset>, Failure> {
        for _ in 0..GAP_RECORDS_MAX {
            if self.page.is_empty() {
                let page = self.records.read(self.after, PAGE_RECORDS).await.map_err(Failure::outage)?;
                self.page = page.into();
            }
            let Some(record) = self.page.pop_front() else { break };
            self.after = record.offset;
            if is_wanted(&record.event) {
                return Ok(Some(record.offset));
            }
            // Without a stored state, a skipped record could be a lost one.
            if !self.may_skip {
                break;
            }
        }
        self.rewind();
        Ok(None)
    }

    /// Goes back to the last record found.
    fn rewind(&mut self) {
        self.page.clear();
        self.after = self.found;
    }
}

fn open(path: &Path) -> Result<(Arc<File>, u64), FileError> {
    let failed = || FileError::io(path, "open it");
    let file = own_file::open_to_read(path).map_err(failed())?;
    let length = file.metadata().map_err(failed())?.len();
    Ok((Arc::new(file), length))
}
