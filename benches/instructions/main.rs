//! Counts the instructions of a callback's way. Unlike times, counts hardly differ between two runs, whatever else runs on the
//! machine.
//!
//! ```text
//! cargo bench --bench instructions -- parts      each part of the way on its own
//! cargo bench --bench instructions -- service    the whole service by thread, next to a bare axum handler
//! ```
//!
//! Options, with their defaults: `--repetitions N` of each part (300), `--events N` for `service` (2000), `--dir DIR` for all data
//! (a folder in `target/`). It needs Linux, two cores, `taskset` and `valgrind`, whose tool callgrind counts. A run takes some
//! minutes.
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
mod service;

use common::arguments::{self, Arguments};

fn main() -> anyhow::Result<()> {
    if parts::run_as_child()? {
        return Ok(());
    }
    if let Some(address) = arguments::address_after("serve-bare")? {
        return common::bare::serve(address);
    }
    let mut arguments = Arguments::read()?;
    let repetitions = arguments.count("--repetitions", 300)?;
    let events = arguments.count("--events", 2000)? as u64;
    let dir = arguments.dir();
    let mode = arguments.mode(&["parts", "service"])?;
    let directory = common::start("instructions", &dir)?;
    if mode != "service" {
        parts::parts(directory.path(), repetitions)?;
    }
    if mode != "parts" {
        service::service(directory.path(), events)?;
    }
    Ok(())
}
