//! The parts of a callback's way, each repeated in a process of its own.

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use livehook::callback::{Callback, CallbackKey, Event, KeyOptions, Verifier, VerifierOptions};
use livehook::index;
use livehook::journal::{self, Appended, Journal, Offset, Opened, Record, SqliteJournal};
use livehook::telemetry::Metrics;
use sha2::{Digest, Sha256};

use crate::callgrind;
use crate::common::generator::KEY;
use crate::common::report::{row, table};

/// The time of the callbacks, in Unix seconds.
const NOW_SECS: i64 = 1_703_731_478;

/// How many events the journal gets at a time, as from so many connections.
const APPEND_BATCH: usize = 64;

/// How many records the index gets at a time, as under load.
const APPLY_BATCH: usize = 512;

/// The fixtures of a push and a stop, which are most of the callbacks of a day.
const FREQUENT: [&str; 2] = ["000-stop.json", "001-push.json"];

/// The sequence and the stream in the fixtures, which each repetition replaces.
const SEQUENCE: &str = "2210464508206756938";
const STREAM: &str = "\"demo\"";

/// A part: the name in the table, the argument of the child, and the child's work that is not part of it.
const PARTS: [(&str, &str, Option<&str>); 6] = [
    ("parse", "parse", None),
    ("verify: signature, expiry, domain", "refuse", Some("parse")),
    ("to line: id, redaction, line", "accept", Some("refuse")),
    ("of it SHA-256, which valgrind makes dear", "digest", None),
    ("append: the journal, 64 at a time", "append", Some("accept")),
    ("apply: the index, 512 at a time", "apply", Some("accept")),
];

/// Measures every part, and prints a table.
pub(crate) fn parts(directory: &Path, repetitions: usize) -> anyhow::Result<()> {
    table(
        &format!("Instructions for each event, from {repetitions} repetitions"),
        &["part", "a push or a stop", "all types"],
    );
    for (name, part, without) in PARTS {
        let mut cells = vec![name.to_owned()];
        for bodies in ["frequent", "all"] {
            let count = |part| count(directory, part, bodies, repetitions);
            let base = without.map(count).transpose()?.unwrap_or(0.0);
            cells.push(format!("{:.0}", count(part)? - base));
        }
        row(&cells);
    }
    Ok(())
}

/// Returns the instructions of a part for each body.
fn count(directory: &Path, part: &str, bodies: &str, repetitions: usize) -> anyhow::Result<f64> {
    let total = |repetitions: usize| {
        let scratch = directory.join(format!("{part}-{bodies}-{repetitions}"));
        fs::create_dir_all(&scratch)?;
        let arguments = ["part", part, bodies, &repetitions.to_string(), &scratch.to_string_lossy()];
        let total = callgrind::instructions(&arguments, &scratch.join("counts"))?;
        fs::remove_dir_all(&scratch)?;
        anyhow::Ok(total as f64)
    };
    let events = (repetitions * load(bodies)?.len()) as f64;
    Ok((total(2 * repetitions)? - total(repetitions)?) / events)
}

/// Does the work of a part if this process was started as `BENCH part NAME BODIES REPETITIONS DIRECTORY`.
pub(crate) fn run_as_child() -> anyhow::Result<bool> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [command, part, bodies, repetitions, directory] = arguments.as_slice() else { return Ok(false) };
    if command != "part" {
        return Ok(false);
    }
    let repetitions: usize = repetitions.parse()?;
    let bodies: Vec<String> = load(bodies)?;
    // Each repetition has its own stream and session, as the callbacks of a day have. Some fixtures name neither, so a number in
    // each body keeps the journal from taking a repetition for a duplicate.
    let bodies = (0..repetitions).flat_map(|repetition| {
        let sequence = (1_000_000_000_000_000_000 + repetition).to_string();
        let stream = format!("\"demo-{}\"", repetition % 10_000);
        let differ = move |body: &String| {
            let body = body.replace(SEQUENCE, &sequence).replace(STREAM, &stream);
            body.replacen('{', &format!("{{\"repetition\":{repetition},"), 1)
        };
        bodies.iter().map(differ).collect::<Vec<_>>()
    });
    work(part, bodies, Path::new(directory))?;
    Ok(true)
}

fn work(part: &str, bodies: impl Iterator<Item = String>, directory: &Path) -> anyhow::Result<()> {
    match part {
        "parse" => {
            for body in bodies {
                black_box(Callback::parse(body.as_bytes())?);
            }
        }
        "digest" => {
            for body in bodies {
                // The id's digest covers the body without its punctuation, and two lengths of each member.
                black_box(Sha256::digest(body.as_bytes()));
            }
        }
        "refuse" => {
            // The domain is checked last.
            let verifier = verifier(VerifierOptions {
                allowed_domains: vec!["other.example.com".parse()?],
                ..VerifierOptions::default()
            })?;
            for body in bodies {
                let refused = verifier.verify(&Callback::parse(body.as_bytes())?, NOW_SECS * 1000);
                if black_box(refused).is_ok() {
                    bail!("a callback of another domain was accepted");
                }
            }
        }
        "accept" => {
            for event in events(bodies)? {
                black_box(event?);
            }
        }
        "append" => append(&events(bodies)?.collect::<anyhow::Result<Vec<_>>>()?, directory)?,
        "apply" => {
            let offsets = (1..).map(Offset);
            let records = events(bodies)?.zip(offsets).map(|(event, offset)| Ok(Record { offset, event: event? }));
            let records = records.collect::<anyhow::Result<Vec<_>>>()?;
            let mut store = index::Store::open(directory, &index::Options::default())?;
            for records in records.chunks(APPLY_BATCH) {
                store.apply(records)?;
            }
        }
        other => bail!("`{other}` is not a part"),
    }
    Ok(())
}

fn verifier(options: VerifierOptions) -> anyhow::Result<Verifier> {
    let keys = vec![KeyOptions { key: CallbackKey::new(KEY)?, domains: None }];
    Ok(Verifier::new(VerifierOptions { keys, ..options })?)
}

fn events(bodies: impl Iterator<Item = String>) -> anyhow::Result<impl Iterator<Item = anyhow::Result<Event>>> {
    let verifier = verifier(VerifierOptions::default())?;
    Ok(bodies.map(move |body| Ok(verifier.verify(&Callback::parse(body.as_bytes())?, NOW_SECS * 1000)?)))
}

fn append(events: &[Event], directory: &Path) -> anyhow::Result<()> {
    // The events are years old, and pruning is not part of appending.
    let options = journal::Options { retention_days: 36_500, ..journal::Options::default() };
    let Opened { journal, wakeups, .. } =
        SqliteJournal::open(directory, &options, &[], Arc::new(Metrics::new()), livehook::clock::system_clock)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let wakeups = tokio::spawn(wakeups.run());
        for batch in events.chunks(APPEND_BATCH) {
            let appends = batch.iter().map(|event| journal.append(event.clone()));
            for appended in futures_util::future::join_all(appends).await {
                if appended? == Appended::Duplicate {
                    bail!("the journal took an event for a duplicate");
                }
            }
        }
        journal.close();
        wakeups.await?.context("the journal failed")
    })?;
    journal.join();
    Ok(())
}

/// Returns the callbacks of the fixtures, signed, as CSS would send them.
fn load(which: &str) -> anyhow::Result<Vec<String>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut bodies = Vec::new();
    for entry in fs::read_dir(&directory)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !name.ends_with(".json") || (which == "frequent" && !FREQUENT.contains(&name.as_str())) {
            continue;
        }
        let mut members: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&fs::read(&path)?)?;
        let t = NOW_SECS + 600;
        members.insert("sign".to_owned(), hex::encode(CallbackKey::new(KEY)?.sign(&t.to_string())).into());
        members.insert("t".to_owned(), t.into());
        bodies.push((name, serde_json::to_string(&members)?));
    }
    // The order of a directory is not defined.
    bodies.sort();
    Ok(bodies.into_iter().map(|(_, body)| body).collect())
}
