use proptest::prelude::*;

use super::*;
use crate::index::reader::testing::{Index, STREAM};
use crate::index::testing::{at, number_sessions_from};
use crate::session::testing::push;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// The newest sessions may be in any stretch, because sessions start in another order than they become known.
    #[test]
    fn newest_come_from_all_stretches(
        pushes in prop::collection::vec((0_i64..9, any::<bool>(), 0_u8..3), 1..14), from in 0_i64..9, until in 0_i64..10,
        limit in 1_usize..6,
    ) {
        let mut index = Index::new();
        index.add(&[push(STREAM, "first", 100)]);
        let mut expected = Vec::new();
        for (position, (secs, is_of_stream, to_next_stretch)) in pushes.iter().enumerate() {
            if *to_next_stretch == 0 {
                let next = ((index.store.next_session >> 16) + 1) << 16;
                number_sessions_from(&mut index.store, next);
            }
            if *is_of_stream && (from..until).contains(secs) {
                expected.push((at(*secs), index.store.next_session));
            }
            index.add(&[push(if *is_of_stream { STREAM } else { "b.com/live/other" }, &position.to_string(), *secs)]);
        }
        expected.sort_unstable_by_key(|session| Reverse(*session));
        expected.truncate(limit);
        let reader = index.reader();
        let first = reader.connection.query_row("SELECT stream FROM sessions WHERE sequence = 'first'", [], |row| row.get(0));
        let found = reader.newest_sessions(first.unwrap(), (at(from), at(until)), limit).unwrap();
        let found: Vec<(i64, i64)> = found.iter().map(|stored| (stored.session.started_ms(), stored.number)).collect();
        prop_assert_eq!(found, expected);
    }
}
