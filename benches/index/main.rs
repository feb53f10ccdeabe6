//! How fast the read model is written, how fast it answers, and what it costs the receiver.
//!
//! ```text
//! cargo bench --bench index                  apply, queries, pages and receiver
//! cargo bench --bench index -- apply         events a second into the index, and CPU time for each
//! cargo bench --bench index -- queries       time to an answer, while a receiver is under load
//! cargo bench --bench index -- pages         time to render each page of the dashboard
//! cargo bench --bench index -- receiver      the receiver with the index and without it, in turns
//! cargo bench --bench index -- full          the receiver with an empty and with a full journal, in turns
//! ```
//!
//! Options: `--rounds N` (3), `--secs N` for the length of a round of `receiver` and `full` (5), `--events N` in a round of `apply`
//! (200000), `--queries N` of each kind (200), `--sessions N` in the data of all modes but `receiver` (1000000, with five events
//! each: needs 8 GB of disk), `--dir DIR` for all data (in `target/`), and `--keep yes` to keep the data for the next run. `full`
//! adds events to the data, so it works on a copy of kept data, which needs as much disk again.
//!
//! The data are a month of 50,000 streams, appended to a journal by the receiver's code, and the index that a rebuild makes from
//! it. About 1,000 streams of a million sessions are live at the end. `queries` adds a few percent to the data.
//!
//! `apply` measures [`livehook::index::Store`] in this process, on core 0. `queries` reads in this process on core 0, by the
//! readers of the commands and the API, while this process sends 1,000 events a second to the real binary with its defaults on
//! core 1. `receiver` measures that binary at 64 connections, and `full` at 256. CPU time is user and system time of the measured
//! process. No other program should run at that time. Needs Linux, two cores, `taskset` and `sh`. A run takes a quarter of an hour,
//! without the build.

#![allow(clippy::print_stdout, reason = "a bench prints its results")]

mod apply;
#[allow(dead_code, reason = "each bench uses only a part of it")]
#[path = "../common/mod.rs"]
mod common;
mod data;
mod mix;
mod pages;
mod queries;
mod receiver;

use common::arguments::Arguments;

fn main() -> anyhow::Result<()> {
    let mut arguments = Arguments::read()?;
    let (rounds, secs) = (arguments.count("--rounds", 3)?, arguments.number("--secs", 5)?.max(1));
    let events = arguments.count("--events", 200_000)?;
    let queries = arguments.count("--queries", 200)?;
    let sessions = arguments.number("--sessions", 1_000_000)?.max(1);
    let keeps_data = arguments.text("--keep").is_some_and(|text| text == "yes");
    let dir = arguments.dir();
    let mode = arguments.mode(&["apply", "queries", "pages", "receiver", "full"])?;
    let directory = common::start("index", &dir)?;
    let directory = directory.path();
    let is_chosen = |name: &str| mode == name || mode == "all";
    // Kept data are outside the directory of this run, which is removed at its end.
    let full = if keeps_data { dir.join("index-full") } else { directory.join("full") };
    if is_chosen("apply") || is_chosen("queries") || is_chosen("pages") || mode == "full" {
        data::build(&full, sessions)?;
    }
    if is_chosen("apply") {
        apply::apply(directory, &full, rounds, events)?;
    }
    if is_chosen("queries") {
        queries::queries(&full, queries)?;
    }
    if is_chosen("pages") {
        pages::pages(&full, queries)?;
    }
    if is_chosen("receiver") {
        receiver::receiver(directory, rounds, secs)?;
    }
    if mode == "full" {
        let data = if keeps_data { data::copy(&full, &directory.join("full"))? } else { full };
        receiver::full(directory, &data, rounds, secs)?;
    }
    Ok(())
}
