//! The file being written: appends to it, rotates it, and takes a failed batch back.
//!
//! Everything here blocks. A batch is written as a whole or not at all: the writer remembers the pieces of a batch until its
//! outcome is reported, and otherwise cuts them off again. It cuts only bytes that it has compared with its own.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::closed_names::{ClosedNames, Form, Stamp};
use super::error::FileError;
use super::options::Options;
use super::paths::{Target, directory_of, refuse_irregular, rename_without_replacing};
use super::state::FileState;
use crate::storage::{durable_files, own_file};

#[cfg(test)]
mod tests;

/// Events hold people's addresses, so other users may not read the file.
pub(super) const FILE_MODE: u32 = 0o640;

/// As wide as the umask of livehook's user allows.
const DIRECTORY_MODE: u32 = 0o777;

const DAY_SECS: i64 = 86_400;
const COMPARE_BYTES: usize = 64 * 1024;
/// The memory that a sink may keep from one batch to the next.
const SPARE_BYTES_MAX: usize = 1024 * 1024;

/// The open file, and its state as the sink left it.
#[derive(Debug)]
pub(super) struct Writer {
    options: Options,
    /// The file behind `options.path`, with symbolic links resolved.
    target: PathBuf,
    names: ClosedNames,
    file: Arc<File>,
    device: u64,
    inode: u64,
    length: u64,
    /// Whether the last line has no line end, so that ours must not start right after it.
    unterminated: bool,
    /// The day of the last write, in days since 1970.
    day: i64,
    /// The stamp of the file that was closed last.
    newest: Option<Stamp>,
    /// The lines of the batch whose outcome isn't reported yet.
    lines: Vec<u8>,
    /// The pieces of that batch, in the files that they were written to.
    unreported: Vec<Piece>,
}

/// A part of the batch in one file.
#[derive(Debug)]
struct Piece {
    file: Arc<File>,
    start: u64,
    lines: Range<usize>,
}

impl Writer {
    /// Opens the file at `options.path`. Makes it and its directory if they are missing.
    ///
    /// # Errors
    /// The path can't be opened, or leads to something other than a regular file.
    pub(super) fn open(options: Options) -> Result<Writer, FileError> {
        let path = &options.path;
        let above = directory_of(path);
        durable_files::make(above, DIRECTORY_MODE).map_err(FileError::io(above, "make the directory"))?;
        let Target { path: target, metadata } = Target::find(path)?;
        if let Some(metadata) = metadata {
            refuse_irregular(path, &metadata)?;
        }
        let directory = directory_of(&target).canonicalize().map_err(FileError::io(path, "resolve it"))?;
        // Rotation must rename the file behind a symbolic link, not the link.
        let target = directory.join(target.file_name().unwrap_or_default());
        let file = own_file::open(&target, OpenOptions::new().read(true).append(true).create(true).mode(FILE_MODE))
            .map_err(FileError::io(path, "open it"))?;
        let metadata = file.metadata().map_err(FileError::io(path, "look it up"))?;
        let names = ClosedNames::next_to(&target);
        // An existing file needs this too: the process that made it may have crashed before the sync.
        durable_files::sync(names.directory()).map_err(FileError::io(names.directory(), "sync it"))?;
        let newest = names.list().map_err(FileError::io(names.directory(), "list it"))?.last().map(|(stamp, _)| *stamp);
        let mut writer = Writer {
            target,
            names,
            file: Arc::new(file),
            device: metadata.dev(),
            inode: metadata.ino(),
            length: 0,
            unterminated: false,
            day: metadata.mtime().div_euclid(DAY_SECS),
            newest,
            lines: Vec::new(),
            unreported: Vec::new(),
            options,
        };
        writer.measure()?;
        Ok(writer)
    }

    /// The file behind the configured path.
    pub(super) fn target(&self) -> &Path {
        &self.target
    }

    /// The names of its closed files.
    pub(super) fn names(&self) -> &ClosedNames {
        &self.names
    }

    /// The stamp of the file that was closed last.
    pub(super) fn newest(&self) -> Option<Stamp> {
        self.newest
    }

    /// The present state of the file.
    pub(super) fn state(&self) -> FileState {
        FileState {
            path: self.target.to_string_lossy().into_owned(),
            device: self.device,
            inode: self.inode,
            length: self.length,
            rotated: self.newest.map(|newest| newest.to_string()),
        }
    }

    /// Keeps the last batch in the file, because the sink is about to report its outcome.
    pub(super) fn keep_batch(&mut self) {
        self.unreported.clear();
        self.lines.clear();
        // A large batch must not hold its memory until the next one.
        self.lines.shrink_to(SPARE_BYTES_MAX);
    }

    /// A buffer for the lines of the next batch. It reuses the memory of the last batch.
    pub(super) fn spare_buffer(&mut self) -> Vec<u8> {
        // The lines of a batch that may be taken back are still needed, to compare them with the file.
        if self.unreported.is_empty() { std::mem::take(&mut self.lines) } else { Vec::new() }
    }

    /// Appends whole lines and syncs them. Rotates before and between them if that is due.
    ///
    /// # Errors
    /// None of the lines counts as written. The pieces in the file are taken back now, or before the next lines.
    pub(super) fn append(&mut self, lines: Vec<u8>, now_secs: i64) -> Result<(), FileError> {
        self.take_back()?;
        self.follow_path()?;
        self.lines = lines;
        let written = self.write_lines(now_secs);
        if written.is_err()
            && let Err(error) = self.take_back()
        {
            tracing::warn!(%error, "a failed batch cannot be removed from the file: the sink tries again before the next write");
        }
        written
    }

    /// Reads the length of the file, and whether its last line is whole.
    ///
    /// # Errors
    /// The file can't be read.
    pub(super) fn measure(&mut self) -> Result<(), FileError> {
        let failed = || FileError::io(&self.options.path, "read its end");
        self.length = self.file.metadata().map_err(failed())?.len();
        let mut last = [b'\n'];
        if self.length > 0 {
            self.file.read_exact_at(&mut last, self.length - 1).map_err(failed())?;
        }
        self.unterminated = last != [b'\n'];
        Ok(())
    }

    /// Follows changes that others made to the file. If it was renamed, removed or replaced, opens the path again. If it was
    /// cut or appended to, continues at its new end.
    fn follow_path(&mut self) -> Result<(), FileError> {
        // Looked up before each batch, because logrotate renames a file without a signal.
        match Target::find(&self.options.path)?.metadata {
            Some(metadata) if (metadata.dev(), metadata.ino()) == (self.device, self.inode) => {
                // Something else has cut the file or appended to it.
                if metadata.len() != self.length {
                    self.measure()?;
                }
                Ok(())
            }
            _ => {
                *self = Writer::open(self.options.clone())?;
                Ok(())
            }
        }
    }

    /// Rotates if the file holds events of an earlier day.
    ///
    /// # Errors
    /// The file can't be rotated, or a failed batch can't be removed from it.
    pub(super) fn rotate_by_day(&mut self, now_secs: i64) -> Result<(), FileError> {
        let today = now_secs.div_euclid(DAY_SECS);
        if !self.options.rotate_daily {
            return Ok(());
        }
        self.take_back()?;
        self.follow_path()?;
        if self.length > 0 && self.is_of_earlier_day(today) {
            self.rotate(now_secs)?;
            self.day = self.day.max(today);
        }
        Ok(())
    }

    fn is_of_earlier_day(&self, today: i64) -> bool {
        self.options.rotate_daily && today > self.day
    }

    fn write_lines(&mut self, now_secs: i64) -> Result<(), FileError> {
        let today = now_secs.div_euclid(DAY_SECS);
        let bytes_max = self.options.rotate_bytes.unwrap_or(u64::MAX);
        let free_bytes = |length: u64| bytes_max.saturating_sub(length);
        if self.length > 0 && (self.is_of_earlier_day(today) || whole_lines(&self.lines, free_bytes(self.length)) == 0)
        {
            self.rotate(now_secs)?;
        }
        // Ends a line that another program left unfinished, so that ours don't become part of it.
        if self.unterminated {
            self.lines.insert(0, b'\n');
        }
        let mut start = 0;
        while start < self.lines.len() {
            let rest = &self.lines[start..];
            let count = match whole_lines(rest, free_bytes(self.length)) {
                // A line that exceeds the limit gets a file of its own.
                0 if self.length == 0 => first_line(rest),
                0 => {
                    self.rotate(now_secs)?;
                    continue;
                }
                count => count,
            };
            self.write_piece(start..start + count)?;
            start += count;
        }
        // If the clock is set back over midnight, the same day must not rotate twice.
        self.day = self.day.max(today);
        Ok(())
    }

    fn write_piece(&mut self, lines: Range<usize>) -> Result<(), FileError> {
        let path = &self.options.path;
        // Noted before the write, because a write that fails may leave a part of the lines.
        self.unreported.push(Piece { file: Arc::clone(&self.file), start: self.length, lines: lines.clone() });
        (&*self.file).write_all(&self.lines[lines.clone()]).map_err(FileError::io(path, "write to it"))?;
        self.file.sync_data().map_err(FileError::io(path, "sync it"))?;
        self.length += lines.len() as u64;
        self.unterminated = false;
        Ok(())
    }

    /// Closes the file under a free name, and starts a new one.
    fn rotate(&mut self, now_secs: i64) -> Result<(), FileError> {
        // Another program may have taken the name, so the next free one is used.
        let mut stamp = Stamp::following(self.newest, now_secs);
        while !rename_without_replacing(&self.target, &self.names.path(stamp, Form::Plain))
            .map_err(FileError::io(&self.options.path, "rename it to rotate it"))?
        {
            stamp = stamp.next();
        }
        // Opening also syncs the directory, which makes the rename and the new file durable.
        let opened = Writer::open(self.options.clone())?;
        self.file = opened.file;
        self.device = opened.device;
        self.inode = opened.inode;
        self.length = opened.length;
        self.unterminated = opened.unterminated;
        self.newest = Some(stamp);
        Ok(())
    }

    /// Cuts off the pieces of a batch whose outcome wasn't reported, and syncs the files.
    ///
    /// # Errors
    /// A piece is still in a file. The next call tries again.
    fn take_back(&mut self) -> Result<(), FileError> {
        if self.unreported.is_empty() {
            return Ok(());
        }
        let failed = || FileError::io(&self.options.path, "remove a failed batch from it");
        while let Some(piece) = self.unreported.last() {
            if ends_with_start_of(&piece.file, piece.start, &self.lines[piece.lines.clone()]).map_err(failed())? {
                piece.file.set_len(piece.start).map_err(failed())?;
            }
            // A power failure must not bring the bytes back. Also synced if nothing is left to cut: an earlier try may have cut
            // it.
            piece.file.sync_all().map_err(failed())?;
            self.unreported.pop();
        }
        self.measure()
    }
}

/// Whether the bytes of the file from `start` to its end are the first of these bytes.
fn ends_with_start_of(file: &File, start: u64, bytes: &[u8]) -> io::Result<bool> {
    let length = file.metadata()?.len();
    let Some(count) = length.checked_sub(start).and_then(|count| usize::try_from(count).ok()) else {
        return Ok(false);
    };
    // With more bytes than ours, something else has appended, and its bytes must stay.
    let Some(expected) = bytes.get(..count) else { return Ok(false) };
    let mut found = vec![0; COMPARE_BYTES.min(count)];
    let mut position = start;
    for expected in expected.chunks(COMPARE_BYTES) {
        let found = &mut found[..expected.len()];
        file.read_exact_at(found, position)?;
        if found != expected {
            return Ok(false);
        }
        position += expected.len() as u64;
    }
    Ok(true)
}

/// The number of bytes of whole lines within the first `bytes_max` bytes.
fn whole_lines(lines: &[u8], bytes_max: u64) -> usize {
    match usize::try_from(bytes_max) {
        Ok(bytes_max) if bytes_max < lines.len() => {
            lines[..bytes_max].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1)
        }
        _ => lines.len(),
    }
}

/// The number of bytes of the first line, with its line end.
fn first_line(lines: &[u8]) -> usize {
    lines.iter().position(|byte| *byte == b'\n').map_or(lines.len(), |end| end + 1)
}
