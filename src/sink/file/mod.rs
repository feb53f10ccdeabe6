//! The sink `file`: JSON Lines, each event once.
//!
//! The events of a batch are delivered once one write and one sync have succeeded. The state of the file after that (device,
//! inode, length) is stored next to the cursor. After a crash, `recovery` compares the file with the journal, finds the lines
//! that were written, and cuts a torn one. `writer` appends and rotates, `closed_names` names the closed files, and `retention`
//! removes and compresses them.
//!
//! The sink repairs only what it wrote itself. If a delivery was dropped, its outcome was lost, so the sink removes its lines
//! before the next delivery. So no line is written twice.

mod archive;
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

pub use archive::{ArchiveLine, read_archive};
pub use file_sink::FileSink;
pub use options::{Options, ROTATE_BYTES_MIN};
