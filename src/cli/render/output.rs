//! Writes the data of a command to stdout, and messages to stderr.

use std::fmt;
use std::io::{self, BufWriter, IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};
use jiff::tz::TimeZone;

/// Why data could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutputError {
    /// The reader of stdout closed it, as `head` does. This is not a failure.
    #[error("stdout is closed")]
    Closed,
    /// Another write error, for example a full disk.
    #[error("cannot write to stdout: {0}")]
    Io(io::Error),
}

impl From<io::Error> for OutputError {
    fn from(error: io::Error) -> OutputError {
        match error.kind() {
            io::ErrorKind::BrokenPipe => OutputError::Closed,
            _ => OutputError::Io(error),
        }
    }
}

/// The stdout of a command, buffered until [`Output::flush`].
pub(crate) struct Output<'w> {
    writer: Box<dyn Write + 'w>,
    is_flushed: bool,
    is_coloured: bool,
    /// The zone of the times in tables.
    zone: TimeZone,
}

impl<'w> Output<'w> {
    /// The stdout of this process.
    pub(crate) fn stdout() -> Output<'w> {
        let stdout = io::stdout();
        // A pipe or a file never gets colours, even if a variable forces them, because a program reads it.
        let is_coloured = stdout.is_terminal() && AutoStream::choice(&stdout) != ColorChoice::Never;
        Output { writer: Box::new(BufWriter::new(stdout)), is_flushed: true, is_coloured, zone: TimeZone::UTC }
    }

    /// Any writer, for tests.
    #[cfg(test)]
    pub(crate) fn to(writer: &'w mut dyn Write) -> Output<'w> {
        Output { writer: Box::new(writer), is_flushed: true, is_coloured: false, zone: TimeZone::UTC }
    }

    /// The same output in colour, for tests.
    #[cfg(test)]
    pub(crate) fn coloured(self) -> Output<'w> {
        Output { is_coloured: true, ..self }
    }

    /// Whether stdout is a terminal that shows colours, and the user did not disable them.
    pub(crate) fn is_coloured(&self) -> bool {
        self.is_coloured
    }

    /// Sets the zone of the times in tables. It is UTC at first.
    pub(crate) fn set_zone(&mut self, zone: TimeZone) {
        self.zone = zone;
    }

    /// The zone of the times in tables.
    pub(crate) fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Writes bytes unchanged.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), OutputError> {
        Ok(self.write_all(bytes)?)
    }

    /// Writes one line.
    pub(crate) fn line(&mut self, line: impl fmt::Display) -> Result<(), OutputError> {
        Ok(writeln!(self, "{line}")?)
    }

    /// Sends buffered data to stdout.
    pub(crate) fn flush(&mut self) -> Result<(), OutputError> {
        Ok(Write::flush(self)?)
    }
}

impl Write for Output<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.is_flushed = false;
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        // While `serve` runs, the log sink may hold stdout in a blocked write. A command without data must not wait for it.
        if !self.is_flushed {
            self.writer.flush()?;
            self.is_flushed = true;
        }
        Ok(())
    }
}

/// Writes one line to stderr. A closed stderr is ignored.
pub(crate) fn talk(line: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{line}");
}
