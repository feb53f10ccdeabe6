//! The modes of the bench, one function each.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use crate::common::generator::{self, Plan};
use crate::common::process::Server;
use crate::common::report::{median, ms, percentile, row, sync_ms, table};
use crate::common::round::{ROUND_COLUMNS, Round, middle, round, round_row};

/// Drives the bare handler and livehook in turns as fast as possible, each time with an empty journal.
pub(crate) fn throughput(directory: &Path, rounds: usize, secs: u64) -> anyhow::Result<()> {
    table(&format!("Throughput, median of {rounds} rounds of {secs} s"), &ROUND_COLUMNS);
    for connections in [64, 256] {
        let (mut bare, mut livehook) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let server = Server::bare()?;
            bare.push(round(&server, connections, secs)?);
            server.stop()?;
            let data = directory.join("throughput");
            let server = Server::livehook(&data)?;
            livehook.push(round(&server, connections, secs)?);
            server.stop()?;
            fs::remove_dir_all(data)?;
        }
        let yardstick_us = middle(&bare, Round::cpu_us);
        round_row(connections, "bare axum", &bare, yardstick_us);
        round_row(connections, "livehook", &livehook, yardstick_us);
    }
    Ok(())
}

/// Measures the time to a 200 at 500 events per second, far below the maximum.
pub(crate) fn steady(directory: &Path, secs: u64) -> anyhow::Result<()> {
    const RATE: u32 = 500;
    // 20 s at this rate are 10,000 events, so that 100 of them are slower than p99.
    let window = Duration::from_secs(secs.max(20));
    let data = directory.join("steady");
    let server = Server::livehook(&data)?;
    // A warm-up.
    generator::drive_steadily(server.address, RATE, Duration::from_secs(2))?;
    let before = server.cpu_us()?;
    let mut seen = generator::drive_steadily(server.address, RATE, window)?;
    server.settle()?;
    let cpu_us = (server.cpu_us()? - before) as f64 / seen.events as f64;
    table("Steady load", &["events/s", "p50 ms", "p99 ms", "CPU us/event", "one sync ms"]);
    row(&[
        format!("{:.0}", seen.rate),
        format!("{:.2}", f64::from(percentile(&mut seen.latencies_us, 0.50)) / 1000.0),
        format!("{:.2}", f64::from(percentile(&mut seen.latencies_us, 0.99)) / 1000.0),
        format!("{cpu_us:.1}"),
        format!("{:.2}", sync_ms(directory)?),
    ]);
    server.stop()?;
    fs::remove_dir_all(data)?;
    Ok(())
}

/// Measures the time from the start of the process to the first 200.
pub(crate) fn start(directory: &Path, rounds: usize, ids: u64) -> anyhow::Result<()> {
    table(
        &format!("Start to first 200, median of {rounds}"),
        &["events in the journal, all of the last hour", "ms", "idle MiB"],
    );
    let data = directory.join("start");
    for stored in [100, ids] {
        let server = Server::livehook(&data)?;
        generator::drive(server.address, 256, Plan::Events(stored))?;
        server.settle()?;
        server.stop()?;
        let (mut times_ms, mut idle_mib) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let server = Server::livehook(&data)?;
            times_ms.push(ms(server.started_in));
            thread::sleep(Duration::from_millis(500));
            idle_mib.push(server.memory_mib("VmRSS")?);
            server.stop()?;
        }
        row(&[stored.to_string(), format!("{:.1}", median(times_ms)), format!("{:.1}", median(idle_mib))]);
    }
    fs::remove_dir_all(data)?;
    Ok(())
}
