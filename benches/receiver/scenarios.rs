//! What is measured, one function a mode.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::generator::{self, Plan};
use crate::process::{self, Server};
use crate::report::{median, ms, percentile, row, sync_ms, table};

/// What one server did in one round.
struct Round {
    rate: f64,
    p50_ms: f64,
    p99_ms: f64,
    cpu_us: f64,
    generator_busy: f64,
    idle_mib: f64,
    peak_mib: f64,
}

fn round(server: &Server, connections: usize, secs: u64) -> anyhow::Result<Round> {
    thread::sleep(Duration::from_millis(500));
    let idle_mib = server.memory_mib("VmRSS")?;
    let plan = Plan::Timed { warm_up: Duration::from_secs(1), window: Duration::from_secs(secs) };
    let (started, server_before, self_before) = (Instant::now(), server.cpu_us()?, process::cpu_us("self")?);
    let mut seen = generator::drive(server.address, connections, plan)?;
    let generator_us = process::cpu_us("self")? - self_before;
    let generator_busy = generator_us as f64 / started.elapsed().as_micros() as f64;
    server.settle()?;
    Ok(Round {
        rate: seen.rate,
        p50_ms: f64::from(percentile(&mut seen.latencies_us, 0.50)) / 1000.0,
        p99_ms: f64::from(percentile(&mut seen.latencies_us, 0.99)) / 1000.0,
        cpu_us: (server.cpu_us()? - server_before) as f64 / seen.events as f64,
        generator_busy,
        idle_mib,
        peak_mib: server.memory_mib("VmHWM")?,
    })
}

fn middle(rounds: &[Round], value: impl Fn(&Round) -> f64) -> f64 {
    median(rounds.iter().map(value).collect())
}

fn round_row(connections: usize, name: &str, rounds: &[Round], yardstick_us: f64) {
    let cpu_us = middle(rounds, |round| round.cpu_us);
    row(&[
        connections.to_string(),
        name.to_owned(),
        format!("{:.0}", middle(rounds, |round| round.rate)),
        format!("{:.2}", middle(rounds, |round| round.p50_ms)),
        format!("{:.2}", middle(rounds, |round| round.p99_ms)),
        format!("{cpu_us:.1}"),
        format!("{:.2}", cpu_us / yardstick_us),
        format!("{:.1}", middle(rounds, |round| round.idle_mib)),
        format!("{:.1}", middle(rounds, |round| round.peak_mib)),
        format!("{:.0} %", 100.0 * middle(rounds, |round| round.generator_busy)),
    ]);
}

const ROUND_COLUMNS: [&str; 10] = [
    "connections",
    "server",
    "events/s",
    "p50 ms",
    "p99 ms",
    "CPU us/event",
    "ratio",
    "idle MiB",
    "peak MiB",
    "generator busy",
];

/// As fast as it goes, the bare handler and livehook in turns, each time with an empty journal.
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
        let yardstick_us = middle(&bare, |round| round.cpu_us);
        round_row(connections, "bare axum", &bare, yardstick_us);
        round_row(connections, "livehook", &livehook, yardstick_us);
    }
    Ok(())
}

/// Five hundred events a second, far below what is possible: how long does one wait for its 200?
pub(crate) fn steady(directory: &Path, secs: u64) -> anyhow::Result<()> {
    const RATE: u32 = 500;
    let window = Duration::from_secs(secs.max(20));
    let data = directory.join("steady");
    let server = Server::livehook(&data)?;
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

/// From the start of the process to the first 200.
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

/// An empty journal and one with many events, in turns.
pub(crate) fn full(directory: &Path, rounds: usize, secs: u64, stored: u64) -> anyhow::Result<()> {
    let (empty_data, full_data) = (directory.join("empty"), directory.join("full"));
    println!("\nStoring {stored} events first.");
    let server = Server::livehook(&full_data)?;
    generator::drive(server.address, 256, Plan::Events(stored))?;
    server.settle()?;
    server.stop()?;
    table(&format!("With {stored} events stored, median of {rounds} rounds of {secs} s"), &ROUND_COLUMNS);
    let (mut empty, mut full) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let server = Server::livehook(&empty_data)?;
        empty.push(round(&server, 256, secs)?);
        server.stop()?;
        fs::remove_dir_all(&empty_data)?;
        let server = Server::livehook(&full_data)?;
        full.push(round(&server, 256, secs)?);
        server.stop()?;
    }
    let yardstick_us = middle(&empty, |round| round.cpu_us);
    round_row(256, "livehook, empty", &empty, yardstick_us);
    round_row(256, "livehook, full", &full, yardstick_us);
    Ok(())
}
