//! Reads a range of a file line by line, in bounded memory and without blocking the runtime.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use super::error::FileError;
use crate::sink::Failure;
use crate::sink::blocking::blocking;

const CHUNK_BYTES: usize = 256 * 1024;

/// The longest line that is read, in bytes. The line of an event is always shorter.
const LINE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A piece of a file.
pub(super) enum Piece {
    /// A line, without its line end.
    Line(Vec<u8>),
    /// The bytes after the last line end.
    Torn(Vec<u8>),
}

/// Reads a range of a file line by line.
pub(super) struct LineReader<'a> {
    path: &'a Path,
    file: &'a Arc<File>,
    /// The offset in the file at which the buffer begins.
    position: u64,
    end: u64,
    buffer: Vec<u8>,
    /// The number of bytes of the buffer that were returned.
    returned: usize,
}

impl<'a> LineReader<'a> {
    pub(super) fn new(path: &'a Path, file: &'a Arc<File>, range: Range<u64>) -> LineReader<'a> {
        LineReader { path, file, position: range.start, end: range.end, buffer: Vec::new(), returned: 0 }
    }

    /// Returns the next piece and the offset at which it starts; `None` at the end. A line longer than [`LINE_BYTES_MAX`] is
    /// returned as torn, and ends the range.
    ///
    /// # Errors
    /// The file can't be read.
    pub(super) async fn next(&mut self) -> Result<Option<(u64, Piece)>, Failure> {
        // The part of the buffer before this has no line end, so a long line is searched only once.
        let mut searched = self.returned;
        loop {
            if let Some(count) = self.buffer[searched..].iter().position(|byte| *byte == b'\n') {
                let start = self.position + self.returned as u64;
                let line = self.buffer[self.returned..searched + count].to_vec();
                self.returned = searched + count + 1;
                return Ok(Some((start, Piece::Line(line))));
            }
            self.position += self.returned as u64;
            self.buffer.drain(..self.returned);
            self.returned = 0;
            searched = self.buffer.len();
            let read = self.position + self.buffer.len() as u64;
            // No event has such a long line, so another program wrote it.
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
