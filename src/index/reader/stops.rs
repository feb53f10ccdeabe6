//! Why sessions ended, counted.

use std::cmp::Reverse;
use std::collections::HashMap;

use rusqlite::{Row, params};

use super::Reader;
use super::open::limit_of;
use crate::callback::{Reason, ReasonCategory};
use crate::index::IndexError;
use crate::index::stop_views::{StopCounts, StopQuery, StreamName};

/// How many ends a query counts. More would take too long for a page.
const ENDS_MAX: usize = 5_000;

/// How many streams and nodes are named.
const NAMED_MAX: usize = 10;

/// Reasons that differ in code, sub-code or category are counted apart.
type ReasonKey = (Option<i64>, Option<i64>, ReasonCategory);

/// Counts by key.
struct Counts<K>(HashMap<K, usize>);

impl<K: std::hash::Hash + Eq + Ord> Counts<K> {
    fn add(&mut self, key: K) {
        *self.0.entry(key).or_default() += 1;
    }

    /// The most frequent ones. Equal counts are in the order of their keys, so that a page does not change by itself.
    fn most(self, limit: usize) -> Vec<(K, usize)> {
        let mut all: Vec<(K, usize)> = self.0.into_iter().collect();
        all.sort_unstable_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        all.truncate(limit);
        all
    }
}

impl Reader {
    /// Counts why sessions ended in a time. If there are too many, only the latest are counted.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn stop_counts(&self, query: &StopQuery) -> Result<StopCounts, IndexError> {
        // A transaction, so that all statements see the index between the same two batches.
        let transaction = self.connection.unchecked_transaction()?;
        let selected = self.streams_with(&query.streams)?;
        // The index has all that is read, except the message, which only two codes need.
        let text = "SELECT ended_ms, stream, reason_category, stop_errcode, push_node,
                CASE WHEN stop_errcode = 18 OR stop_errcode = 21 THEN stop_errmsg END
            FROM sessions INDEXED BY sessions_by_end WHERE ended_ms >= ?1 AND ended_ms < ?2
            ORDER BY ended_ms DESC LIMIT ?3";
        let mut statement = self.connection.prepare_cached(text)?;
        let mut rows = statement.query(params![query.from_ms, query.until_ms, limit_of(ENDS_MAX)])?;
        let mut counted = StopCounts::default();
        let mut reasons: HashMap<ReasonKey, (Reason, usize)> = HashMap::new();
        let (mut streams, mut nodes) = (Counts(HashMap::new()), Counts(HashMap::new()));
        let mut read = 0;
        while let Some(row) = rows.next()? {
            read += 1;
            let stream: i64 = row.get(1)?;
            if selected.as_ref().is_some_and(|selected| !selected.contains(&stream)) {
                continue;
            }
            let manual = ReasonCategory::Manual.label();
            let reason = match text_at(row, 2)? {
                Some(label) if label == manual => Reason::manual(),
                _ => Reason::of(row.get(3)?, text_at(row, 5)?),
            };
            counted.ends.push((row.get(0)?, reason.category));
            if reason.category.is_interruption() {
                streams.add(stream);
                if let Some(node) = row.get::<_, Option<String>>(4)? {
                    nodes.add(node);
                }
            }
            let key = (reason.errcode, reason.sub, reason.category);
            reasons.entry(key).or_insert((reason, 0)).1 += 1;
        }
        counted.is_cut = read == ENDS_MAX;
        counted.reasons = reasons.into_values().collect();
        counted.reasons.sort_by_key(|(reason, count)| (Reverse(*count), reason.errcode, reason.sub));
        counted.nodes = nodes.most(NAMED_MAX);
        for (stream, count) in streams.most(NAMED_MAX) {
            let key = self.stream_key(stream)?;
            let (domain, app_name) = (key.domain().into_owned(), key.app_name().into_owned());
            counted.streams.push((StreamName { domain, app_name, stream: key.stream().into_owned() }, count));
        }
        drop(rows);
        drop(statement);
        transaction.commit()?;
        Ok(counted)
    }
}

fn text_at<'r>(row: &'r Row<'_>, at: usize) -> rusqlite::Result<Option<&'r str>> {
    Ok(row.get_ref(at)?.as_str_or_null()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::StreamFilter;
    use crate::index::reader::testing::{Index, assert_plans};
    use crate::index::testing::{at, pushed};

    fn query(from_secs: i64, until_secs: i64) -> StopQuery {
        StopQuery { from_ms: at(from_secs), until_ms: at(until_secs), ..StopQuery::default() }
    }

    #[test]
    fn ends_in_a_time_are_counted() {
        let mut index = Index::new();
        for (stream, sequence, secs) in
            [("a.com/live/s", "1", 0..100), ("a.com/live/s", "2", 50..150), ("b.com/live/t", "3", 120..160)]
        {
            index.add(&pushed(stream, sequence, secs));
        }
        let counts = |query: &StopQuery| {
            let counts = index.reader().stop_counts(query).unwrap();
            assert_eq!(counts.reasons.iter().map(|(_, count)| count).sum::<usize>(), counts.ends.len());
            assert!(!counts.is_cut && counts.ends.is_sorted_by(|one, other| one.0 >= other.0));
            counts.ends.len()
        };
        assert_eq!([counts(&query(0, 600)), counts(&query(100, 150)), counts(&query(150, 160))], [3, 1, 1]);
        let streams = StreamFilter { text: "B.com".to_owned(), ..StreamFilter::default() };
        assert_eq!(counts(&StopQuery { streams, ..query(0, 600) }), 1);
    }

    #[test]
    fn plan_of_stop_counts() {
        assert_plans(&["SCAN streams"], |reader| {
            let streams = StreamFilter { text: "s".to_owned(), ..StreamFilter::default() };
            assert_eq!(reader.stop_counts(&StopQuery { streams, ..query(0, 600) }).unwrap().ends.len(), 1);
        });
    }
}
