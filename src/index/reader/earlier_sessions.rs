//! The sessions that reach into a time from before it, for the lanes of the time line.
//!
//! Any number of newer sessions of the same stream may have ended before the time, so these are not found among the newest ones of
//! their streams: a backup push can come and go many times next to the main push.

use std::collections::HashMap;

use rusqlite::params;

use super::Reader;
use super::lane_filter::LaneFilter;
use super::open::limit_of;
use crate::index::IndexError;
use crate::index::lane_views::LaneQuery;
use crate::index::stored_session::OPEN_SESSIONS;

/// How many ended sessions are searched for ones that reach into the time.
const SEARCHED_MAX: usize = 20_000;

/// The sessions that reach into the time of a query.
#[derive(Default)]
pub(super) struct EarlierSessions {
    /// Their rows, by the rows of their streams.
    numbers: HashMap<i64, Vec<i64>>,
    /// The start and the stream of each one that the filter takes.
    pub(super) starts: Vec<(i64, i64)>,
    /// Whether ended sessions were left unread, so that some may be missing.
    pub(super) is_cut: bool,
}

impl EarlierSessions {
    /// The rows of the sessions of a stream.
    pub(super) fn of_stream(&self, stream: i64) -> &[i64] {
        self.numbers.get(&stream).map_or(&[], Vec::as_slice)
    }

    fn add(&mut self, stream: i64, number: i64) {
        self.numbers.entry(stream).or_default().push(number);
    }
}

impl Reader {
    /// Finds the sessions of the streams of a filter that started before the time and reach into it. The ones without an end may
    /// have started in it. The caller holds a transaction.
    pub(super) fn earlier_sessions(
        &self,
        query: &LaneQuery,
        filter: &LaneFilter<'_>,
        now_ms: i64,
    ) -> Result<EarlierSessions, IndexError> {
        let mut earlier = EarlierSessions::default();
        // Reading the node needs the row, so the covering index serves only without it.
        let node = if query.node.is_some() { "push_node" } else { "NULL" };
        let text = format!(
            "SELECT stream, number, started_ms, NULL AS reason_category, NULL AS stop_errcode, {node} AS push_node
             FROM {OPEN_SESSIONS} WHERE ended_ms IS NULL AND started_ms < ?1 AND last_ms >= ?2 ORDER BY started_ms DESC"
        );
        let mut statement = self.connection.prepare_cached(&text)?;
        let mut rows = statement.query([query.until_ms, query.from_ms.min(self.live_since_ms(now_ms))])?;
        while let Some(row) = rows.next()? {
            let stream = row.get(0)?;
            if filter.has(stream) {
                earlier.add(stream, row.get(1)?);
            }
            if filter.takes(stream, row)? {
                earlier.starts.push((row.get(2)?, stream));
            }
        }
        // Sessions that reach into the time mostly end soon after its beginning. So the search begins there.
        let text = "SELECT stream, number, started_ms, reason_category, stop_errcode, push_node FROM sessions
            INDEXED BY sessions_by_end WHERE ended_ms >= ?1 ORDER BY ended_ms LIMIT ?2";
        let mut statement = self.connection.prepare_cached(text)?;
        let mut rows = statement.query(params![query.from_ms, limit_of(SEARCHED_MAX)])?;
        let mut searched = 0;
        while let Some(row) = rows.next()? {
            searched += 1;
            let (stream, started_ms): (i64, i64) = (row.get(0)?, row.get(2)?);
            if started_ms < query.from_ms && filter.has(stream) {
                earlier.add(stream, row.get(1)?);
                if filter.takes(stream, row)? {
                    earlier.starts.push((started_ms, stream));
                }
            }
        }
        earlier.is_cut = searched == SEARCHED_MAX;
        Ok(earlier)
    }
}
