//! The whole service, and a bare axum handler, as processes that answer real requests.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::callgrind;
use crate::common::generator::{self, Plan};
use crate::common::process::{Server, Setup};
use crate::common::report::{row, table};

/// The thread of the admin endpoint. It has only the queries of this bench.
const ADMIN_THREAD: &str = "admin";

/// The other threads, by the start of their names. The file sink works on threads of the runtime's pool.
const THREADS: [(&str, &str); 4] =
    [("livehook", "HTTP thread"), ("index", "index thread"), ("journal", "journal thread"), ("tokio", "file sink")];

/// Measures both servers, and prints a table.
pub(crate) fn service(directory: &Path, events: u64) -> anyhow::Result<()> {
    table(
        &format!("Instructions for each event of the whole service, from {events} events"),
        &["connections", "part", "instructions", "ratio"],
    );
    for connections in [64, 256] {
        let bare: f64 = for_each_event(directory, connections, events, Kind::Bare)?.values().sum();
        let livehook = for_each_event(directory, connections, events, Kind::Livehook)?;
        let print = |part: &str, count: f64| {
            row(&[connections.to_string(), part.to_owned(), format!("{count:.0}"), format!("{:.2}", count / bare)]);
        };
        print("bare axum", bare);
        print("livehook", livehook.values().sum());
        for (part, count) in &livehook {
            print(&format!("of it: {part}"), *count);
        }
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Kind {
    Bare,
    Livehook,
}

/// Returns the instructions for each event, by part: the difference between a run and one that is twice as long, so the work of
/// the start is not in it.
fn for_each_event(
    directory: &Path,
    connections: usize,
    events: u64,
    kind: Kind,
) -> anyhow::Result<BTreeMap<String, f64>> {
    let short = counts(directory, connections, events, kind)?;
    let long = counts(directory, connections, 2 * events, kind)?;
    let difference = |(part, count): (String, u64)| {
        let more = count as f64 - short.get(&part).copied().unwrap_or_default() as f64;
        (part, more / events as f64)
    };
    Ok(long.into_iter().map(difference).collect())
}

/// Runs a server in callgrind, sends it events, and returns the instructions of its threads.
fn counts(directory: &Path, connections: usize, events: u64, kind: Kind) -> anyhow::Result<BTreeMap<String, u64>> {
    let scratch = directory.join("service");
    fs::create_dir_all(&scratch)?;
    let output = scratch.join("counts");
    let runner = callgrind::server_runner(&output);
    let setup = Setup { runner: &runner, ..Setup::default() };
    let server = match kind {
        Kind::Bare => Server::bare_with(setup)?,
        Kind::Livehook => Server::livehook_with(&scratch, setup)?,
    };
    generator::drive(server.address, connections, Plan::Events(events))?;
    server.settle()?;
    let names = server.thread_names()?;
    server.stop()?;
    let mut counts = BTreeMap::new();
    for (number, name) in (1..).zip(names) {
        if name == ADMIN_THREAD {
            continue;
        }
        let part = THREADS.iter().find(|(start, _)| number > 1 && name.starts_with(start));
        // The first thread has the name of the program that callgrind runs.
        let part = part.map_or(if number == 1 { "HTTP thread" } else { name.as_str() }, |(_, part)| part);
        *counts.entry(part.to_owned()).or_insert(0) += callgrind::instructions_of_thread(&output, number)?;
    }
    fs::remove_dir_all(&scratch)?;
    Ok(counts)
}
