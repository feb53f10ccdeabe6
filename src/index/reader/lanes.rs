//! The lanes of the time line: which streams were on in a time, each with its sessions.
//!
//! Every step is bounded: a page of lanes is found from the newest start back, and no more rows are read than the limits here say. A
//! page says if it may lack something for that reason. Only the number of stretches in which a lane is searched grows with all
//! sessions: one for 65,536 of them.

use std::cmp::Reverse;
use std::collections::HashSet;

use rusqlite::params;

use super::Reader;
use super::earlier_sessions::EarlierSessions;
use super::lane_filter::LaneFilter;
use super::open::limit_of;
use crate::callback::StreamSelection;
use crate::index::IndexError;
use crate::index::lane_views::{Lane, LanePage, LaneQuery, LaneSession};
use crate::index::stored_session::StoredSession;
use crate::session::StreamKey;

/// How many sessions are searched for the streams of a page.
const SEARCHED_MAX: usize = 20_000;

/// How many of a stream's newest sessions before the time are searched for ones that reach into it. They may be missing among the
/// [`EarlierSessions`], if there are too many.
const NEWEST_MAX: usize = 20;

/// How many sessions all lanes of a page have together, about.
const PAGE_SESSIONS_MAX: usize = 10_000;

/// How many sessions a lane has at most, and how many it always has room for.
const LANE_SESSIONS_MAX: usize = 1000;
const LANE_SESSIONS_MIN: usize = 50;

/// The streams found so far, by their rows and in the order of the page.
#[derive(Default)]
struct Found {
    streams: Vec<i64>,
    known: HashSet<i64>,
    /// Whether rows were left unread, so that a stream may be missing.
    is_cut: bool,
}

impl Found {
    fn add(&mut self, stream: i64) {
        if self.known.insert(stream) {
            self.streams.push(stream);
        }
    }

    /// Adds the streams of some sessions, each with the session's start.
    fn add_newest_first(&mut self, mut starts: Vec<(i64, i64)>) {
        starts.sort_unstable_by_key(|start| Reverse(*start));
        starts.into_iter().for_each(|(_, stream)| self.add(stream));
    }
}

impl Reader {
    /// The streams that were on in a time, as they are at `now_ms` (Unix ms). The stream whose push is the newest comes first.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn lanes(&self, query: &LaneQuery, now_ms: i64) -> Result<LanePage, IndexError> {
        // A transaction, so that all statements see the index between the same two batches.
        let transaction = self.connection.unchecked_transaction()?;
        let filter = LaneFilter::of(self, query)?;
        let earlier = self.earlier_sessions(query, &filter, now_ms)?;
        let found = match filter.few_streams() {
            Some(streams) => self.lanes_of(streams, query, &earlier, now_ms)?,
            None => self.newest_lanes(query, &filter, &earlier)?,
        };
        let has_more = found.streams.len() > query.skip.saturating_add(query.limit);
        let mut lanes = Vec::new();
        let mut left = PAGE_SESSIONS_MAX;
        for stream in found.streams.into_iter().skip(query.skip).take(query.limit) {
            let limit = left.clamp(LANE_SESSIONS_MIN, LANE_SESSIONS_MAX);
            let lane = self.lane(stream, query, &earlier, limit, now_ms)?;
            left = left.saturating_sub(lane.sessions.len());
            lanes.push(lane);
        }
        transaction.commit()?;
        Ok(LanePage { lanes, has_more, is_cut: found.is_cut, bridge_gap_ms: self.settings.bridge_gap_ms })
    }

    /// The lane of one stream in a time, from the first of two moments (Unix ms) to the second. Without such a stream, no lane.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn lane_of(&self, key: &StreamKey, time: (i64, i64), now_ms: i64) -> Result<LanePage, IndexError> {
        let transaction = self.connection.unchecked_transaction()?;
        let selection = StreamSelection { key: Some(key.clone()), ..StreamSelection::default() };
        let query = LaneQuery { from_ms: time.0, until_ms: time.1, ..LaneQuery::default() };
        let streams = self.streams_by_name(&selection)?.unwrap_or_default();
        let earlier = self.earlier_sessions(&query, &LaneFilter::of_streams(&query, &streams), now_ms)?;
        let lanes = streams.into_iter().map(|stream| self.lane(stream, &query, &earlier, LANE_SESSIONS_MAX, now_ms));
        let lanes = lanes.collect::<Result<Vec<_>, _>>()?;
        transaction.commit()?;
        Ok(LanePage { lanes, bridge_gap_ms: self.settings.bridge_gap_ms, ..LanePage::default() })
    }

    /// Which of a few streams were on.
    fn lanes_of(
        &self,
        streams: impl Iterator<Item = i64>,
        query: &LaneQuery,
        earlier: &EarlierSessions,
        now_ms: i64,
    ) -> Result<Found, IndexError> {
        let mut starts = earlier.starts.clone();
        for stream in streams {
            let newest = self.newest_sessions(stream, (i64::MIN, query.until_ms), NEWEST_MAX)?;
            // The newest start comes first.
            let reaching = newest.iter().find(|stored| self.until_ms(stored, now_ms) >= query.from_ms);
            starts.extend(reaching.map(|stored| (stored.session.started_ms(), stream)));
        }
        let mut found = Found::default();
        found.add_newest_first(starts);
        Ok(found)
    }

    /// As many of the newest streams as the page and the question for a next page need.
    fn newest_lanes(
        &self,
        query: &LaneQuery,
        filter: &LaneFilter<'_>,
        earlier: &EarlierSessions,
    ) -> Result<Found, IndexError> {
        let wanted = query.skip.saturating_add(query.limit).saturating_add(1);
        let mut found = Found::default();
        let (index, category) = match query.category {
            Some(_) => ("sessions_by_reason", "reason_category = ?3"),
            None => ("sessions_by_start", "?3 IS NULL"),
        };
        let text = format!(
            "SELECT stream, reason_category, stop_errcode, push_node FROM sessions INDEXED BY {index}
             WHERE {category} AND started_ms >= ?1 AND started_ms < ?2
             ORDER BY started_ms DESC LIMIT ?4"
        );
        let mut statement = self.connection.prepare_cached(&text)?;
        let label = query.category.map(|category| category.label());
        let mut rows = statement.query(params![query.from_ms, query.until_ms, label, limit_of(SEARCHED_MAX)])?;
        let mut searched = 0;
        while found.streams.len() < wanted {
            let Some(row) = rows.next()? else { break };
            searched += 1;
            let stream = row.get(0)?;
            if !found.known.contains(&stream) && filter.takes(stream, row)? {
                found.add(stream);
            }
        }
        found.is_cut = searched == SEARCHED_MAX;
        if found.streams.len() < wanted && !found.is_cut {
            found.add_newest_first(earlier.starts.clone());
            found.is_cut = earlier.is_cut;
        }
        Ok(found)
    }

    fn lane(
        &self,
        stream: i64,
        query: &LaneQuery,
        earlier: &EarlierSessions,
        limit: usize,
        now_ms: i64,
    ) -> Result<Lane, IndexError> {
        let mut sessions = self.newest_sessions(stream, (query.from_ms, query.until_ms), limit)?;
        // The newest ones are read, so what is missing is before the earliest of them.
        let earliest = sessions.last().filter(|_| sessions.len() == limit);
        let complete_from_ms = earliest.map(|stored| stored.session.started_ms());
        if complete_from_ms.is_none() {
            let newest = self.newest_sessions(stream, (i64::MIN, query.from_ms), NEWEST_MAX)?;
            sessions.extend(newest.into_iter().filter(|stored| self.until_ms(stored, now_ms) >= query.from_ms));
        }
        for number in earlier.of_stream(stream).iter().take(limit) {
            if !sessions.iter().any(|known| known.number == *number) {
                sessions.extend(self.stored_session(*number)?);
            }
        }
        sessions.reverse();
        sessions.sort_by_key(|stored| stored.session.started_ms());
        let key = self.stream_key(stream)?;
        let sessions = sessions.into_iter().map(|stored| self.lane_session(&key, &stored, now_ms)).collect();
        Ok(Lane {
            domain: key.domain().into_owned(),
            app_name: key.app_name().into_owned(),
            stream: key.stream().into_owned(),
            sessions,
            complete_from_ms,
        })
    }

    /// When a session was last on, see [`Session::until_ms`](crate::session::Session::until_ms).
    fn until_ms(&self, stored: &StoredSession, now_ms: i64) -> i64 {
        stored.session.until_ms(now_ms, self.settings.stale_after_ms)
    }

    fn lane_session(&self, key: &StreamKey, stored: &StoredSession, now_ms: i64) -> LaneSession {
        let session = &stored.session;
        LaneSession {
            id: key.session(&stored.sequence),
            started_ms: session.started_ms(),
            until_ms: self.until_ms(stored, now_ms),
            state: session.state(now_ms, self.settings.stale_after_ms),
            reason: session.reason(),
            user_address: session.user_address().map(str::to_owned),
        }
    }
}

#[cfg(test)]
mod tests;
