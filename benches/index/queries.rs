//! How long the index and the journal take to answer while a receiver is under load.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use livehook::callback::{EventId, NamePattern, StreamSelection};
use livehook::index::{self, BroadcastQuery, Order, SessionQuery};
use livehook::journal::{self, Offset};
use livehook::moment::TimeRange;
use livehook::session::StreamKey;

use crate::common::generator;
use crate::common::process::{LIVEHOOK, Server, Setup};
use crate::common::report::{median, percentile, row, table};
use crate::data::{JOURNAL_SECTION, data_dir};

/// How many events a second the receiver stores at the same time.
const RATE: u32 = 1000;

/// The session of an event that was picked at random: queries are for it.
pub(crate) struct Subject {
    id: EventId,
    pub(crate) key: StreamKey,
    pub(crate) sequence: String,
    selection: StreamSelection,
    time_ms: i64,
}

/// The readers of a query.
struct Readers {
    index: index::Reader,
    journal: journal::Reader,
}

impl Readers {
    fn open(data: &Path) -> anyhow::Result<Readers> {
        Ok(Readers { index: index::Reader::open(data)?, journal: journal::Reader::open(data)? })
    }

    /// Reads the records, and returns how many there are.
    fn records(&self, offsets: Vec<Offset>) -> anyhow::Result<usize> {
        let mut count = 0;
        for offset in offsets {
            count += usize::from(self.journal.get(offset)?.is_some());
        }
        Ok(count)
    }
}

/// Runs a query, and returns the number of results.
type Query = fn(&Readers, &Subject, i64) -> anyhow::Result<usize>;

const QUERIES: [(&str, Query); 9] = [
    ("streams: all that are live", |readers, _, now_ms| {
        Ok(readers.index.streams(&StreamSelection::default(), None, 100_000, now_ms)?.len())
    }),
    ("sessions of a stream, latest 100", |readers, subject, now_ms| {
        let query = SessionQuery { selection: subject.selection.clone(), ..SessionQuery::default() };
        Ok(readers.index.sessions(&query, now_ms)?.len())
    }),
    ("sessions of an hour, latest 100", |readers, subject, now_ms| {
        let started = TimeRange { since_ms: Some(subject.time_ms - 3_600_000), until_ms: Some(subject.time_ms) };
        let query = SessionQuery { started, ..SessionQuery::default() };
        Ok(readers.index.sessions(&query, now_ms)?.len())
    }),
    ("sessions that are live, latest 100", |readers, _, now_ms| {
        let query = SessionQuery { states: vec![livehook::session::State::Live], ..SessionQuery::default() };
        Ok(readers.index.sessions(&query, now_ms)?.len())
    }),
    ("sessions stopped for a reason, latest 100", |readers, _, now_ms| {
        let categories = vec![livehook::callback::ReasonCategory::Client];
        let query = SessionQuery { categories, ..SessionQuery::default() };
        Ok(readers.index.sessions(&query, now_ms)?.len())
    }),
    ("event by id, with its record", |readers, subject, _| {
        readers.records(readers.index.event(subject.id)?.into_iter().collect())
    }),
    ("events of a stream, latest 50, with their records", |readers, subject, _| {
        let end = Offset(i64::MAX);
        let offsets = readers.index.events_of_streams(&subject.selection, end, Order::Descending, 50)?;
        readers.records(offsets.context("the stream's name is given in full")?)
    }),
    ("session with its events and their records", |readers, subject, now_ms| {
        let id = subject.key.session(&subject.sequence);
        readers.index.session(&id, now_ms)?.context("the index lacks a session")?;
        readers.records(readers.index.session_events(&id, now_ms)?)
    }),
    ("broadcasts of a stream, latest 100", |readers, subject, now_ms| {
        let selection = subject.selection.clone();
        let query = BroadcastQuery { selection, ..BroadcastQuery::default() };
        Ok(readers.index.broadcasts(&query, now_ms)?.len())
    }),
];

/// Returns the path of a query in the API.
type ApiPath = fn(&Subject) -> String;

const API_PATHS: [(&str, ApiPath); 8] = [
    ("over HTTP: streams, latest 100", |_| "streams".to_owned()),
    ("over HTTP: sessions of a stream, latest 100", |subject| format!("sessions?stream={}", subject.key.stream())),
    ("over HTTP: sessions of an hour, latest 100", |subject| {
        let until_secs = subject.time_ms / 1000;
        format!("sessions?since={}&until={until_secs}", until_secs - 3600)
    }),
    ("over HTTP: sessions that are live, latest 100", |_| "sessions?state=live".to_owned()),
    ("over HTTP: event by id", |subject| format!("events/{}", subject.id)),
    ("over HTTP: events of a stream, latest 50", |subject| format!("events?stream={}&limit=50", subject.key.stream())),
    ("over HTTP: session with its events", |subject| format!("sessions/{}", subject.key.session(&subject.sequence))),
    ("over HTTP: broadcasts of a stream, latest 100", |subject| format!("broadcasts?stream={}", subject.key.stream())),
];

/// Runs each query `count` times with readers that are opened for it, as by a command, and as often with open readers.
pub(crate) fn queries(full: &Path, count: usize) -> anyhow::Result<()> {
    let data = data_dir(full);
    let server = Server::livehook_with(full, Setup { sections: JOURNAL_SECTION, ..Setup::default() })?;
    server.settle()?;
    let address = server.address;
    let is_over = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&is_over);
    let load = thread::spawn(move || {
        let mut rates = Vec::new();
        while !over.load(Ordering::Relaxed) {
            rates.push(generator::drive_steadily(address, RATE, Duration::from_secs(2))?.rate);
        }
        anyhow::Ok(median(rates))
    });
    // The load must be there before the first query.
    thread::sleep(Duration::from_secs(1));
    table(
        &format!("{count} queries of each kind, at {RATE} events/s"),
        &["query", "results", "opened: p50 ms", "p99 ms", "kept open: p50 ms", "p99 ms"],
    );
    let kept = Readers::open(&data)?;
    let mut random = fastrand::Rng::with_seed(7);
    for (name, query) in QUERIES {
        let (mut opened_us, mut kept_us, mut answers) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..count {
            // Another subject for the second query: the cache of the system holds the pages of the first by then.
            let (first, second) = (subject(&kept.journal, &mut random)?, subject(&kept.journal, &mut random)?);
            let now_ms = jiff::Timestamp::now().as_millisecond();
            let started = Instant::now();
            query(&Readers::open(&data)?, &first, now_ms)?;
            opened_us.push(micros(started.elapsed()));
            let started = Instant::now();
            answers.push(query(&kept, &second, now_ms)? as u32);
            kept_us.push(micros(started.elapsed()));
        }
        row(&[
            name.to_owned(),
            percentile(&mut answers, 0.5).to_string(),
            ms(&mut opened_us, 0.5),
            ms(&mut opened_us, 0.99),
            ms(&mut kept_us, 0.5),
            ms(&mut kept_us, 0.99),
        ]);
    }
    over_http(&server, &kept.journal, &mut random, count)?;
    command(&data, &kept.journal, &mut random, count)?;
    is_over.store(true, Ordering::Relaxed);
    let rate = load.join().map_err(|_| anyhow::anyhow!("the load panicked"))??;
    println!("\nThe receiver stored {rate:.0} events/s at the same time.");
    server.settle()?;
    server.stop()
}

/// Queries of the API, each on its own connection, from the connection to the end of the answer.
fn over_http(
    server: &Server,
    journal: &journal::Reader,
    random: &mut fastrand::Rng,
    count: usize,
) -> anyhow::Result<()> {
    for (name, path) in API_PATHS {
        let mut times_us = Vec::new();
        for _ in 0..count {
            let subject = subject(journal, random)?;
            let started = Instant::now();
            let answer = server.ask(&format!("/api/v1/{}", path(&subject)))?;
            times_us.push(micros(started.elapsed()));
            if !answer.starts_with("HTTP/1.1 200 ") {
                bail!("{name}: {}", answer.lines().next().unwrap_or_default());
            }
        }
        let none = || String::from("-");
        row(&[name.to_owned(), none(), ms(&mut times_us, 0.5), ms(&mut times_us, 0.99), none(), none()]);
    }
    Ok(())
}

/// The command `livehook sessions`, from its start to its end. Nothing if the binary doesn't have it.
fn command(data: &Path, journal: &journal::Reader, random: &mut fastrand::Rng, count: usize) -> anyhow::Result<()> {
    let mut times_us = Vec::new();
    for _ in 0..count {
        let subject = subject(journal, random)?;
        let stream = subject.key.stream().into_owned();
        let started = Instant::now();
        let status = Command::new(LIVEHOOK)
            .args(["sessions", "--stream", &stream, "--data-dir"])
            .arg(data)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        times_us.push(micros(started.elapsed()));
        match status.code() {
            Some(0) => {}
            // Wrong usage: the binary doesn't know this command.
            Some(2) => return Ok(()),
            _ => bail!("`livehook sessions` failed: {status}"),
        }
    }
    let none = || String::from("-");
    row(&[
        "the command `livehook sessions --stream`".to_owned(),
        none(),
        ms(&mut times_us, 0.5),
        ms(&mut times_us, 0.99),
        none(),
        none(),
    ]);
    Ok(())
}

/// Picks an event at random. So streams with many sessions are queried more often.
pub(crate) fn subject(journal: &journal::Reader, random: &mut fastrand::Rng) -> anyhow::Result<Subject> {
    let head = journal.head()?.context("the journal is empty")?;
    loop {
        let records = journal.read(Offset(random.i64(0..head.0)), 1)?;
        let event = &records.first().context("the journal has a newest record")?.event;
        let Some(sequence) = event.sequence() else { continue };
        let key = StreamKey::of(event.partition_key());
        let streams = vec![NamePattern::new(&key.stream())?];
        let selection = StreamSelection { names: streams, ..StreamSelection::default() };
        return Ok(Subject {
            id: event.id(),
            sequence: sequence.into_owned(),
            selection,
            time_ms: event.id().time_ms(),
            key,
        });
    }
}

pub(crate) fn ms(values_us: &mut [u32], share: f64) -> String {
    format!("{:.2}", f64::from(percentile(values_us, share)) / 1000.0)
}

pub(crate) fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}
