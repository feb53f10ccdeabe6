//! After a crash: what of the records after the cursor is in the files already, and which torn piece to cut.
//!
//! At most one batch was written and not committed with the cursor. It begins where the remembered file ended, or, when
//! that was rotated meanwhile, goes on in the files closed since and in the one being written. Content decides what of
//! it is ours: a whole line must be the line of a record after the cursor, in order, and the last piece the beginning of
//! one. A record that is passed over between two that are found was left out by the sink's filter when they were
//! written, so that the place of the last one found is the place of the sink, as if the crash had come a moment later.
//!
//! A power failure can leave zeros in place of pages that were not synced, also before pages that were kept. Where it is
//! known that nobody but the sink wrote, everything from the line with the first zero on is cut and written again.
//!
//! Whole lines are else never cut, nor is anything that is not such a beginning: from the first line that is no record's,
//! a file is not ours to repair.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::FileError;
use super::rotation::{Form, Names, Stamp, directory_of, find_inode};
use crate::journal::{Offset, Record, Records};
use crate::sink::{DeliveryError, blocking};

const PAGE_RECORDS: usize = 512;
/// How many records may lie between two that were found. A batch is what passes the filter of 1000 records read together,
/// so that no more than these can be unsettled; ten times as many stay right also when that number grows, and bound what
/// one foreign line costs, for which nothing is found.
const GAP_RECORDS_MAX: usize = 10_000;
const CHUNK_BYTES: usize = 256 * 1024;
/// No event's line is near this, so that a longer one need not be read.
const LINE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What is kept beside the cursor: the file as it was when the cursor got there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Remembered {
    /// The file, with symbolic links resolved.
    pub(super) path: String,
    /// Its device.
    pub(super) device: u64,
    /// Its inode: it is known by these two, whatever it is called since.
    pub(super) inode: u64,
    /// Its length.
    pub(super) length: u64,
    /// The stamp of the last file that was closed before.
    pub(super) rotated: Option<String>,
}

/// A place where lines of ours may be: a file, and where in it they would begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    path: PathBuf,
    start: u64,
    /// Whether what is there was written by the sink: behind the remembered length, or in a file that it began since.
    is_ours: bool,
}

/// The places in the order in which they were written, the last being the file that `active` names.
///
/// # Errors
/// A directory cannot be read.
pub(super) fn places(remembered: Option<&Remembered>, active: &Path) -> Result<Vec<Place>, FileError> {
    let mut places = Vec::new();
    if let Some(remembered) = remembered {
        let then = Path::new(&remembered.path);
        let names = Names::beside(then);
        for directory in [names.directory(), directory_of(active)] {
            let found = find_inode(directory, remembered.device, remembered.inode)
                .map_err(FileError::io(directory, "list it"))?;
            places.extend(found.map(|path| Place { path, start: remembered.length, is_ours: true }));
        }
        let rotated = remembered.rotated.as_deref().and_then(Stamp::parse);
        let closed = match names.list() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            closed => closed.map_err(FileError::io(names.directory(), "list it"))?,
        };
        let before = places.len();
        places.extend(
            closed
                .into_iter()
                .filter(|(stamp, form)| *form == Form::Plain && rotated.is_none_or(|rotated| *stamp > rotated))
                .map(|(stamp, form)| Place { path: names.path(stamp, form), start: 0, is_ours: true }),
        );
        // What closed a file since also began the next.
        let is_ours = places.len() > before;
        places.push(Place { path: then.to_owned(), start: 0, is_ours });
    }
    places.push(Place { path: active.to_owned(), start: 0, is_ours: false });

    // The same file can be met under two names, or by inode and by name: its first mention says where to begin.
    let mut seen = Vec::new();
    places.retain(|place| match fs::metadata(&place.path) {
        Ok(metadata) if metadata.is_file() => {
            let identity = (metadata.dev(), metadata.ino());
            let new = !seen.contains(&identity);
            seen.push(identity);
            new
        }
        _ => false,
    });
    Ok(places)
}

/// Follows the records after the cursor through the files.
pub(super) struct Recovery<'a> {
    records: &'a dyn Records,
    /// The last record that was found.
    found: Offset,
    /// Whether records may be passed over.
    gaps: bool,
    page: VecDeque<Record>,
    after: Offset,
}

impl<'a> Recovery<'a> {
    /// Starts after `cursor`. Where nothing is remembered, a file may hold lines from before the sink began, so that
    /// there only an unbroken run of records is believed: passing one over could lose it.
    pub(super) fn new(records: &'a dyn Records, cursor: Offset, gaps: bool) -> Recovery<'a> {
        Recovery { records, found: cursor, gaps, page: VecDeque::new(), after: cursor }
    }

    /// The last record that is in the files: the cursor, when there is none after it.
    pub(super) fn found(&self) -> Offset {
        self.found
    }

    /// Finds what is ours in one place, cuts the torn piece, and syncs the file.
    ///
    /// # Errors
    /// The file or the journal cannot be read, or the file not be changed.
    pub(super) async fn visit(&mut self, place: Place) -> Result<(), DeliveryError> {
        let path = place.path.clone();
        let (file, length) = blocking(move || open(&path)).await??;
        let mut verdict = Verdict::NotOurs;
        if place.start < length {
            verdict = self.judge(&place, &file, length).await?;
        }
        // Cut by others and written to since, or another file that was given the same inode: then ours are from its
        // beginning, or from nowhere.
        if verdict == Verdict::NotOurs && place.start > 0 && place.start != length {
            let place = Place { path: place.path.clone(), start: 0, is_ours: false };
            verdict = self.judge(&place, &file, length).await?;
        }
        let path = place.path;
        blocking(move || {
            if let Verdict::Torn { start } = verdict {
                tracing::info!(
                    path = %path.display(),
                    cut_bytes = length - start,
                    "Cut the torn line that a crash left; its event is written again"
                );
                let failed = || FileError::io(&path, "cut the torn line");
                let file = OpenOptions::new().write(true).open(&path).map_err(failed())?;
                file.set_len(start).map_err(failed())?;
            }
            file.sync_all().map_err(FileError::io(&path, "sync it"))
        })
        .await??;
        Ok(())
    }

    async fn judge(&mut self, place: &Place, file: &Arc<File>, length: u64) -> Result<Verdict, DeliveryError> {
        let mut lines = Lines::new(&place.path, file, place.start..length);
        let mut verdict = Verdict::NotOurs;
        while let Some((start, piece)) = lines.next().await? {
            let (Piece::Line(bytes) | Piece::Torn(bytes)) = &piece;
            let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
            let has_zeros = text.len() < bytes.len();
            match &piece {
                // We end a line of somebody else before we begin ours.
                Piece::Line(line) if line.is_empty() => {}
                Piece::Line(line) if !has_zeros => match self.seek(|record| record == line).await? {
                    Some(offset) => {
                        self.found = offset;
                        verdict = Verdict::Whole;
                    }
                    None => return Ok(verdict),
                },
                _ if has_zeros && !place.is_ours => return Ok(verdict),
                _ => {
                    if self.seek(|record| record.starts_with(text)).await?.is_some() {
                        self.rewind();
                        verdict = Verdict::Torn { start };
                    }
                    return Ok(verdict);
                }
            }
        }
        Ok(verdict)
    }

    /// The first record after the last one found whose line is as wanted.
    async fn seek(&mut self, wanted: impl Fn(&[u8]) -> bool + Send) -> Result<Option<Offset>, DeliveryError> {
        for _ in 0..GAP_RECORDS_MAX {
            if self.page.is_empty() {
                let page = self.records.read(self.after, PAGE_RECORDS).await.map_err(DeliveryError::transient)?;
                self.page = page.into();
            }
            let Some(record) = self.page.pop_front() else { break };
            self.after = record.offset;
            if wanted(record.event.line().as_bytes()) {
                return Ok(Some(record.offset));
            }
            if !self.gaps {
                break;
            }
        }
        self.rewind();
        Ok(None)
    }

    /// Back to the last record found.
    fn rewind(&mut self) {
        self.page.clear();
        self.after = self.found;
    }
}

/// What was found in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Nothing of ours.
    NotOurs,
    /// Whole lines of ours.
    Whole,
    /// Perhaps whole lines, and then from here to the end what is to be written again.
    Torn { start: u64 },
}

/// What lies between two line ends, or behind the last.
enum Piece {
    Line(Vec<u8>),
    Torn(Vec<u8>),
}

/// Reads a range of a file line by line.
struct Lines<'a> {
    path: &'a Path,
    file: &'a Arc<File>,
    /// Where in the file the buffer begins.
    position: u64,
    end: u64,
    buffer: Vec<u8>,
    /// How much of the buffer was given out.
    given: usize,
}

impl<'a> Lines<'a> {
    fn new(path: &'a Path, file: &'a Arc<File>, range: std::ops::Range<u64>) -> Lines<'a> {
        Lines { path, file, position: range.start, end: range.end, buffer: Vec::new(), given: 0 }
    }

    /// The next piece and where it starts; `None` at the end. A line that is too long to be ours counts as torn.
    async fn next(&mut self) -> Result<Option<(u64, Piece)>, DeliveryError> {
        let mut searched = self.given;
        loop {
            if let Some(count) = self.buffer[searched..].iter().position(|byte| *byte == b'\n') {
                let start = self.position + self.given as u64;
                let line = self.buffer[self.given..searched + count].to_vec();
                self.given = searched + count + 1;
                return Ok(Some((start, Piece::Line(line))));
            }
            self.position += self.given as u64;
            self.buffer.drain(..self.given);
            self.given = 0;
            searched = self.buffer.len();
            let read = self.position + self.buffer.len() as u64;
            if read >= self.end || self.buffer.len() > LINE_BYTES_MAX {
                let torn = std::mem::take(&mut self.buffer);
                let start = self.position;
                self.position = self.end;
                return Ok((!torn.is_empty()).then_some((start, Piece::Torn(torn))));
            }
            let count = usize::try_from(self.end - read).map_or(CHUNK_BYTES, |left| left.min(CHUNK_BYTES));
            let file = Arc::clone(self.file);
            let chunk = blocking(move || {
                let mut chunk = vec![0; count];
                file.read_exact_at(&mut chunk, read).map(|()| chunk)
            })
            .await?
            .map_err(FileError::io(self.path, "read it"))?;
            self.buffer.extend_from_slice(&chunk);
        }
    }
}

fn open(path: &Path) -> Result<(Arc<File>, u64), FileError> {
    let failed = || FileError::io(path, "open it");
    let file = File::open(path).map_err(failed())?;
    let length = file.metadata().map_err(failed())?.len();
    Ok((Arc::new(file), length))
}
