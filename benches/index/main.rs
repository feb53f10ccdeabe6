//! How fast the read model is written, how fast it answers, and what it costs the receiver.
//!
//! ```text
//! cargo bench --bench index                  apply, queries and receiver
//! cargo bench --bench index -- apply         events a second into the index, and CPU time for each
//! cargo bench --bench index -- queries       time to an answer, while a receiver is under load
//! cargo bench --bench index -- receiver      the receiver with the index and without it, in turns
//! ```
//!
//! Options: `--rounds N` (3), `--secs N` for the length of a round of `receiver` (5), `--events N` in a round of `apply`
//! (200000), `--queries N` of each kind (200), `--sessions N` in the data of `apply` and `queries` (1000000, with five events
//! each: needs 8 GB of disk), `--dir DIR` for all data (in `target/`), and `--keep yes` to keep the data for the next run.
//!
//! The data are a month of 50,000 streams, appended to a journal by the receiver's code, and the index that a rebuild makes from
//! it. About 1,000 streams are live at the end. `queries` adds a few percent to the data.
//!
//! `apply` measures [`livehook::index::Store`] in this process, on core 0. `queries` reads in this process on core 0, by the
//! readers of the commands and the API, while this process sends 1,000 events a second to the real binary with its defaults on
//! core 1. `receiver` measures that binary at 64 connections. CPU time is user and system time of the measured process. No
//! other program should run at that time. Needs Linux, two cores, `taskset` and `sh`. A run takes a quarter of an hour, without
//! the build.

#![allow(clippy::print_stdout, reason = "a bench prints its results")]

mod apply;
#[allow(dead_code, reason = "each bench uses only a part of it")]
#[path = "../common/mod.rs"]
mod common;
mod data;
mod mix;
mod queries;
mod receiver;

use std::path::PathBuf;

use anyhow::bail;

use common::arguments;

/// What to measure and for how long.
struct Options {
    mode: String,
    rounds: usize,
    secs: u64,
    events: usize,
    queries: usize,
    sessions: u64,
    dir: PathBuf,
    keep: bool,
}

fn main() -> anyhow::Result<()> {
    let options = parse()?;
    if !["all", "apply", "queries", "receiver"].contains(&options.mode.as_str()) {
        bail!("`{}` is not a mode: choose apply, queries or receiver", options.mode);
    }
    let directory = common::start("index", &options.dir)?;
    let is_chosen = |mode: &str| options.mode == "all" || options.mode == mode;
    let full = if options.keep { options.dir.join("index-full") } else { directory.path().join("full") };
    if is_chosen("apply") || is_chosen("queries") {
        data::build(&full, options.sessions)?;
    }
    if is_chosen("apply") {
        apply::apply(directory.path(), &full, options.rounds, options.events)?;
    }
    if is_chosen("queries") {
        queries::queries(&full, options.queries)?;
    }
    if is_chosen("receiver") {
        receiver::receiver(directory.path(), options.rounds, options.secs)?;
    }
    Ok(())
}

fn parse() -> anyhow::Result<Options> {
    let mut options = Options {
        mode: "all".to_owned(),
        rounds: 3,
        secs: 5,
        events: 200_000,
        queries: 200,
        sessions: 1_000_000,
        dir: arguments::default_dir(),
        keep: false,
    };
    options.mode = arguments::read(|option, value| {
        match option {
            "--rounds" => options.rounds = value.count()?,
            "--secs" => options.secs = value.number()?.max(1),
            "--events" => options.events = value.count()?,
            "--queries" => options.queries = value.count()?,
            "--sessions" => options.sessions = value.number()?.max(1),
            "--dir" => options.dir = value.text.clone().into(),
            "--keep" => options.keep = value.text == "yes",
            other => bail!(
                "{other} is not an option: choose --rounds, --secs, --events, --queries, --sessions, --dir or --keep"
            ),
        }
        Ok(())
    })?;
    Ok(options)
}
