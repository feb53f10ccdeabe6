//! Measures how fast the sink `http` delivers, and how much its work delays the answers to callbacks. livehook is built for
//! release, and a receiver on loopback answers 204 to everything.
//!
//! ```text
//! cargo bench --bench sinks                       single, lists and paired
//! cargo bench --bench sinks -- single             events one by one, with concurrency 16
//! cargo bench --bench sinks -- lists              events in lists of 100
//! cargo bench --bench sinks -- paired             answers to callbacks with the file sink alone, and with the sink http too
//! cargo bench --bench sinks -- backlog            a million events in lists of 100, and the memory that they need
//! ```
//!
//! Options: `--rounds N` (5), `--secs N` for the length of a round of `paired` (5), `--events N` for `backlog` (1000000),
//! `--dir DIR` for the data (in `target/`). livehook runs on core 1, the receiver and the generator on core 0, so
//! nothing else should run at the same time. Needs Linux, two cores, `taskset` and `sh`.
//!
//! For `single`, `lists` and `backlog`, events gather while no receiver runs. The time counts from the receiver's start until the
//! sink has delivered all of them. They are spread over a thousand streams.

#![allow(clippy::print_stdout, reason = "a bench prints its results")]

#[allow(dead_code, reason = "each bench uses only a part of it")]
#[path = "../common/mod.rs"]
mod common;
mod loopback;
mod scenarios;

use std::path::PathBuf;

use anyhow::bail;

use common::arguments;

/// The mode and the length of the measurement.
struct Options {
    mode: String,
    rounds: usize,
    secs: u64,
    events: u64,
    dir: PathBuf,
}

fn main() -> anyhow::Result<()> {
    if let Some(address) = arguments::address_after("serve-loopback")? {
        return loopback::serve(address);
    }
    let options = parse()?;
    let directory = common::start("sinks", &options.dir)?;
    let directory = directory.path();
    match options.mode.as_str() {
        "single" => scenarios::single(directory, options.rounds),
        "lists" => scenarios::lists(directory, options.rounds),
        "paired" => scenarios::paired(directory, options.rounds, options.secs),
        "backlog" => scenarios::backlog(directory, options.events),
        "all" => {
            scenarios::single(directory, options.rounds)?;
            scenarios::lists(directory, options.rounds)?;
            scenarios::paired(directory, options.rounds, options.secs)
        }
        other => bail!("`{other}` is not a mode: choose single, lists, paired or backlog"),
    }
}

fn parse() -> anyhow::Result<Options> {
    let mut options =
        Options { mode: "all".to_owned(), rounds: 5, secs: 5, events: 1_000_000, dir: arguments::default_dir() };
    options.mode = arguments::read(|option, value| {
        match option {
            "--rounds" => options.rounds = value.count()?,
            "--secs" => options.secs = value.number()?.max(1),
            "--events" => options.events = value.number()?.max(1),
            "--dir" => options.dir = value.text.clone().into(),
            other => bail!("{other} is not an option: choose --rounds, --secs, --events or --dir"),
        }
        Ok(())
    })?;
    Ok(options)
}
