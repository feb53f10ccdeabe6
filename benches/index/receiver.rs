//! What the index costs the receiver, and what the stored data cost both.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::common::generator;
use crate::common::process::{self, Server, Setup};
use crate::common::report::{ms, row, table};
use crate::common::round::{ROUND_COLUMNS, Round, middle, round, round_row};
use crate::{data, queries};

/// The number of connections with and without the index.
const CONNECTIONS: usize = 64;

/// The number of connections with an empty and with a full journal.
const CONNECTIONS_FULL: usize = 256;

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

/// Measures the receiver with an empty and with a full data directory, in turns. `full` then has the events of the rounds too.
pub(crate) fn full(directory: &Path, full: &Path, rounds: usize, secs: u64) -> anyhow::Result<()> {
    let setup = Setup { sections: data::JOURNAL_SECTION, ..Setup::default() };
    table(&format!("With stored events, median of {rounds} rounds of {secs} s"), &ROUND_COLUMNS);
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let empty = directory.join("receiver");
        let server = Server::livehook_with(&empty, setup)?;
        without.push(round(&server, CONNECTIONS_FULL, secs)?);
        server.stop()?;
        fs::remove_dir_all(empty)?;
        let server = Server::livehook_with(full, setup)?;
        server.settle()?;
        with.push(round(&server, CONNECTIONS_FULL, secs)?);
        server.stop()?;
    }
    let reference_us = middle(&without, Round::cpu_us);
    round_row(CONNECTIONS_FULL, "an empty journal", &without, reference_us);
    round_row(CONNECTIONS_FULL, "a full journal", &with, reference_us);
    steady(full, setup)
}

/// Measures the start and the time to a 200 at 500 events a second.
fn steady(full: &Path, setup: Setup<'_>) -> anyhow::Result<()> {
    const RATE: u32 = 500;
    let server = Server::livehook_with(full, setup)?;
    generator::drive_steadily(server.address, RATE, Duration::from_secs(2))?;
    let mut seen = generator::drive_steadily(server.address, RATE, Duration::from_secs(20))?;
    table("A full journal at 500 events a second", &["start ms", "p50 ms", "p99 ms"]);
    row(&[
        format!("{:.1}", ms(server.started_in)),
        queries::ms(&mut seen.latencies_us, 0.50),
        queries::ms(&mut seen.latencies_us, 0.99),
    ]);
    server.stop()
}
