//! Which records are ready, where the cursor stands, and which ones wait in the journal.

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
    let mut pending = Pending::new(Offset(0), Vec::new(), HeldStreams::default());
    assert_eq!((pending.wait(0), pending.cursor()), (None, Offset(0)));
    pending.take_in(vec![record(2, "a"), record(4, "b"), record(6, "a")], Offset(9));
    assert_eq!((pending.cursor(), pending.free_records()), (Offset(1), RECORDS_MAX - 3));
    let (mut batch, mut attempts) = pending.take_ready(0);
    assert_eq!(offsets(&batch), [2, 4, 6]);
    // The first failed, the third was held for it, and the second is finished.
    pending.take_back(vec![(batch.remove(2), attempts.remove(2)), (batch.remove(0), failed(0, 100))]);
    assert_eq!(offsets(&pending.take_ready(99).0), [] as [i64; 0]);
    assert_eq!(pending.wait(70), Some(Duration::from_millis(30)));
    let is_done = |offset| pending.is_done(Offset(offset), PartitionKey::from_text("d.com/live/a"));
    assert!(!is_done(2) && is_done(4) && !is_done(10));
    let stored = vec![(Offset(2), 1), (Offset(6), 0)];
    assert_eq!(pending.ahead(), Ahead { position: Offset(9), pending: stored, held: Vec::new() });
    assert_eq!((pending.attempts_max(), pending.has_failed()), (1, true));
    assert_eq!(offsets(&pending.take_ready(100).0), [2, 6]);
    assert_eq!((pending.cursor(), pending.ahead()), (Offset(9), Ahead::default()));
}

#[test]
fn held_records_wait_in_the_journal() {
    let journal: Vec<Record> = (1..)
        .zip(["bad", "good", "bad", "bad", "good", "bad"])
        .map(|(offset, stream)| record(offset, stream))
        .collect();
    let mut pending = Pending::new(Offset(0), Vec::new(), HeldStreams::default());
    pending.take_in(journal[..4].to_vec(), Offset(4));
    let (mut batch, _) = pending.take_ready(0);
    // The first event fails, so the other ones of its stream are held. The other stream passes.
    let kept = [batch.remove(0), batch.remove(1), batch.remove(1)].map(|record| (record, Attempts::default()));
    pending.take_back(kept.into());
    pending.entries[0].attempts = failed(0, 100);
    pending.hold_back(3);
    assert_eq!((pending.held_streams(), pending.free_records()), (0, RECORDS_MAX - 3), "there are few enough");
    pending.hold_back(2);
    assert_eq!((pending.held_streams(), pending.free_records()), (1, RECORDS_MAX - 1));
    pending.take_in(journal[4..].to_vec(), Offset(6));
    let held = vec![("d.com/live/bad".to_owned(), Offset(3))];
    let stored = vec![(Offset(1), 1), (Offset(5), 0)];
    assert_eq!(pending.ahead(), Ahead { position: Offset(6), pending: stored, held });
    assert_eq!(offsets(&pending.take_ready(50).0), [5]);
    assert_eq!(
        (pending.first_held(), pending.wait(50), pending.cursor().0),
        (None, Some(Duration::from_millis(50)), 0)
    );

    // The failed event passes at last, and the others are read again.
    pending.take_ready(100);
    assert_eq!(
        (pending.first_held(), pending.wait(100), pending.cursor().0),
        (Some(Offset(3)), Some(Duration::ZERO), 2)
    );
    assert!(pending.take_in_held(journal[2..].to_vec(), 2, |_| true));
    assert_eq!((pending.first_held(), pending.held_streams()), (Some(Offset(6)), 1));
    assert!(!pending.take_in_held(journal[5..].to_vec(), 2, |_| false), "the selection has changed");
    assert_eq!((pending.held_streams(), offsets(&pending.take_ready(100).0)), (0, vec![3, 4]));
    assert!(pending.is_empty() && pending.cursor() == Offset(6));
}

#[test]
fn held_streams_have_a_bound() {
    let mut pending = Pending::new(Offset(0), Vec::new(), HeldStreams::default());
    for number in 0..1100 {
        pending.take_in(
            vec![record(2 * number + 1, &number.to_string()), record(2 * number + 2, &number.to_string())],
            Offset(2 * number + 2),
        );
        pending.entries.iter_mut().for_each(|entry| entry.attempts.count = 1);
        pending.hold_back(0);
    }
    assert_eq!((pending.held_streams(), pending.entries.len()), (1000, 1200));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// With random failures and restarts, each record is finished once, and each stream in order.
    #[test]
    fn all_is_done_once_and_in_order(streams in prop::collection::vec(0..4_usize, 1..60), seed in any::<u64>()) {
        let mut random = fastrand::Rng::with_seed(seed);
        let journal: Vec<Record> =
            (1..).zip(&streams).map(|(offset, stream)| record(offset, ["a", "b", "c", "d"][*stream])).collect();
        let mut pending = Pending::new(Offset(0), Vec::new(), HeldStreams::default());
        let (mut now_ms, mut done) = (0, BTreeMap::<i64, usize>::new());
        let mut unread = journal.iter().cloned();
        let after = |offset: Offset, count| journal[offset.0 as usize..].iter().take(count).cloned().collect();
        while done.len() < journal.len() {
            now_ms += random.i64(0..50);
            let read: Vec<Record> = unread.by_ref().take(random.usize(0..5)).collect();
            if let Some(last) = read.last().map(|record| record.offset) {
                pending.take_in(read, last);
            }
            if let Some(first) = pending.first_held() {
                pending.take_in_held(after(first.before(), random.usize(1..8)), random.usize(1..4), |_| true);
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
            if random.bool() {
                pending.hold_back(random.usize(0..6));
            }
            prop_assert!((1..=pending.cursor().0).all(|offset| done.contains_key(&offset)));
            let is_done = |offset: i64| {
                let record = journal.get(offset as usize - 1);
                let key = record.map_or(PartitionKey::from_text(""), |record| record.event.partition_key());
                pending.is_done(Offset(offset), key)
            };
            prop_assert!((1..=60).all(|offset| is_done(offset) == done.contains_key(&offset)));
            if random.u8(0..4) == 0 {
                let Ahead { position, pending: left, held } = pending.ahead();
                let left = left.into_iter().map(|(offset, attempts)| (journal[offset.0 as usize - 1].clone(), attempts));
                pending = Pending::new(position.max(pending.cursor()), left.collect(), HeldStreams::new(held));
            }
        }
        // A held stream may have no further record, but only reading the journal to its end shows that.
        while let Some(first) = pending.first_held() {
            prop_assert!(!pending.take_in_held(after(first.before(), 8), 8, |_| true));
        }
        prop_assert!(pending.is_empty() && pending.cursor() == Offset(journal.len() as i64));
    }
}
