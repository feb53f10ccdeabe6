//! The newest records in memory, so that a consumer that keeps up does not read the database.
//!
//! Records are added after their commit, so each of them is durable. The tail has no gaps: when a failure leaves one, the records
//! before it are removed, so that no reader skips over it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Offset, Record};

/// The most bytes of events to keep.
const BYTES_MAX: usize = 2 * 1024 * 1024;

#[derive(Default)]
pub(super) struct Tail(Mutex<Records>);

#[derive(Default)]
struct Records {
    records: VecDeque<Record>,
    bytes: usize,
}

impl Tail {
    /// Adds records that were just committed, in order. `head` is the newest durable record. If it is after the last of them,
    /// some are missing here, so the tail is emptied.
    pub(super) fn push(&self, records: impl IntoIterator<Item = Record>, head: Offset) {
        let mut tail = self.lock();
        for record in records {
            if tail.records.back().is_some_and(|last| last.offset != record.offset.before()) {
                *tail = Records::default();
            }
            tail.bytes += record.event.line().len();
            tail.records.push_back(record);
        }
        if tail.records.back().is_some_and(|last| last.offset < head) {
            *tail = Records::default();
        }
        while tail.bytes > BYTES_MAX
            && let Some(oldest) = tail.records.pop_front()
        {
            tail.bytes -= oldest.event.line().len();
        }
    }

    /// Replaces the records that have the offsets of `records`. Leaves out those before the tail.
    pub(super) fn replace(&self, records: Vec<Record>) {
        if records.is_empty() {
            return;
        }
        let mut tail = self.lock();
        let Some(first) = tail.records.front().map(|record| record.offset) else { return };
        for record in records {
            let Ok(position) = usize::try_from(record.offset.0 - first.0) else { continue };
            let added = record.event.line().len();
            let Some(known) = tail.records.get_mut(position) else { continue };
            let removed = std::mem::replace(known, record).event.line().len();
            tail.bytes = tail.bytes + added - removed;
        }
    }

    /// Returns the records after `after`, at most `limit`; `None` if the tail begins later.
    pub(super) fn read(&self, after: Offset, limit: usize) -> Option<Vec<Record>> {
        let tail = self.lock();
        let first = tail.records.front()?.offset;
        // The tail has no gaps, so the distance of two offsets is the number of records between them.
        let skipped = usize::try_from(after.0 - first.before().0).ok()?;
        if skipped > tail.records.len() {
            // The caller knows a record that was not pushed here yet. Only the database has what follows it.
            return None;
        }
        Some(tail.records.iter().skip(skipped).take(limit).cloned().collect())
    }

    fn lock(&self) -> MutexGuard<'_, Records> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::event;
    use super::*;

    fn records(offsets: std::ops::Range<i64>) -> impl Iterator<Item = Record> {
        offsets.map(|offset| Record { offset: Offset(offset), event: event(offset as u32) })
    }

    fn read(tail: &Tail, after: i64, limit: usize) -> Option<Vec<i64>> {
        let records = tail.read(Offset(after), limit)?;
        Some(records.into_iter().map(|record| record.offset.0).collect())
    }

    #[test]
    fn read_before_tail_returns_none() {
        let tail = Tail::default();
        assert_eq!(read(&tail, 0, 10), None);
        tail.push(records(5..8), Offset(7));
        tail.push(records(8..10), Offset(9));
        assert_eq!(read(&tail, 3, 10), None);
        assert_eq!(read(&tail, 4, 10), Some(vec![5, 6, 7, 8, 9]));
        assert_eq!(read(&tail, 6, 2), Some(vec![7, 8]));
        assert_eq!(read(&tail, 9, 10), Some(vec![]));
        assert_eq!(read(&tail, 10, 10), None, "the end is not known here");
    }

    #[test]
    fn gap_empties_the_tail() {
        let tail = Tail::default();
        tail.push(records(1..4), Offset(3));
        tail.push(records(6..8), Offset(7));
        assert_eq!(read(&tail, 3, 10), None);
        assert_eq!(read(&tail, 5, 10), Some(vec![6, 7]));
        tail.push([], Offset(0));
        assert_eq!(read(&tail, 7, 10), Some(vec![]), "a head of 0 says nothing of the end");
        tail.push([], Offset(9));
        assert_eq!(read(&tail, 7, 10), None, "two more are durable");
    }

    #[test]
    fn record_is_replaced_at_its_offset() {
        let tail = Tail::default();
        tail.push(records(5..8), Offset(7));
        let changed = |offset| Record { offset: Offset(offset), event: event(100) };
        tail.replace(vec![changed(4), changed(6), changed(8)]);
        let expected: Vec<Record> = records(5..6).chain([changed(6)]).chain(records(7..8)).collect();
        assert_eq!(tail.read(Offset(4), 10).unwrap(), expected);
        let bytes = expected.iter().map(|record| record.event.line().len()).sum::<usize>();
        assert_eq!(tail.lock().bytes, bytes);
    }

    #[test]
    fn tail_is_bounded() {
        let tail = Tail::default();
        for offset in 0..10_000 {
            tail.push(records(offset..offset + 1), Offset(offset));
        }
        let tail = tail.lock();
        assert!(tail.bytes <= BYTES_MAX && tail.records.len() > 1000);
        assert_eq!(tail.bytes, tail.records.iter().map(|record| record.event.line().len()).sum::<usize>());
    }
}
