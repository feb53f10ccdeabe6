//! What the index costs the receiver: with and without it, in turns.

use std::fs;
use std::path::Path;

use crate::common::process::{self, Server, Setup};
use crate::common::report::table;
use crate::common::round::{ROUND_COLUMNS, Round, middle, round, round_row};

/// The number of connections.
const CONNECTIONS: usize = 64;

/// Measures with the server on core 1 and the generator on core 0, and then with both on both cores.
pub(crate) fn receiver(directory: &Path, rounds: usize, secs: u64) -> anyhow::Result<()> {
    for (title, server_cores, own_cores) in [
        ("The receiver on one core of its own", "1", "0"),
        ("The receiver and the generator on both cores", "0-1", "0-1"),
    ] {
        process::pin_self(own_cores)?;
        table(&format!("{title}, median of {rounds} rounds of {secs} s"), &ROUND_COLUMNS);
        let (mut without, mut with) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            for (is_enabled, seen) in [(false, &mut without), (true, &mut with)] {
                seen.push(one(directory, server_cores, is_enabled, secs)?);
            }
        }
        let reference_us = middle(&without, Round::cpu_us);
        round_row(CONNECTIONS, "without the index", &without, reference_us);
        round_row(CONNECTIONS, "with the index", &with, reference_us);
    }
    process::pin_self("0")
}

fn one(directory: &Path, cores: &str, is_enabled: bool, secs: u64) -> anyhow::Result<Round> {
    let data = directory.join("receiver");
    let sections = format!("[index]\nenabled = {is_enabled}\n");
    let server = Server::livehook_with(&data, Setup { cores, sections: &sections, ..Setup::default() })?;
    let seen = round(&server, CONNECTIONS, secs)?;
    server.stop()?;
    fs::remove_dir_all(data)?;
    Ok(seen)
}
