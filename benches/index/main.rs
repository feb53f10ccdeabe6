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

#![allow(clippy::print_stdout, reason = "printing is what a bench does")]

mod apply;
mod data;
mod mix;
mod queries;
mod receiver;

#[path = "../receiver/arguments.rs"]
mod arguments;
#[path = "../receiver/generator.rs"]
#[allow(dead_code, reason = "shared with the bench of the receiver, which uses more of it")]
mod generator;
#[path = "../receiver/process.rs"]
#[allow(dead_code, reason = "shared with the bench of the receiver, which uses more of it")]
mod process;
#[path = "../receiver/report.rs"]
mod report;
#[path = "../receiver/round.rs"]
mod round;

use std::path::PathBuf;

use anyhow::bail;

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
    // `cargo bench` adds an argument of its own.
    let options = parse(std::env::args().skip(1).filter(|argument| argument != "--bench"))?;
    if !["all", "apply", "queries", "receiver"].contains(&options.mode.as_str()) {
        bail!("`{}` is not a mode: choose apply, queries or receiver", options.mode);
    }
    let directory = tempfile::Builder::new().prefix("index-").tempdir_in(&options.dir)?;
    process::pin_self("0")?;
    report::machine(directory.path())?;
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

fn parse(arguments: impl Iterator<Item = String>) -> anyhow::Result<Options> {
    let mut options = Options {
        mode: "all".to_owned(),
        rounds: 3,
        secs: 5,
        events: 200_000,
        queries: 200,
        sessions: 1_000_000,
        dir: PathBuf::from(env!("CARGO_TARGET_TMPDIR")),
        keep: false,
    };
    options.mode = arguments::read(arguments, |option, value| {
        match option {
            "--rounds" => options.rounds = usize::try_from(value.number()?.max(1))?,
            "--secs" => options.secs = value.number()?.max(1),
            "--events" => options.events = usize::try_from(value.number()?.max(1))?,
            "--queries" => options.queries = usize::try_from(value.number()?.max(1))?,
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
