//! The sink `command`: hands each event to the user's program.
//!
//! `each` starts the program for each event, several at once; `lines` keeps one program running. `lookup` finds the program,
//! `program` starts and kills it, and `program_log` logs its output.
//!
//! No shell is involved, and the program gets only `PATH` from livehook's environment. When a delivery ends, its processes are
//! killed, also after a timeout and if the delivery is dropped.

mod command_sink;
mod each;
mod lines;
mod lookup;
mod options;
mod program;
mod program_log;
#[cfg(test)]
mod testing;

pub use command_sink::CommandSink;
pub use options::{Environment, Mode, Options};
