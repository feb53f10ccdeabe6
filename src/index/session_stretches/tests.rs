//! A query for a stream looks only into the stretches of its time, so the table must cover every session.

use proptest::prelude::*;

use super::*;
use crate::index::testing::{
    apply_randomly, at, number_sessions_from, open, open_with, options, pushed, records, records_of,
};
use crate::index::{Options, Reader, Store};
use crate::journal::Offset;
use crate::session::testing::{history, push};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn every_session_is_covered(history in history(), seed in any::<u64>()) {
        let directory = tempfile::tempdir().unwrap();
        apply_randomly(directory.path(), &records(&history), &mut fastrand::Rng::with_seed(seed));
        let unfindable = || Reader::open(directory.path()).unwrap().unfindable_sessions().unwrap();
        prop_assert_eq!(unfindable(), 0);
        // A new table covers them too.
        open(directory.path()).connection.execute_batch(FILL_AGAIN).unwrap();
        prop_assert_eq!(unfindable(), 0);
    }
}

/// A session that never ends keeps its own stretch, and no other.
#[test]
fn stretches_go_with_their_sessions() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = open_with(directory.path(), &Options { stale_after_secs: 0, ..options() });
    let stream = "a.com/live/s";
    for (stretch, callbacks) in [
        (0, vec![push(stream, "endless", 0)]),
        (1, pushed(stream, "1", 10..11).to_vec()),
        (2, pushed(stream, "2", 20..21).to_vec()),
        (3, pushed(stream, "3", 500..501).to_vec()),
    ] {
        number_sessions_from(&mut store, (stretch << 16) + 1);
        let mut records = records_of(&callbacks);
        records.iter_mut().for_each(|record| record.offset.0 += 100 * stretch);
        store.apply(&records).unwrap();
    }
    let stretches = |store: &Store| {
        let found = newest_first(&store.connection, (i64::MIN, i64::MAX)).unwrap();
        found.into_iter().map(|(stretch, _)| stretch).collect::<BTreeSet<_>>()
    };
    assert_eq!(stretches(&store), [0, 1, 2, 3].into());
    let year_ms = 365 * 86_400_000;
    store.prune(Offset(0), at(400) + year_ms).unwrap();
    assert_eq!(stretches(&store), [0, 3].into());
    store.prune(Offset(0), at(4000) + year_ms).unwrap();
    assert_eq!(stretches(&store), [0].into());
}
