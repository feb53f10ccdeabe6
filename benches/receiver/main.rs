//! Measures the cost of a callback: the release build of livehook and a bare axum handler, under the same load.
//!
//! ```text
//! cargo bench --bench receiver                    throughput, steady and start
//! cargo bench --bench receiver -- throughput      events per second and CPU per event, at 64 and 256 connections
//! cargo bench --bench receiver -- steady          latency at 500 events per second
//! cargo bench --bench receiver -- start           time to the first 200
//! ```
//!
//! Options, with their defaults: `--rounds N` (5), `--secs N` for the length of a round (5), `--ids N` for `start` (1000000),
//! `--dir DIR` for the data of the servers (a folder in `target/`). The servers run on core 1 and the generator on core 0, so run
//! nothing else at the same time. It needs Linux, two cores, `taskset` and `sh`.
//!
//! The bench runs the real binary with its defaults (`synchronous=FULL`, deduplication) and one file sink. The CPU time
//! is user and system time of the whole process, from the first event until the file sink and the index have the last.
//! The generator does not limit the result while it is busy for less than 100 % of the time. A run takes five minutes.

#![allow(clippy::print_stdout, reason = "a bench prints its results")]

#[allow(dead_code, reason = "each bench uses only a part of it")]
#[path = "../common/mod.rs"]
mod common;
mod scenarios;

use common::arguments::{self, Arguments};

const MODES: [&str; 3] = ["throughput", "steady", "start"];

fn main() -> anyhow::Result<()> {
    if let Some(address) = arguments::address_after("serve-bare")? {
        return common::bare::serve(address);
    }
    let mut arguments = Arguments::read()?;
    let (rounds, secs) = (arguments.count("--rounds", 5)?, arguments.number("--secs", 5)?.max(1));
    let ids = arguments.number("--ids", 1_000_000)?;
    let dir = arguments.dir();
    let mode = arguments.mode(&MODES)?;
    let directory = common::start("receiver", &dir)?;
    let directory = directory.path();
    let is_chosen = |name: &str| mode == name || mode == "all";
    if is_chosen("throughput") {
        scenarios::throughput(directory, rounds, secs)?;
    }
    if is_chosen("steady") {
        scenarios::steady(directory, secs)?;
    }
    if is_chosen("start") {
        scenarios::start(directory, rounds, ids)?;
    }
    Ok(())
}
