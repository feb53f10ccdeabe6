//! What the read model takes in, how fast it answers, and what it costs the receiver.
//!
//! ```text
//! cargo bench --bench index                  apply, questions and beside
//! cargo bench --bench index -- apply         events a second into the index, and CPU for each
//! cargo bench --bench index -- questions     time to an answer, beside a receiver under load
//! cargo bench --bench index -- beside        the receiver with the index and without it, in turns
//! ```
//!
//! Options: `--rounds N` (3), `--secs N` for the length of a round of `beside` (5), `--events N` taken in by a round of
//! `apply` (200000), `--questions N` of each kind (200), `--sessions N` in the data that `apply` and `questions` work on
//! (1000000, with five events each: takes 8 GB of disk), `--dir DIR` for all data (in `target/`), and `--keep yes` to leave
//! those data there for the next run.
//!
//! The data are a month of 50,000 streams, appended to a journal as the receiver does, with the index made of it as by a
//! rebuild; some 1,000 streams are live at their end. `questions` adds to them, by some percent. `apply` measures
//! [`livehook::index::Store`] in this process, on core 0. `questions` asks in this process on core 0, through the readers
//! that commands and API have, beside the real binary with its defaults on core 1, to which this process sends 1,000 events a
//! second. `beside` measures that binary at 64 connections. CPU is user and system time of the process that works. Nothing
//! else should run meanwhile. Needs Linux, two cores, `taskset` and `sh`. A run takes a quarter of an hour beside the build.

#![allow(clippy::print_stdout, reason = "printing is what a bench does")]

mod apply;
mod beside;
mod data;
mod mix;
mod questions;

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
    questions: usize,
    sessions: u64,
    dir: PathBuf,
    keep: bool,
}

fn main() -> anyhow::Result<()> {
    // `cargo bench` adds an argument of its own.
    let options = parse(std::env::args().skip(1).filter(|argument| argument != "--bench"))?;
    if !["all", "apply", "questions", "beside"].contains(&options.mode.as_str()) {
        bail!("`{}` is no mode: choose apply, questions or beside", options.mode);
    }
    let directory = tempfile::Builder::new().prefix("index-").tempdir_in(&options.dir)?;
    process::pin_self("0")?;
    report::machine(directory.path())?;
    let is_asked = |mode: &str| options.mode == "all" || options.mode == mode;
    let full = if options.keep { options.dir.join("index-full") } else { directory.path().join("full") };
    if is_asked("apply") || is_asked("questions") {
        data::build(&full, options.sessions)?;
    }
    if is_asked("apply") {
        apply::apply(directory.path(), &full, options.rounds, options.events)?;
    }
    if is_asked("questions") {
        questions::questions(&full, options.questions)?;
    }
    if is_asked("beside") {
        beside::beside(directory.path(), options.rounds, options.secs)?;
    }
    Ok(())
}

fn parse(arguments: impl Iterator<Item = String>) -> anyhow::Result<Options> {
    let mut options = Options {
        mode: "all".to_owned(),
        rounds: 3,
        secs: 5,
        events: 200_000,
        questions: 200,
        sessions: 1_000_000,
        dir: PathBuf::from(env!("CARGO_TARGET_TMPDIR")),
        keep: false,
    };
    options.mode = arguments::read(arguments, |option, value| {
        match option {
            "--rounds" => options.rounds = usize::try_from(value.number()?.max(1))?,
            "--secs" => options.secs = value.number()?.max(1),
            "--events" => options.events = usize::try_from(value.number()?.max(1))?,
            "--questions" => options.questions = usize::try_from(value.number()?.max(1))?,
            "--sessions" => options.sessions = value.number()?.max(1),
            "--dir" => options.dir = value.text.clone().into(),
            "--keep" => options.keep = value.text == "yes",
            other => bail!(
                "{other} is no option: choose --rounds, --secs, --events, --questions, --sessions, --dir or --keep"
            ),
        }
        Ok(())
    })?;
    Ok(options)
}
