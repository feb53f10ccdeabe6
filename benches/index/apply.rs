//! How many events a second are written to the index.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use livehook::index::{Options, Store};
use livehook::journal::{Offset, Record};

use crate::common::process::cpu_us;
use crate::common::report::{median, row, table};
use crate::data;
use crate::mix::Mix;

/// The measured batch sizes: of a worker that is behind, and of a receiver with little load.
const BATCHES: [usize; 2] = [4096, 50];

/// Writes to an empty and to a full index in turns. Each round has its own copy of the index and its own events.
pub(crate) fn apply(directory: &Path, full: &Path, rounds: usize, events: usize) -> anyhow::Result<()> {
    table(
        &format!("{events} events into the index, median of {rounds} rounds"),
        &["index", "batch", "events/s of CPU", "CPU us/event", "events/s", "index MiB"],
    );
    let scratch = directory.join("apply");
    for is_full in [false, true] {
        let mut seen = [(Vec::new(), Vec::new()), (Vec::new(), Vec::new())];
        let mut mib = 0;
        for round in 0..rounds {
            for (batch, (cpu, wall)) in BATCHES.iter().zip(&mut seen) {
                fs::create_dir_all(&scratch)?;
                if is_full {
                    data::copy_file(&data::data_dir(full).join("index.db"), &scratch.join("index.db"))?;
                }
                let (cpu_us, elapsed) = write(&scratch, 2 + round as u64, events, *batch)?;
                cpu.push(cpu_us as f64 / events as f64);
                wall.push(events as f64 / elapsed.as_secs_f64());
                mib = fs::metadata(scratch.join("index.db"))?.len() / 1024 / 1024;
                fs::remove_dir_all(&scratch)?;
            }
        }
        for (batch, (cpu, wall)) in BATCHES.iter().zip(seen) {
            let us = median(cpu);
            row(&[
                if is_full { "full" } else { "empty" }.to_owned(),
                batch.to_string(),
                format!("{:.0}", 1e6 / us),
                format!("{us:.1}"),
                format!("{:.0}", median(wall)),
                mib.to_string(),
            ]);
        }
    }
    Ok(())
}

/// Writes events to the index in `scratch`. Returns the CPU time in microseconds, and the time.
fn write(scratch: &Path, seed: u64, events: usize, batch: usize) -> anyhow::Result<(u64, Duration)> {
    let mut store = Store::open(scratch, &Options::default())?;
    let mut mix = Mix::new(seed, jiff::Timestamp::now().as_millisecond(), 50)?;
    let first = store.cursor().0 + 1;
    let records = (first..first + events as i64)
        .map(|offset| Ok(Record { offset: Offset(offset), event: mix.next_event()? }))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let (before, started) = (cpu_us("self")?, Instant::now());
    for records in records.chunks(batch) {
        store.apply(records)?;
    }
    // The work that a checkpoint of the WAL postpones counts too.
    store.checkpoint()?;
    Ok((cpu_us("self")? - before, started.elapsed()))
}
