//! The file that is being written: appending, rotating, and taking back what did not succeed.
//!
//! Everything here blocks. A batch is written as a whole or not at all: what was written of it is remembered until its
//! delivery has been answered for, and taken back otherwise. It cuts nothing but bytes that it finds to be its own.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::recovery::Remembered;
use super::rotation::{Form, Names, Stamp, directory_of};
use super::{FileError, Options};
use crate::storage::durable_files;

/// Events name people's addresses, so that the file is not for everybody.
pub(super) const FILE_MODE: u32 = 0o640;

/// The umask of livehook's user takes from it what is not for everybody.
const DIRECTORY_MODE: u32 = 0o777;

const DAY_SECS: i64 = 86_400;
const COMPARE_BYTES: usize = 64 * 1024;
/// How much memory a sink may keep from one batch to the next.
const SPARE_BYTES_MAX: usize = 1024 * 1024;

/// The open file, and how far we know it.
#[derive(Debug)]
pub(super) struct Writer {
    options: Options,
    /// The file behind `options.path`, with symbolic links resolved.
    target: PathBuf,
    names: Names,
    file: Arc<File>,
    device: u64,
    inode: u64,
    length: u64,
    /// Whether the last line lacks its end, so that ours must not start behind it.
    unterminated: bool,
    /// The day of the last write, in days since 1970.
    day: i64,
    /// The last file that was closed.
    newest: Option<Stamp>,
    /// The lines of the batch that is not answered for yet.
    lines: Vec<u8>,
    /// Where they were written to.
    unsettled: Vec<Piece>,
}

/// A part of the batch in one file.
#[derive(Debug)]
struct Piece {
    file: Arc<File>,
    start: u64,
    lines: Range<usize>,
}

impl Writer {
    /// Opens the file at `options.path`, and makes it and its directory where they are missing.
    ///
    /// # Errors
    /// The path cannot be opened, or is no regular file.
    pub(super) fn open(options: Options) -> Result<Writer, FileError> {
        let path = &options.path;
        let above = directory_of(path);
        durable_files::make(above, DIRECTORY_MODE).map_err(FileError::io(above, "make the directory"))?;
        match fs::metadata(path) {
            // Asked before opening, since that would wait for the other end of a pipe.
            Ok(metadata) => refuse_irregular(path, &metadata)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(FileError::io(path, "look it up")(error)),
        }
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(FILE_MODE)
            .open(path)
            .map_err(FileError::io(path, "open it"))?;
        let metadata = file.metadata().map_err(FileError::io(path, "look it up"))?;
        refuse_irregular(path, &metadata)?;
        let target = fs::canonicalize(path).map_err(FileError::io(path, "resolve it"))?;
        let names = Names::beside(&target);
        // Also for a file that was there: whoever made it may have been stopped before this.
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
            unsettled: Vec::new(),
            options,
        };
        writer.measure()?;
        Ok(writer)
    }

    /// The file behind the configured path.
    pub(super) fn target(&self) -> &Path {
        &self.target
    }

    /// What its closed files are called.
    pub(super) fn names(&self) -> &Names {
        &self.names
    }

    /// The last file that was closed.
    pub(super) fn newest(&self) -> Option<Stamp> {
        self.newest
    }

    /// What to remember of the file as it is.
    pub(super) fn remembered(&self) -> Remembered {
        Remembered {
            path: self.target.to_string_lossy().into_owned(),
            device: self.device,
            inode: self.inode,
            length: self.length,
            rotated: self.newest.map(|newest| newest.to_string()),
        }
    }

    /// The last batch has been answered for: it stays.
    pub(super) fn settle(&mut self) {
        self.unsettled.clear();
        self.lines.clear();
        self.lines.shrink_to(SPARE_BYTES_MAX);
    }

    /// A buffer for the lines of the next batch, with the room of the last one: the same memory serves most batches.
    pub(super) fn spare_buffer(&mut self) -> Vec<u8> {
        if self.unsettled.is_empty() { std::mem::take(&mut self.lines) } else { Vec::new() }
    }

    /// Appends whole lines and syncs them, rotating before and between them where it is due.
    ///
    /// # Errors
    /// None of the lines counts as written. What was written is taken back now, or before the next lines.
    pub(super) fn append(&mut self, lines: Vec<u8>, now: Timestamp) -> Result<(), FileError> {
        self.take_back()?;
        self.follow_path()?;
        self.lines = lines;
        let written = self.write_lines(now);
        if written.is_err()
            && let Err(error) = self.take_back()
        {
            tracing::warn!(%error, "What was written of a batch could not be taken back; it is tried again before the next write");
        }
        written
    }

    /// Finds the length of the file, and whether its last line is whole.
    ///
    /// # Errors
    /// The file cannot be read.
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

    /// Notices what others did to the file since: renamed, removed or replaced, it is opened anew; cut or appended to,
    /// it is continued at its end.
    fn follow_path(&mut self) -> Result<(), FileError> {
        let path = &self.options.path;
        match fs::metadata(path) {
            Ok(metadata) if (metadata.dev(), metadata.ino()) == (self.device, self.inode) => {
                if metadata.len() != self.length {
                    self.measure()?;
                }
                Ok(())
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(FileError::io(path, "look it up")(error)),
            _ => {
                *self = Writer::open(self.options.clone())?;
                Ok(())
            }
        }
    }

    fn write_lines(&mut self, now: Timestamp) -> Result<(), FileError> {
        let today = now.as_second().div_euclid(DAY_SECS);
        let bytes_max = self.options.rotate_bytes.unwrap_or(u64::MAX);
        let room = |length: u64| bytes_max.saturating_sub(length);
        let day_is_over = self.options.rotate_daily && today > self.day;
        if self.length > 0 && (day_is_over || whole_lines(&self.lines, room(self.length)) == 0) {
            self.rotate(now)?;
        }
        if self.unterminated {
            self.lines.insert(0, b'\n');
        }
        let mut start = 0;
        while start < self.lines.len() {
            let rest = &self.lines[start..];
            let count = match whole_lines(rest, room(self.length)) {
                // A line that is larger than a file may be has a file of its own.
                0 if self.length == 0 => first_line(rest),
                0 => {
                    self.rotate(now)?;
                    continue;
                }
                count => count,
            };
            self.write_piece(start..start + count)?;
            start += count;
        }
        // A clock that was set back over midnight must not turn the day twice.
        self.day = self.day.max(today);
        Ok(())
    }

    fn write_piece(&mut self, lines: Range<usize>) -> Result<(), FileError> {
        let path = &self.options.path;
        self.unsettled.push(Piece { file: Arc::clone(&self.file), start: self.length, lines: lines.clone() });
        (&*self.file).write_all(&self.lines[lines.clone()]).map_err(FileError::io(path, "write to it"))?;
        self.file.sync_data().map_err(FileError::io(path, "sync it"))?;
        self.length += lines.len() as u64;
        self.unterminated = false;
        Ok(())
    }

    /// Closes the file under a name that nothing has yet, and starts a new one.
    fn rotate(&mut self, now: Timestamp) -> Result<(), FileError> {
        let mut stamp = Stamp::following(self.newest, now);
        while !rename_without_replacing(&self.target, &self.names.path(stamp, Form::Plain))
            .map_err(FileError::io(&self.options.path, "rename it to rotate it"))?
        {
            stamp = stamp.next();
        }
        let opened = Writer::open(self.options.clone())?;
        self.file = opened.file;
        self.device = opened.device;
        self.inode = opened.inode;
        self.length = opened.length;
        self.unterminated = opened.unterminated;
        self.newest = Some(stamp);
        Ok(())
    }

    /// Cuts off what was written of a batch that was not answered for, and syncs that.
    ///
    /// # Errors
    /// It is still there, and is tried again the next time.
    fn take_back(&mut self) -> Result<(), FileError> {
        if self.unsettled.is_empty() {
            return Ok(());
        }
        let failed = || FileError::io(&self.options.path, "take back what could not be written whole");
        while let Some(piece) = self.unsettled.last() {
            if ends_with_start_of(&piece.file, piece.start, &self.lines[piece.lines.clone()]).map_err(failed())? {
                piece.file.set_len(piece.start).map_err(failed())?;
            }
            piece.file.sync_all().map_err(failed())?;
            self.unsettled.pop();
        }
        self.measure()
    }
}

/// Whether the file holds, from `start` to its end, nothing but the first of these bytes.
fn ends_with_start_of(file: &File, start: u64, bytes: &[u8]) -> io::Result<bool> {
    let length = file.metadata()?.len();
    let Some(count) = length.checked_sub(start).and_then(|count| usize::try_from(count).ok()) else {
        return Ok(false);
    };
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

/// How many bytes of whole lines there are in the first `room` bytes.
fn whole_lines(lines: &[u8], room: u64) -> usize {
    match usize::try_from(room) {
        Ok(room) if room < lines.len() => {
            lines[..room].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1)
        }
        _ => lines.len(),
    }
}

fn first_line(lines: &[u8]) -> usize {
    lines.iter().position(|byte| *byte == b'\n').map_or(lines.len(), |end| end + 1)
}

/// Renames, and answers false where something has the new name.
fn rename_without_replacing(from: &Path, to: &Path) -> io::Result<bool> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(true),
        Err(Errno::EXIST) => Ok(false),
        // Not every file system can; nobody else gives such names, so that looking first is as good.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => match fs::symlink_metadata(to) {
            Ok(_) => Ok(false),
            Err(_) => fs::rename(from, to).map(|()| true),
        },
        Err(error) => Err(error.into()),
    }
}

fn refuse_irregular(path: &Path, metadata: &fs::Metadata) -> Result<(), FileError> {
    let file_type = metadata.file_type();
    let kind = match file_type {
        _ if file_type.is_file() => return Ok(()),
        _ if file_type.is_dir() => "a directory",
        _ if file_type.is_fifo() => "a pipe",
        _ if file_type.is_socket() => "a socket",
        _ => "a device",
    };
    Err(FileError::Irregular { path: path.to_owned(), kind })
}
