//! The measurements, one function per mode.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::bail;

use crate::common::generator::{self, Plan};
use crate::common::process::{Server, Setup, free_address};
use crate::common::report::{median, percentile, row, table};
use crate::loopback::Loopback;
use crate::other_end::OtherEnd;

const SINGLE: &str = "concurrency = 16";
const LISTS: &str = "batch_events_max = 100";

/// livehook and a server share the cores, as on a machine that has no other.
const SHARED_CORES: &str = "0,1";

/// The configuration of a sink http that signs its requests.
fn sink(address: SocketAddr, more: &str) -> String {
    // With the default retry, the sink could wait for a minute before it notices the receiver.
    format!(
        "[[sinks]]\nname = \"backend\"\ntype = \"http\"\nurl = \"http://{address}/\"\nsecrets = \
         [\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"]\nretry = {{ wait_ms_first = 10, wait_ms_max = 20 }}\n{more}\n"
    )
}

/// The cost of delivering a backlog.
struct Delivered {
    rate: f64,
    cpu_us: f64,
    before_mib: f64,
    peak_mib: f64,
}

/// Lets events gather, then starts a receiver and measures their delivery.
fn deliver(directory: &Path, events: u64, more: &str) -> anyhow::Result<Delivered> {
    // Nothing listens there yet, so the events wait in the journal.
    let address = free_address()?;
    let setup = Setup { sections: &sink(address, more), ..Setup::default() };
    deliver_to(directory, events, setup, || Loopback::start(address))
}

/// Lets events gather, then starts the other end of a sink and measures their delivery.
fn deliver_to<R>(
    directory: &Path,
    events: u64,
    setup: Setup<'_>,
    start: impl FnOnce() -> anyhow::Result<R>,
) -> anyhow::Result<Delivered> {
    let data = directory.join("deliver");
    let server = Server::livehook_with(&data, setup)?;
    generator::drive(server.address, 256, Plan::Events(events))?;
    server.settle()?;
    server.stop()?;
    // A new process, because memory that the storing has used and freed would hide what the delivery needs.
    let server = Server::livehook_with(&data, setup)?;
    server.settle()?;
    // The work of the start must not count as memory before the delivery.
    thread::sleep(Duration::from_secs(1));
    let (waiting, before_mib, cpu_before) = (server.lag("backend")?, server.memory_mib("VmRSS")?, server.cpu_us()?);
    let _other_end = start()?;
    let started = Instant::now();
    let mut peak_mib: f64 = 0.0;
    while server.lag("backend")? > 0 {
        peak_mib = peak_mib.max(server.memory_mib("VmRSS")?);
        if started.elapsed() > Duration::from_secs(600) {
            bail!("the sink did not catch up within ten minutes");
        }
        thread::sleep(Duration::from_millis(20));
    }
    let rate = waiting as f64 / started.elapsed().as_secs_f64();
    let cpu_us = (server.cpu_us()? - cpu_before) as f64 / waiting as f64;
    server.stop()?;
    fs::remove_dir_all(data)?;
    Ok(Delivered { rate, cpu_us, before_mib, peak_mib })
}

const DELIVERED_COLUMNS: [&str; 6] = ["events", "how", "events/s", "CPU us/event", "MiB before", "peak MiB"];

fn delivered_row(events: u64, more: &str, rounds: &[Delivered]) {
    let middle = |value: fn(&Delivered) -> f64| median(rounds.iter().map(value).collect());
    row(&[
        events.to_string(),
        more.to_owned(),
        format!("{:.0}", middle(|round| round.rate)),
        format!("{:.1}", middle(|round| round.cpu_us)),
        format!("{:.1}", middle(|round| round.before_mib)),
        format!("{:.1}", middle(|round| round.peak_mib)),
    ]);
}

fn rounds(directory: &Path, rounds: usize, events: u64, more: &str) -> anyhow::Result<()> {
    table(&format!("Delivery of the waiting events, median of {rounds} rounds"), &DELIVERED_COLUMNS);
    let delivered: Vec<_> = (0..rounds).map(|_| deliver(directory, events, more)).collect::<Result<_, _>>()?;
    delivered_row(events, more, &delivered);
    Ok(())
}

/// Measures events one by one.
pub(crate) fn single(directory: &Path, count: usize) -> anyhow::Result<()> {
    rounds(directory, count, 50_000, SINGLE)
}

/// Measures events in lists of 100.
pub(crate) fn lists(directory: &Path, count: usize) -> anyhow::Result<()> {
    rounds(directory, count, 200_000, LISTS)
}

/// Measures the end of a long outage.
pub(crate) fn backlog(directory: &Path, events: u64) -> anyhow::Result<()> {
    rounds(directory, 1, events, LISTS)
}

/// The keys of a sink that delivers to a server, with `ADDRESS` for its address. `None` if the mode needs no server.
pub(crate) fn keys_of_server(mode: &str) -> Option<&'static str> {
    match mode {
        "postgres" => Some("url = \"postgres://livehook:livehook@ADDRESS/live\""),
        "mysql" => Some("url = \"mysql://livehook:livehook@ADDRESS/live\""),
        "redis" => Some("url = \"redis://ADDRESS\""),
        "nats" => Some("url = \"nats://ADDRESS\"\ncreate_stream = true"),
        "amqp" => Some("url = \"amqp://guest:guest@ADDRESS\""),
        "kafka" => Some("brokers = [\"ADDRESS\"]\ntopic = \"livehook\""),
        _ => None,
    }
}

/// The configuration of a sink that delivers to a server.
fn sink_of_server(type_name: &str, keys: &str, address: SocketAddr) -> String {
    format!(
        "[[sinks]]\nname = \"backend\"\ntype = \"{type_name}\"\n{}\nretry = {{ wait_ms_first = 10, wait_ms_max = 20 }}\n",
        keys.replace("ADDRESS", &address.to_string())
    )
}

/// Measures the delivery to a server. The databases also get their table of sessions.
pub(crate) fn server(directory: &Path, type_name: &str, keys: &str, events: u64) -> anyhow::Result<()> {
    table(&format!("Delivery of the waiting events to {type_name}"), &DELIVERED_COLUMNS);
    let address = free_address()?;
    let folder = directory.join(type_name);
    let other_end = OtherEnd::create(type_name, &folder, address, SHARED_CORES)?;
    let sections = &sink_of_server(type_name, keys, address);
    let setup = Setup { cores: SHARED_CORES, sections, ..Setup::default() };
    let delivered = deliver_to(directory, events, setup, || other_end.start(address))?;
    delivered_row(events, type_name, &[delivered]);
    fs::remove_dir_all(folder)?;
    Ok(())
}

/// The answers to one round of callbacks.
struct Answered {
    rate: f64,
    p50_ms: f64,
    p99_ms: f64,
}

fn answer(directory: &Path, rate: Option<u32>, secs: u64, setup: Setup<'_>) -> anyhow::Result<Answered> {
    let data = directory.join("paired");
    let server = Server::livehook_with(&data, setup)?;
    let window = Duration::from_secs(secs);
    let mut seen = match rate {
        Some(rate) => generator::drive_steadily(server.address, rate, window)?,
        None => generator::drive(server.address, 64, Plan::Timed { warm_up: Duration::from_secs(1), window })?,
    };
    server.stop()?;
    fs::remove_dir_all(data)?;
    Ok(Answered {
        rate: seen.rate,
        p50_ms: f64::from(percentile(&mut seen.latencies_us, 0.50)) / 1000.0,
        p99_ms: f64::from(percentile(&mut seen.latencies_us, 0.99)) / 1000.0,
    })
}

/// How long and how often to measure the answers.
#[derive(Clone, Copy)]
pub(crate) struct Rounds {
    pub(crate) count: usize,
    pub(crate) secs: u64,
}

/// Measures the answers to callbacks with each of these sinks next to the file sink, in turns: at 500 events a second, and at full
/// speed, when a slower sink falls behind.
fn compare(directory: &Path, rounds: Rounds, cores: &str, with: &[(String, String)]) -> anyhow::Result<()> {
    let Rounds { count, secs } = rounds;
    table(
        &format!("The 200 with each of these sinks, median of {count} rounds of {secs} s"),
        &["load", "sinks", "events/s", "p50 ms", "p99 ms"],
    );
    for (load, rate) in [("500 events/s", Some(500)), ("64 connections", None)] {
        let mut answered: Vec<Vec<Answered>> = with.iter().map(|_| Vec::new()).collect();
        for _ in 0..count {
            for ((_, sections), answered) in with.iter().zip(&mut answered) {
                answered.push(answer(directory, rate, secs, Setup { cores, sections, ..Setup::default() })?);
            }
        }
        for ((name, _), answered) in with.iter().zip(&answered) {
            let middle = |value: fn(&Answered) -> f64| median(answered.iter().map(value).collect());
            row(&[
                load.to_owned(),
                name.clone(),
                format!("{:.0}", middle(|round| round.rate)),
                format!("{:.2}", middle(|round| round.p50_ms)),
                format!("{:.2}", middle(|round| round.p99_ms)),
            ]);
        }
    }
    Ok(())
}

/// Measures the answers to callbacks with the file sink alone, and with the sink http too.
pub(crate) fn paired(directory: &Path, rounds: Rounds) -> anyhow::Result<()> {
    let address = free_address()?;
    let _loopback = Loopback::start(address)?;
    let with = [
        ("file".to_owned(), String::new()),
        ("file and http one by one".to_owned(), sink(address, SINGLE)),
        ("file and http in lists".to_owned(), sink(address, LISTS)),
    ];
    compare(directory, rounds, Setup::default().cores, &with)
}

/// Measures the answers to callbacks with the file sink alone, and with a sink of a server too. The server runs all the time.
pub(crate) fn paired_with(directory: &Path, rounds: Rounds, type_name: &str, keys: &str) -> anyhow::Result<()> {
    let address = free_address()?;
    let folder = directory.join(type_name);
    let other_end = OtherEnd::create(type_name, &folder, address, SHARED_CORES)?;
    let _running = other_end.start(address)?;
    let with = [
        ("file".to_owned(), String::new()),
        (format!("file and {type_name}"), sink_of_server(type_name, keys, address)),
    ];
    compare(directory, rounds, SHARED_CORES, &with)
}
