//! Counts the instructions of each part of a callback's way. Unlike times, counts hardly differ between two runs, whatever else
//! runs on the machine.
//!
//! ```text
//! cargo bench --bench instructions -- parts
//! ```
//!
//! Options, with their defaults: `--repetitions N` of each part (300), `--dir DIR` for all data (a folder in `target/`). It needs
//! Linux, `taskset` and `valgrind`, whose tool callgrind counts. A run takes some minutes.
//!
//! Each part runs in a process of its own, over the callbacks in `tests/fixtures`. Its count is the difference between a run and
//! one that is twice as long, so the work of the start is not in it.
//!
//! The kernel's instructions don't count. Valgrind hides the processor's own instructions for SHA-256, so the digest of an event's
//! id counts many times as much as it costs. The table shows its share.

#![allow(clippy::print_stdout, reason = "a bench prints its results")]

mod callgrind;
#[allow(dead_code, reason = "each bench uses only a part of it")]
#[path = "../common/mod.rs"]
mod common;
mod parts;

use common::arguments::Arguments;

fn main() -> anyhow::Result<()> {
    if parts::run_as_child()? {
        return Ok(());
    }
    let mut arguments = Arguments::read()?;
    let repetitions = arguments.count("--repetitions", 300)?;
    let dir = arguments.dir();
    // There is one mode, so `all` is the same.
    arguments.mode(&["parts"])?;
    let directory = common::start("instructions", &dir)?;
    parts::parts(directory.path(), repetitions)
}
