//! Where a command's data goes: stdout, in one place, so that a reader who leaves early ends the command in peace.
//! Talk goes to stderr, through [`talk`].

use std::fmt;
use std::io::{self, BufWriter, IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};

/// Why data could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutputError {
    /// Whoever read stdout has left, as `head` does. Not a failure.
    #[error("stdout is closed")]
    Closed,
    /// Stdout does not do as asked, as on a full disk.
    #[error("stdout cannot be written: {0}")]
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

/// Takes a command's data. What is written appears after [`Output::flush`] at the latest.
pub(crate) struct Output<'w> {
    writer: Box<dyn Write + 'w>,
    /// A command that writes nothing must not touch stdout at all: while `serve` runs, a sink may hold it, blocked.
    is_flushed: bool,
    is_coloured: bool,
}

impl<'w> Output<'w> {
    /// The process's stdout.
    pub(crate) fn stdout() -> Output<'w> {
        let stdout = io::stdout();
        // The choice knows NO_COLOR and terminals without colours. Into a pipe or file none go, even where a variable
        // demands them: what reads there reads data.
        let is_coloured = stdout.is_terminal() && AutoStream::choice(&stdout) != ColorChoice::Never;
        Output { writer: Box::new(BufWriter::new(stdout)), is_flushed: true, is_coloured }
    }

    /// Any writer, for tests.
    #[cfg(test)]
    pub(crate) fn to(writer: &'w mut dyn Write) -> Output<'w> {
        Output { writer: Box::new(writer), is_flushed: true, is_coloured: false }
    }

    /// The same in colour, for tests.
    #[cfg(test)]
    pub(crate) fn coloured(self) -> Output<'w> {
        Output { is_coloured: true, ..self }
    }

    /// Whether a person sees this on a terminal with colours, and has not asked for none.
    pub(crate) fn is_coloured(&self) -> bool {
        self.is_coloured
    }

    /// Writes bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), OutputError> {
        self.is_flushed = false;
        Ok(self.writer.write_all(bytes)?)
    }

    /// Writes one line.
    pub(crate) fn line(&mut self, line: impl fmt::Display) -> Result<(), OutputError> {
        self.is_flushed = false;
        Ok(writeln!(self.writer, "{line}")?)
    }

    /// Lets everything appear.
    pub(crate) fn flush(&mut self) -> Result<(), OutputError> {
        if !self.is_flushed {
            self.writer.flush()?;
            self.is_flushed = true;
        }
        Ok(())
    }
}

/// Says one line to the person at the terminal. A closed stderr is nobody to tell.
pub(crate) fn talk(line: impl fmt::Display) {
    let _ = writeln!(io::stderr(), "{line}");
}
