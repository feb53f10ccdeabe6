//! The records that a worker has read and not finished: which of them are ready, and where the cursor stands. Pure rules:
//! nothing here reads, delivers or waits.

use std::collections::HashSet;
use std::time::Duration;

use super::backoff::Pause;
use super::held::HeldStreams;
use crate::callback::{Event, PartitionKey};
use crate::journal::{Ahead, Offset, Record};

/// The most records that may be pending. At this number, the worker reads no more.
pub(super) const RECORDS_MAX: usize = 1000;

/// The attempts of a record so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Attempts {
    /// How many there were.
    pub(super) count: u32,
    /// Why the last attempt since the start of the process failed.
    pub(super) reason: Option<String>,
    /// The pause before the next attempt. Later records of the same stream wait too.
    pub(super) pause: Option<Pause>,
}

#[derive(Debug)]
struct Entry {
    record: Record,
    attempts: Attempts,
}

/// The records that are read and not finished.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// Every record up to here has been read.
    position: Offset,
    /// In the order of their offsets, and never more than [`RECORDS_MAX`]. Finished ones between them are removed.
    entries: Vec<Entry>,
    /// The streams with further unfinished records, which wait in the journal. They come after the stream's entries.
    held: HeldStreams,
}

impl Pending {
    /// Starts with every record up to `position` finished, except for `records` and the ones of held streams. Each record comes
    /// with its number of attempts.
    pub(super) fn new(position: Offset, records: Vec<(Record, u32)>, held: HeldStreams) -> Pending {
        let entry =
            |(record, attempts)| Entry { record, attempts: Attempts { count: attempts, ..Attempts::default() } };
        Pending { position, entries: records.into_iter().map(entry).collect(), held }
    }

    /// The last record that has been read.
    pub(super) fn position(&self) -> Offset {
        self.position
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.held.is_empty()
    }

    /// The number of streams with records that wait in the journal.
    pub(super) fn held_streams(&self) -> usize {
        self.held.len()
    }

    /// The oldest record.
    pub(super) fn first(&self) -> Option<&Record> {
        self.entries.first().map(|entry| &entry.record)
    }

    /// The number of records that may be added.
    pub(super) fn free_records(&self) -> usize {
        RECORDS_MAX.saturating_sub(self.entries.len())
    }

    /// Whether a record has failed since the start of the process.
    pub(super) fn has_failed(&self) -> bool {
        self.entries.iter().any(|entry| entry.attempts.reason.is_some())
    }

    /// The oldest record that has failed, also before the start of the process.
    pub(super) fn first_failed(&self) -> Option<&Record> {
        self.entries.iter().find(|entry| entry.attempts.count > 0).map(|entry| &entry.record)
    }

    /// The largest number of attempts of a record.
    pub(super) fn attempts_max(&self) -> u32 {
        self.entries.iter().map(|entry| entry.attempts.count).max().unwrap_or(0)
    }

    /// The cursor: every record up to it is finished.
    pub(super) fn cursor(&self) -> Offset {
        let first = self.first().map(|record| record.offset).into_iter().chain(self.held.first(|_| true)).min();
        first.map_or(self.position, Offset::before)
    }

    /// The finished records after the cursor, stored as the position and the unfinished records up to it.
    pub(super) fn ahead(&self) -> Ahead {
        // The cursor alone says it all.
        if self.is_empty() {
            return Ahead::default();
        }
        let pending = self.entries.iter().map(|entry| (entry.record.offset, entry.attempts.count));
        Ahead { position: self.position, pending: pending.collect(), held: self.held.stored() }
    }

    /// Whether a record of this stream is read and finished.
    pub(super) fn is_done(&self, offset: Offset, key: PartitionKey<'_>) -> bool {
        let is_entry = || self.entries.binary_search_by_key(&offset, |entry| entry.record.offset).is_ok();
        offset <= self.position && !is_entry() && !self.held.waits(offset, key)
    }

    /// Adds records that were read, up to `position`. Records that the selection excludes are not among them.
    pub(super) fn take_in(&mut self, records: Vec<Record>, position: Offset) {
        self.position = position;
        // The records of a held stream wait in the journal.
        let free = records.into_iter().filter(|record| !self.held.has(record.event.partition_key()));
        self.entries.extend(free.map(|record| Entry { record, attempts: Attempts::default() }));
    }

    /// Lets the records that wait behind a failed one of their stream wait in the journal, if there are more than `records_max`
    /// pending ones. So other streams go on.
    pub(super) fn hold_back(&mut self, records_max: usize) {
        if self.entries.len() <= records_max {
            return;
        }
        let failed = self.failed_streams();
        let (held, mut seen) = (&mut self.held, HashSet::new());
        let is_held: Vec<bool> = self
            .entries
            .iter()
            .map(|entry| {
                let (offset, key) = (entry.record.offset, entry.record.event.partition_key());
                failed.contains(key.as_str()) && !seen.insert(key) && held.hold(key, offset)
            })
            .collect();
        let mut is_held = is_held.into_iter();
        self.entries.retain(|_| !is_held.next().unwrap_or(false));
    }

    /// The place of the first record that waits in the journal and may be tried: no earlier one of its stream has failed.
    pub(super) fn first_held(&self) -> Option<Offset> {
        if self.held.is_empty() {
            return None;
        }
        let failed = self.failed_streams();
        self.held.first(|key| !failed.contains(key.as_str()))
    }

    /// Adds at most `count_max` records that wait in the journal and may be tried. `records` were read from
    /// [`Pending::first_held`] on. Returns whether there were any.
    pub(super) fn take_in_held(
        &mut self,
        records: Vec<Record>,
        count_max: usize,
        is_selected: impl Fn(&Event) -> bool,
    ) -> bool {
        let failed = self.failed_streams();
        let free = self.held.take(records, self.position, count_max, |key| !failed.contains(key.as_str()));
        let free =
            free.into_iter().filter(|record| is_selected(&record.event)).map(|record| (record, Attempts::default()));
        let free: Vec<_> = free.collect();
        let is_any = !free.is_empty();
        self.take_back(free);
        is_any
    }

    /// The place of the first record that waits in the journal, among the wanted streams.
    pub(super) fn first_held_of(&self, is_wanted: impl Fn(PartitionKey<'_>) -> bool) -> Option<Offset> {
        self.held.first(is_wanted)
    }

    /// Takes records of the wanted streams out of the ones that wait in the journal. `records` were read from
    /// [`Pending::first_held_of`] on.
    pub(super) fn take_held_of(
        &mut self,
        records: Vec<Record>,
        is_wanted: impl Fn(PartitionKey<'_>) -> bool,
    ) -> Vec<Record> {
        self.held.take(records, self.position, usize::MAX, is_wanted)
    }

    /// The partition keys of the streams that have a failed record.
    fn failed_streams(&self) -> HashSet<String> {
        let failed = self.entries.iter().filter(|entry| entry.attempts.count > 0);
        failed.map(|entry| entry.record.event.partition_key().as_str().to_owned()).collect()
    }

    /// Takes the records that are ready, each stream in order. A record is ready if neither it nor an earlier one of its stream is paused.
    pub(super) fn take_ready(&mut self, now_ms: i64) -> (Vec<Record>, Vec<Attempts>) {
        let mut waiting = HashSet::new();
        let is_ready: Vec<bool> = self
            .entries
            .iter()
            .map(|Entry { record, attempts }| {
                let key = record.event.partition_key();
                let waits = attempts.pause.is_some_and(|pause| !pause.left(now_ms).is_zero());
                if waits {
                    // The later records of the stream must not pass this one.
                    waiting.insert(key);
                }
                !waits && !waiting.contains(&key)
            })
            .collect();
        let mut is_ready = is_ready.into_iter();
        let ready: Vec<Entry> = self.entries.extract_if(.., |_| is_ready.next().unwrap_or(false)).collect();
        // Streams that failed go last. The sink may skip the rest of a batch, and must not try the same few events each time.
        let keys = ready.iter().map(|entry| (entry.attempts.pause.is_some(), entry.record.event.partition_key()));
        let failed: HashSet<PartitionKey<'_>> =
            keys.filter(|(has_failed, _)| *has_failed).map(|(_, key)| key).collect();
        let is_last: Vec<bool> =
            ready.iter().map(|entry| failed.contains(&entry.record.event.partition_key())).collect();
        let (last, first): (Vec<_>, Vec<_>) = ready.into_iter().zip(is_last).partition(|(_, is_last)| *is_last);
        first.into_iter().chain(last).map(|(entry, _)| (entry.record, entry.attempts)).unzip()
    }

    /// Takes back the records of a batch that are not finished.
    pub(super) fn take_back(&mut self, kept: Vec<(Record, Attempts)>) {
        if kept.is_empty() {
            return;
        }
        self.entries.extend(kept.into_iter().map(|(record, attempts)| Entry { record, attempts }));
        self.entries.sort_by_key(|entry| entry.record.offset);
    }

    /// Ends the pause of every record.
    pub(super) fn end_pauses(&mut self) {
        // The pause stays, because it shows that its record has failed.
        let pauses = self.entries.iter_mut().filter_map(|entry| entry.attempts.pause.as_mut());
        pauses.for_each(|pause| pause.length = Duration::ZERO);
    }

    /// Takes the records of these events out, whether they are ready or not.
    pub(super) fn take_events(&mut self, is_wanted: impl Fn(&Event) -> bool) -> Vec<(Record, Attempts)> {
        let taken = self.entries.extract_if(.., |entry| is_wanted(&entry.record.event));
        taken.map(|entry| (entry.record, entry.attempts)).collect()
    }

    /// The time until a record is ready; `None` if no record is pending.
    pub(super) fn wait(&self, now_ms: i64) -> Option<Duration> {
        if self.free_records() > 0 && self.first_held().is_some() {
            return Some(Duration::ZERO);
        }
        let left = |entry: &Entry| entry.attempts.pause.map_or(Duration::ZERO, |pause| pause.left(now_ms));
        // Only the first record of each stream counts, because the later ones wait for it.
        let mut seen = HashSet::new();
        self.entries.iter().filter(|entry| seen.insert(entry.record.event.partition_key())).map(left).min()
    }
}

#[cfg(test)]
mod tests;
