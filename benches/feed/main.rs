//! The cost of feed subscribers: a thousand of them at a thousand events a second, and how long the senders wait.
//!
//! ```text
//! cargo bench --bench feed                  runs all
//! cargo bench --bench feed -- filtered      each subscriber selects one stream; there are as many streams
//! cargo bench --bench feed -- open          each subscriber selects everything
//! cargo bench --bench feed -- pages         50 open pages of the dashboard, at 100 events a second
//! ```
//!
//! Options: `--subscribers N` (1000), `--rate N` events a second (1000), `--rounds N` (3), `--secs N` for the length of a
//! round (20), `--dir DIR` for the data (in `target/`). `pages` has its own number and rate. A round is one window without and
//! one with subscribers, on the same server, so that you can compare them. The server runs on core 1. Senders and subscribers run on core 0, where the
//! senders have priority. Run nothing else at the same time. Needs Linux, two cores, `taskset`, `chrt` and `sh`, and a hard
//! limit of open files above the number of subscribers.
//!
//! The latency of a delivery is the time from `receivedtime` until the subscriber has read the event, in whole ms. With
//! `open`, the server would have to send about 1.7 GB a second. That is more than one core can send, or this bench can
//! read. The table then shows how many slow subscribers the server cuts off, how much the others get, and how long the
//! senders wait.

#![allow(clippy::print_stdout, reason = "a bench prints its results")]

#[allow(dead_code, reason = "each bench uses only a part of it")]
#[path = "../common/mod.rs"]
mod common;
mod pages;
mod sender;
mod subscribers;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;

use common::arguments::Arguments;
use common::process::{Server, Setup};
use common::report::{percentile, row, table};
use pages::{OpenPages, Shown};
use subscribers::{Seen, Subscribers};

/// The load, and how long it lasts.
struct Options {
    subscribers: usize,
    rate: u32,
    rounds: usize,
    window: Duration,
}

fn main() -> anyhow::Result<()> {
    let mut arguments = Arguments::read()?;
    let options = Options {
        subscribers: arguments.count("--subscribers", 1000)?,
        // At least one event a second for each sending thread.
        rate: u32::try_from(arguments.number("--rate", 1000)?.max(16))?,
        rounds: arguments.count("--rounds", 3)?,
        window: Duration::from_secs(arguments.number("--secs", 20)?.max(1)),
    };
    let dir = arguments.dir();
    let mode = arguments.mode(&["filtered", "open", "pages"])?;
    let directory = common::start("feed", &dir)?;
    // Each subscriber is a connection, and the default limit is often 1024 files.
    livehook::http::raise_open_files_limit();
    let is_chosen = |name: &str| mode == name || mode == "all";
    if is_chosen("filtered") {
        scenario(directory.path(), &options, true)?;
    }
    if is_chosen("open") {
        scenario(directory.path(), &options, false)?;
    }
    if is_chosen("pages") {
        open_pages(directory.path(), &options)?;
    }
    Ok(())
}

/// The figures of one window.
struct Window {
    events_per_sec: f64,
    p50_ms: f64,
    p99_ms: f64,
    cores: f64,
    /// Resident memory in MiB, one value a second.
    memory_mib: Vec<f64>,
}

fn measure(server: &Server, options: &Options) -> anyhow::Result<Window> {
    let done = AtomicBool::new(false);
    let (started, before_us) = (Instant::now(), server.cpu_us()?);
    let (mut latencies_us, took, memory_mib) = thread::scope(|scope| {
        let memory = scope.spawn(|| {
            let mut samples = Vec::new();
            while !done.load(Ordering::Relaxed) {
                samples.push(server.memory_mib("VmRSS")?);
                thread::sleep(Duration::from_secs(1));
            }
            anyhow::Ok(samples)
        });
        let streams = options.subscribers as u64;
        let latencies_us = sender::drive(server.address, options.rate, streams, options.window);
        let took = started.elapsed();
        done.store(true, Ordering::Relaxed);
        let samples = memory.join().map_err(|_| anyhow::anyhow!("reading the memory panicked"))??;
        anyhow::Ok((latencies_us?, took, samples))
    })?;
    Ok(Window {
        events_per_sec: latencies_us.len() as f64 / took.as_secs_f64(),
        p50_ms: f64::from(percentile(&mut latencies_us, 0.50)) / 1000.0,
        p99_ms: f64::from(percentile(&mut latencies_us, 0.99)) / 1000.0,
        cores: (server.cpu_us()? - before_us) as f64 / started.elapsed().as_micros() as f64,
        memory_mib,
    })
}

fn scenario(directory: &Path, options: &Options, filtered: bool) -> anyhow::Result<()> {
    let Options { subscribers, rate, rounds, window, .. } = options;
    let wanted = if filtered { "one stream each" } else { "everything each" };
    table(
        &format!(
            "{subscribers} subscribers to {wanted}, {rate} events a second, {rounds} rounds of {} s",
            window.as_secs()
        ),
        &[
            "subscribers",
            "events/s",
            "200 p50 ms",
            "200 p99 ms",
            "cores",
            "MiB first",
            "MiB last",
            "MiB most",
            "MB/s to all",
            "delivery p50 ms",
            "delivery p99 ms",
            "cut off",
        ],
    );
    let data = directory.join(if filtered { "filtered" } else { "open" });
    let server = Server::livehook_with(
        &data,
        Setup { admin_more: &format!("subscribers_max = {subscribers}"), ..Setup::default() },
    )?;
    let admin = server.admin.context("the server has no admin endpoint")?;
    sender::drive(server.address, *rate, *subscribers as u64, Duration::from_secs(2))?;
    for _ in 0..*rounds {
        print(0, &measure(&server, options)?, None, *window);
        let taking = Subscribers::start(admin, *subscribers, filtered)?;
        let with = measure(&server, options)?;
        // Events in flight still have time to arrive.
        thread::sleep(Duration::from_secs(1));
        print(*subscribers, &with, Some(taking.stop()?), *window);
        thread::sleep(Duration::from_secs(2));
    }
    server.stop()
}

/// How many pages are open.
const PAGES: usize = 50;

/// How many events a second come while pages are open.
const PAGES_RATE: u32 = 100;

fn open_pages(directory: &Path, options: &Options) -> anyhow::Result<()> {
    let options = Options { rate: PAGES_RATE, ..*options };
    let secs = options.window.as_secs_f64();
    table(
        &format!("open pages, {PAGES_RATE} events a second, {} rounds of {secs} s", options.rounds),
        &[
            "pages",
            "show",
            "200 p50 ms",
            "200 p99 ms",
            "cores",
            "renewals/s",
            "KB/s",
            "visible p50 ms",
            "visible p99 ms",
            "visible max ms",
        ],
    );
    let server = Server::livehook(&directory.join("pages"))?;
    let admin = server.admin.context("the server has no admin endpoint")?;
    // One live stream for each subscriber of the other modes.
    sender::drive(server.address, options.rate * 10, options.subscribers as u64, Duration::from_secs(2))?;
    for _ in 0..options.rounds {
        for shown in [None, Some(Shown::Same), Some(Shown::Mix)] {
            let opened = shown.map(|shown| OpenPages::open(admin, PAGES, shown)).transpose()?;
            let window = measure(&server, &options)?;
            let seen = opened.map(OpenPages::close).transpose()?;
            let mut cells = vec![
                if shown.is_some() { PAGES.to_string() } else { "0".to_owned() },
                shown.map_or("-".to_owned(), |shown| format!("{shown:?}").to_lowercase()),
                format!("{:.2}", window.p50_ms),
                format!("{:.2}", window.p99_ms),
                format!("{:.3}", window.cores),
            ];
            match seen {
                Some(mut seen) => cells.extend([
                    format!("{:.0}", seen.renewals as f64 / secs),
                    format!("{:.0}", seen.bytes as f64 / 1000.0 / secs),
                    percentile(&mut seen.latencies_ms, 0.50).to_string(),
                    percentile(&mut seen.latencies_ms, 0.99).to_string(),
                    percentile(&mut seen.latencies_ms, 1.0).to_string(),
                ]),
                None => cells.extend(["-"; 5].map(str::to_owned)),
            }
            row(&cells);
            thread::sleep(Duration::from_secs(1));
        }
    }
    server.stop()
}

fn print(subscribers: usize, window: &Window, seen: Option<Seen>, length: Duration) {
    let first = window.memory_mib.first().copied().unwrap_or_default();
    let last = window.memory_mib.last().copied().unwrap_or_default();
    let most = window.memory_mib.iter().copied().fold(0.0, f64::max);
    let mut cells = vec![
        subscribers.to_string(),
        format!("{:.0}", window.events_per_sec),
        format!("{:.2}", window.p50_ms),
        format!("{:.2}", window.p99_ms),
        format!("{:.2}", window.cores),
        format!("{first:.1}"),
        format!("{last:.1}"),
        format!("{most:.1}"),
    ];
    match seen {
        Some(mut seen) => cells.extend([
            format!("{:.1}", seen.bytes as f64 / 1_000_000.0 / length.as_secs_f64()),
            percentile(&mut seen.latencies_ms, 0.50).to_string(),
            percentile(&mut seen.latencies_ms, 0.99).to_string(),
            seen.cut_off.to_string(),
        ]),
        None => cells.extend(["-"; 4].map(str::to_owned)),
    }
    row(&cells);
}
