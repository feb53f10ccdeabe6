//! Measures the cost of a callback: the release build of livehook and a bare axum handler, under the same load.
//!
//! ```text
//! cargo bench --bench receiver                    throughput, steady and start
//! cargo bench --bench receiver -- throughput      events per second and CPU per event, at 64 and 256 connections
//! cargo bench --bench receiver -- steady          latency at 500 events per second
//! cargo bench --bench receiver -- start           time to the first 200
//! cargo bench --bench receiver -- full            CPU per event with five million stored (takes 10 GB of disk)
//! ```
//!
//! Options, with their defaults: `--rounds N` (5), `--secs N` for the length of a round (5), `--stored N` for `full`
//! (5000000), `--ids N` for `start` (1000000), `--dir DIR` for the data of the servers (a folder in `target/`). The
//! servers run on core 1 and the generator on core 0, so run nothing else at the same time. It needs Linux, two cores,
//! `taskset` and `sh`.
//!
//! The bench runs the real binary with its defaults (`synchronous=FULL`, deduplication) and one file sink. The CPU time
//! is user and system time of the whole process, from the first event until the file sink and the index have the last.
//! The generator does not limit the result while it is busy for less than 100 % of the time. A run takes five minutes,
//! and `full` takes ten.

#![allow(clippy::print_stdout, reason = "a bench prints its results")]

mod bare;
#[allow(dead_code, reason = "each bench uses only a part of it")]
#[path = "../common/mod.rs"]
mod common;
mod scenarios;

use std::path::PathBuf;

use anyhow::bail;

use common::arguments;

/// The choices of the command line.
struct Options {
    mode: String,
    rounds: usize,
    secs: u64,
    stored: u64,
    ids: u64,
    dir: PathBuf,
}

fn main() -> anyhow::Result<()> {
    if let Some(address) = arguments::address_after("serve-bare")? {
        return bare::serve(address);
    }
    let options = parse()?;
    let directory = common::start("receiver", &options.dir)?;
    match options.mode.as_str() {
        "throughput" => scenarios::throughput(directory.path(), options.rounds, options.secs),
        "steady" => scenarios::steady(directory.path(), options.secs),
        "start" => scenarios::start(directory.path(), options.rounds, options.ids),
        "full" => scenarios::full(directory.path(), options.rounds, options.secs, options.stored),
        "all" => {
            scenarios::throughput(directory.path(), options.rounds, options.secs)?;
            scenarios::steady(directory.path(), options.secs)?;
            scenarios::start(directory.path(), options.rounds, options.ids)
        }
        other => bail!("`{other}` is not a mode: choose throughput, steady, start or full"),
    }
}

fn parse() -> anyhow::Result<Options> {
    let mut options = Options {
        mode: "all".to_owned(),
        rounds: 5,
        secs: 5,
        stored: 5_000_000,
        ids: 1_000_000,
        dir: arguments::default_dir(),
    };
    options.mode = arguments::read(|option, value| {
        match option {
            "--rounds" => options.rounds = value.count()?,
            "--secs" => options.secs = value.number()?.max(1),
            "--stored" => options.stored = value.number()?,
            "--ids" => options.ids = value.number()?,
            "--dir" => options.dir = value.text.clone().into(),
            other => bail!("{other} is not an option: choose --rounds, --secs, --stored, --ids or --dir"),
        }
        Ok(())
    })?;
    Ok(options)
}
