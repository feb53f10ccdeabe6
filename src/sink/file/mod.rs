//! The sink `file`: JSON Lines, each event once.
//!
//! A batch is one write and one sync, and only then are its events delivered. The state of the file then (device, inode,
//! length) is stored next to the cursor. After a crash, `recovery` compares the file with the journal, finds which lines are
//! there, and cuts a torn one. `writer` appends and rotates, `closed_names` names the closed files, and `retention` removes
//! and compresses them.
//!
//! The sink repairs only what it wrote itself. It writes no line twice because an outcome was lost: it takes a delivery that was
//! dropped back before the next one.

mod closed_names;
mod error;
mod file_sink;
mod line_reader;
mod options;
mod paths;
mod places;
mod probe;
mod recovery;
mod retention;
mod state;
#[cfg(test)]
mod testing;
mod writer;

pub use file_sink::FileSink;
pub use options::{Options, ROTATE_BYTES_MIN};
