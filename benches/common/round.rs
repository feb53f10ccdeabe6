//! A round drives one server as fast as possible for some seconds. Several rounds make a row of a table.

use std::thread;
use std::time::{Duration, Instant};

use super::generator::{self, Plan};
use super::process::{self, Server};
use super::report::{median, ms, percentile, row};

/// The results of one server in one round.
pub(crate) struct Round {
    rate: f64,
    p50_ms: f64,
    p99_ms: f64,
    cpu_us: f64,
    generator_busy: f64,
    /// The time from the last answer until the file sink and the index had the last event.
    settled_ms: f64,
    idle_mib: f64,
    peak_mib: f64,
}

impl Round {
    /// User and system time of the server per event, in microseconds.
    pub(crate) fn cpu_us(&self) -> f64 {
        self.cpu_us
    }
}

/// Drives a server, and waits until the file sink and the index have every event.
pub(crate) fn round(server: &Server, connections: usize, secs: u64) -> anyhow::Result<Round> {
    // The work of the start must not count as idle memory.
    thread::sleep(Duration::from_millis(500));
    let idle_mib = server.memory_mib("VmRSS")?;
    let plan = Plan::Timed { warm_up: Duration::from_secs(1), window: Duration::from_secs(secs) };
    let (started, server_before, self_before) = (Instant::now(), server.cpu_us()?, process::cpu_us("self")?);
    let mut seen = generator::drive(server.address, connections, plan)?;
    let generator_us = process::cpu_us("self")? - self_before;
    let generator_busy = generator_us as f64 / started.elapsed().as_micros() as f64;
    let answered = Instant::now();
    // CPU time counts until the sink and the index are done too, so that postponed work is not free.
    server.settle()?;
    let settled_ms = ms(answered.elapsed());
    Ok(Round {
        rate: seen.rate,
        p50_ms: f64::from(percentile(&mut seen.latencies_us, 0.50)) / 1000.0,
        p99_ms: f64::from(percentile(&mut seen.latencies_us, 0.99)) / 1000.0,
        cpu_us: (server.cpu_us()? - server_before) as f64 / seen.events as f64,
        generator_busy,
        settled_ms,
        idle_mib,
        peak_mib: server.memory_mib("VmHWM")?,
    })
}

/// Returns the median of a value of the rounds.
pub(crate) fn middle(rounds: &[Round], value: impl Fn(&Round) -> f64) -> f64 {
    median(rounds.iter().map(value).collect())
}

/// Prints the medians of the rounds as a row. The ratio is CPU time divided by `yardstick_us`.
pub(crate) fn round_row(connections: usize, name: &str, rounds: &[Round], yardstick_us: f64) {
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
        format!("{:.0}", middle(rounds, |round| round.settled_ms)),
        format!("{:.0} %", 100.0 * middle(rounds, |round| round.generator_busy)),
    ]);
}

/// The columns that [`round_row`] prints.
pub(crate) const ROUND_COLUMNS: [&str; 11] = [
    "connections",
    "server",
    "events/s",
    "p50 ms",
    "p99 ms",
    "CPU us/event",
    "ratio",
    "idle MiB",
    "peak MiB",
    "settled ms",
    "generator busy",
];
