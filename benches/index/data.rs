//! A data directory with the events of a month: a journal, appended to by the receiver's code, and its index.

use std::cell::RefCell;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, ensure};
use livehook::index;
use livehook::journal::{self, Journal, Opened, SqliteJournal};
use livehook::telemetry::Metrics;
use tokio::task::{JoinSet, LocalSet};

use crate::common::process::cpu_us;
use crate::mix::{EVENTS_PER_SESSION, Mix};

/// How many events wait for the journal at a time.
const APPENDING: usize = 2048;

/// The length of the past, in ms.
const PAST_MS: i64 = 25 * 86_400_000;

/// The section `[journal]` of every server here: nothing may be pruned during a measurement.
pub(crate) const JOURNAL_SECTION: &str = "[journal]\nretention_days = 3650\nsize_bytes_max = 109951162777600\n";

/// The data directory below `directory`, as [`crate::common::process::Server`] expects it.
pub(crate) fn data_dir(directory: &Path) -> PathBuf {
    directory.join("data")
}

/// Copies kept data to another directory, and returns it.
pub(crate) fn copy(kept: &Path, directory: &Path) -> anyhow::Result<PathBuf> {
    fs::create_dir_all(data_dir(directory))?;
    for name in ["journal.db", "index.db"] {
        let wal = data_dir(kept).join(format!("{name}-wal"));
        ensure!(
            fs::metadata(&wal).map_or(0, |wal| wal.len()) == 0,
            "{} is not empty, because an earlier run was killed: remove {}",
            wal.display(),
            kept.display()
        );
        copy_file(&data_dir(kept).join(name), &data_dir(directory).join(name))?;
    }
    Ok(directory.to_owned())
}

/// Copies a file, and waits until the disk has the copy. Otherwise the disk would write it during the measurement.
pub(crate) fn copy_file(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::copy(from, to)?;
    File::open(to)?.sync_all()
}

/// Makes the data below `directory`, unless an earlier run has kept them there. Makes the index alone if only that is missing.
pub(crate) fn build(directory: &Path, sessions: u64) -> anyhow::Result<()> {
    let (data, complete) = (data_dir(directory), directory.join(format!("complete-{sessions}")));
    let mib = |name: &str| Ok::<_, std::io::Error>(fs::metadata(data.join(name))?.len() / 1024 / 1024);
    let events = sessions * EVENTS_PER_SESSION;
    if complete.exists() {
        println!("\nThe data in {} are from an earlier run.", directory.display());
    } else {
        if directory.exists() {
            fs::remove_dir_all(directory)?;
        }
        fs::create_dir_all(directory)?;
        let started = Instant::now();
        append(&data, sessions)?;
        let secs = started.elapsed().as_secs_f64();
        println!("\nStored {events} events of {sessions} sessions in {secs:.0} s: {} MiB.", mib("journal.db")?);
        // Last, so that the data of an interrupted run are not used.
        fs::write(complete, "")?;
    }
    if !data.join("index.db").exists() {
        let (started, before) = (Instant::now(), cpu_us("self")?);
        index::rebuild(&data, &index::Options::default(), |_, _| {})?;
        let (secs, cpu_secs) = (started.elapsed().as_secs_f64(), (cpu_us("self")? - before) as f64 / 1e6);
        println!("\nMade the index in {secs:.0} s, {cpu_secs:.0} s of CPU: {} MiB.", mib("index.db")?);
    }
    Ok(())
}

/// Fills a journal with the events of the past, up to now.
fn append(data: &Path, sessions: u64) -> anyhow::Result<()> {
    let options = journal::Options {
        size_bytes_max: u64::MAX,
        queue_events_max: APPENDING as u32,
        batch_events_max: APPENDING as u32,
        ..journal::Options::default()
    };
    let Opened { journal, wakeups, .. } =
        SqliteJournal::open(data, &options, &[], Arc::new(Metrics::new()), livehook::clock::system_clock)?;
    let first_ms = jiff::Timestamp::now().as_millisecond() - PAST_MS;
    let mix = Rc::new(RefCell::new(Mix::new(1, first_ms, PAST_MS / sessions as i64)?));
    let left = Rc::new(RefCell::new(sessions * EVENTS_PER_SESSION));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let wakeups = tokio::task::spawn_local(wakeups.run());
        let mut tasks = JoinSet::new();
        for _ in 0..APPENDING {
            let (journal, mix, left) = (Arc::clone(&journal), Rc::clone(&mix), Rc::clone(&left));
            tasks.spawn_local(async move {
                while *left.borrow() > 0 {
                    *left.borrow_mut() -= 1;
                    let event = mix.borrow_mut().next_event()?;
                    journal.append(event).await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        journal.close();
        wakeups.await?.context("the journal failed")?;
        anyhow::Ok(())
    })?;
    journal.join();
    Ok(())
}
