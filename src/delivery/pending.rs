//! The records that a worker has read and not finished: which of them are ready, and where the cursor stands. Pure rules:
//! nothing here reads, delivers or waits.

use std::collections::HashSet;
use std::time::Duration;

use super::backoff::Pause;
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
}

impl Pending {
    /// Starts with every record up to `position` finished, except for `records`. Each comes with its number of attempts.
    pub(super) fn new(position: Offset, records: Vec<(Record, u32)>) -> Pending {
        let entry =
            |(record, attempts)| Entry { record, attempts: Attempts { count: attempts, ..Attempts::default() } };
        Pending { position, entries: records.into_iter().map(entry).collect() }
    }

    /// The last record that has been read.
    pub(super) fn position(&self) -> Offset {
        self.position
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
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
        self.first().map_or(self.position, |record| record.offset.before())
    }

    /// The finished records after the cursor, stored as the position and the unfinished records up to it.
    pub(super) fn ahead(&self) -> Ahead {
        // The cursor alone says it all.
        if self.entries.is_empty() {
            return Ahead::default();
        }
        let pending = self.entries.iter().map(|entry| (entry.record.offset, entry.attempts.count));
        Ahead { position: self.position, pending: pending.collect() }
    }

    /// Whether a record is read and finished.
    pub(super) fn is_done(&self, offset: Offset) -> bool {
        offset <= self.position && self.entries.binary_search_by_key(&offset, |entry| entry.record.offset).is_err()
    }

    /// Adds records that were read, up to `position`. Records that the selection excludes are not among them.
    pub(super) fn take_in(&mut self, records: Vec<Record>, position: Offset) {
        self.position = position;
        self.entries.extend(records.into_iter().map(|record| Entry { record, attempts: Attempts::default() }));
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
        let left = |entry: &Entry| entry.attempts.pause.map_or(Duration::ZERO, |pause| pause.left(now_ms));
        // Only the first record of each stream counts, because the later ones wait for it.
        let mut seen = HashSet::new();
        self.entries.iter().filter(|entry| seen.insert(entry.record.event.partition_key())).map(left).min()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;
    use crate::delivery::testing::event_of;

    fn record(offset: i64, stream: &str) -> Record {
        Record { offset: Offset(offset), event: event_of(stream, 1) }
    }

    fn offsets(records: &[Record]) -> Vec<i64> {
        records.iter().map(|record| record.offset.0).collect()
    }

    fn failed(since_ms: i64, length_ms: u64) -> Attempts {
        let pause = Some(Pause { since_ms, length: Duration::from_millis(length_ms) });
        Attempts { count: 1, reason: Some("no".to_owned()), pause }
    }

    #[test]
    fn a_paused_record_holds_its_stream_only() {
        let mut pending = Pending::new(Offset(0), Vec::new());
        assert_eq!((pending.wait(0), pending.cursor()), (None, Offset(0)));
        pending.take_in(vec![record(2, "a"), record(4, "b"), record(6, "a")], Offset(9));
        assert_eq!((pending.cursor(), pending.free_records()), (Offset(1), RECORDS_MAX - 3));
        let (mut batch, mut attempts) = pending.take_ready(0);
        assert_eq!(offsets(&batch), [2, 4, 6]);
        // The first failed, the third was held for it, and the second is finished.
        pending.take_back(vec![(batch.remove(2), attempts.remove(2)), (batch.remove(0), failed(0, 100))]);
        assert_eq!(offsets(&pending.take_ready(99).0), [] as [i64; 0]);
        assert_eq!(pending.wait(70), Some(Duration::from_millis(30)));
        assert!(!pending.is_done(Offset(2)) && pending.is_done(Offset(4)) && !pending.is_done(Offset(10)));
        assert_eq!(pending.ahead(), Ahead { position: Offset(9), pending: vec![(Offset(2), 1), (Offset(6), 0)] });
        assert_eq!((pending.attempts_max(), pending.has_failed()), (1, true));
        assert_eq!(offsets(&pending.take_ready(100).0), [2, 6]);
        assert_eq!((pending.cursor(), pending.ahead()), (Offset(9), Ahead::default()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// With random failures and restarts, each record is finished once, and each stream in order.
        #[test]
        fn all_is_done_once_and_in_order(streams in prop::collection::vec(0..4_usize, 1..60), seed in any::<u64>()) {
            let mut random = fastrand::Rng::with_seed(seed);
            let journal: Vec<Record> =
                (1..).zip(&streams).map(|(offset, stream)| record(offset, ["a", "b", "c", "d"][*stream])).collect();
            let mut pending = Pending::new(Offset(0), Vec::new());
            let (mut now_ms, mut done) = (0, BTreeMap::<i64, usize>::new());
            let mut unread = journal.iter().cloned();
            while done.len() < journal.len() {
                now_ms += random.i64(0..50);
                let read: Vec<Record> = unread.by_ref().take(random.usize(0..5)).collect();
                if let Some(last) = read.last().map(|record| record.offset) {
                    pending.take_in(read, last);
                }
                let (batch, attempts) = pending.take_ready(now_ms);
                let (mut held, mut kept) = (BTreeSet::new(), Vec::new());
                for (record, attempts) in batch.into_iter().zip(attempts) {
                    let stream = streams[record.offset.0 as usize - 1];
                    let before = (1..record.offset.0).filter(|offset| streams[*offset as usize - 1] == stream);
                    if held.contains(&stream) {
                        kept.push((record, attempts));
                    } else if random.u8(0..3) == 0 {
                        held.insert(stream);
                        kept.push((record, failed(now_ms, 60)));
                    } else {
                        prop_assert!(before.into_iter().all(|offset| done.contains_key(&offset)));
                        prop_assert_eq!(done.insert(record.offset.0, stream), None);
                    }
                }
                pending.take_back(kept);
                prop_assert!((1..=pending.cursor().0).all(|offset| done.contains_key(&offset)));
                prop_assert!((1..=60).all(|offset| pending.is_done(Offset(offset)) == done.contains_key(&offset)));
                if random.u8(0..4) == 0 {
                    let Ahead { position, pending: left } = pending.ahead();
                    let left = left.into_iter().map(|(offset, attempts)| (journal[offset.0 as usize - 1].clone(), attempts));
                    pending = Pending::new(position.max(pending.cursor()), left.collect());
                }
            }
            prop_assert!(pending.is_empty() && pending.cursor() == Offset(journal.len() as i64));
        }
    }
}
