//! Pages of live streams for people: by a part of the name, sorted, and counted.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::Reader;
use crate::index::IndexError;
use crate::index::query::{LiveQuery, LiveSort, Order};
use crate::index::views::LivePage;

impl Reader {
    /// Returns a page of the streams that are live at `now_ms` (Unix ms), and how many there are.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn live_page(&self, query: &LiveQuery, now_ms: i64) -> Result<LivePage, IndexError> {
        // A transaction, so that all statements see the index between the same two batches.
        let transaction = self.connection.unchecked_transaction()?;
        let live = self.live_streams(now_ms)?;
        let live_count = live.len();
        let text = query.text.to_lowercase();
        // The usual page needs only the names of its own streams.
        let needs_keys = !text.is_empty() || query.sort == LiveSort::Name;
        let mut keys = if needs_keys { self.live_keys(now_ms)? } else { HashMap::new() };
        let mut found = Vec::with_capacity(live_count);
        for (stream, live) in live {
            let key =
                needs_keys.then(|| keys.remove(&stream).map_or_else(|| self.stream_key(stream), Ok)).transpose()?;
            if key.as_ref().is_none_or(|key| text.is_empty() || key.has_text(&text)) {
                found.push((key, stream, live));
            }
        }
        let matching = found.len();
        match (query.sort, query.order) {
            (LiveSort::Name, Order::Ascending) => found.sort_by(|one, other| one.0.cmp(&other.0)),
            (LiveSort::Name, Order::Descending) => found.sort_by(|one, other| other.0.cmp(&one.0)),
            (LiveSort::Since, Order::Ascending) => found.sort_by_key(|(_, stream, live)| (live.since_ms, *stream)),
            (LiveSort::Since, Order::Descending) => {
                found.sort_by_key(|(_, stream, live)| Reverse((live.since_ms, *stream)));
            }
        }
        let page = found.into_iter().skip(query.skip).take(query.limit);
        let streams = page.map(|(key, stream, live)| {
            let key = key.map_or_else(|| self.stream_key(stream), Ok)?;
            self.stream_view(stream, &key, &live)
        });
        let streams = streams.collect::<Result<Vec<_>, IndexError>>()?;
        transaction.commit()?;
        Ok(LivePage { live: live_count, matching, streams })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::reader::testing::{Index, assert_plans};
    use crate::index::testing::NOW_MS;
    use crate::session::testing::{push, stop};

    fn page(index: &Index, query: &LiveQuery) -> (usize, usize, Vec<String>) {
        let page = index.reader().live_page(query, NOW_MS).unwrap();
        (page.live, page.matching, page.streams.into_iter().map(|stream| stream.stream).collect())
    }

    #[test]
    fn page_is_searched_sorted_and_counted() {
        let index = Index::of(&[
            push("a.com/live/Beta", "1", 601),
            push("a.com/live/alpha", "2", 602),
            push("b.com/show/gamma", "3", 603),
            push("b.com/show/gone", "4", 604),
            stop("b.com/show/gone", "4", 605),
        ]);
        let all = LiveQuery { limit: 10, ..LiveQuery::default() };
        assert_eq!(page(&index, &all), (3, 3, vec!["gamma".into(), "alpha".into(), "Beta".into()]));
        let oldest = LiveQuery { order: Order::Ascending, limit: 1, ..LiveQuery::default() };
        assert_eq!(page(&index, &oldest), (3, 3, vec!["Beta".into()]));
        let by_name = LiveQuery { sort: LiveSort::Name, order: Order::Ascending, skip: 1, ..all.clone() };
        assert_eq!(page(&index, &by_name), (3, 3, vec!["alpha".into(), "gamma".into()]));
        for (text, count) in [("BETA", 1), ("b.com/show", 1), ("live/", 2), ("gone", 0), ("%", 0)] {
            let query = LiveQuery { text: text.to_owned(), ..all.clone() };
            assert_eq!(page(&index, &query).1, count, "{text}");
        }
    }

    #[test]
    fn plan_of_a_page() {
        assert_plans(&["COVERING INDEX open_sessions"], |reader| {
            let query = LiveQuery { text: "s".to_owned(), limit: 10, ..LiveQuery::default() };
            assert_eq!(reader.live_page(&query, NOW_MS).unwrap().streams.len(), 1);
        });
    }
}
