//! Broadcasts: sessions of one stream with short gaps between them.

use std::collections::HashMap;

use rusqlite::params_from_iter;
use rusqlite::types::Value;

use super::Reader;
use super::conditions::Conditions;
use super::stream_names::Names;
use crate::index::IndexError;
use crate::index::query::BroadcastQuery;
use crate::index::session_stretches::{self, SESSIONS_OF_STREAM};
use crate::index::stored_session::OPEN_SESSIONS;
use crate::index::views::BroadcastView;
use crate::moment::{Moment, TimeRange};
use crate::session::{Broadcast, Span, State, broadcasts};

/// How many streams and broadcasts are remembered together. Few in unit tests, so that some are forgotten.
const KNOWN_MAX: usize = if cfg!(test) { 3 } else { 100_000 };

/// The broadcasts of a stream by the row of their first session, each with the row of its last session.
type StreamBroadcasts = HashMap<i64, (Broadcast, i64)>;

/// The broadcasts of the streams that a query has met, by the row of the stream.
#[derive(Default)]
struct KnownBroadcasts {
    streams: HashMap<i64, StreamBroadcasts>,
    /// How many streams and broadcasts these are.
    count: usize,
}

impl KnownBroadcasts {
    /// Adds the broadcasts of a stream. If there are too many, forgets the other streams, which are then read again.
    fn add(&mut self, stream: i64, broadcasts: StreamBroadcasts) {
        self.count += 1 + broadcasts.len();
        if self.count > KNOWN_MAX {
            self.streams.clear();
            self.count = 1 + broadcasts.len();
        }
        self.streams.insert(stream, broadcasts);
    }
}

impl Reader {
    /// The broadcasts that match, as they are at `now_ms` (Unix ms). The latest start comes first.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn broadcasts(&self, query: &BroadcastQuery, now_ms: i64) -> Result<Vec<BroadcastView>, IndexError> {
        // A transaction, so that all statements see the index between the same two batches.
        let transaction = self.connection.unchecked_transaction()?;
        let streams = self.streams_by_name(&query.selection)?;
        let mut wheres = Conditions::default();
        let mut table = "sessions";
        if streams.is_some() || query.states == [State::Live] {
            wheres.text(session_stretches::stretches_of(&transaction, query.started)?);
            table = SESSIONS_OF_STREAM;
        }
        if let Some(streams) = &streams {
            wheres.any_of("stream", streams.iter().map(|stream| Value::from(*stream)));
        }
        wheres.started_in(query.started);
        if query.states == [State::Live] {
            // Only live streams have a live broadcast, and they are few.
            let live_since_ms = self.live_since_ms(now_ms);
            wheres.text(format!(
                "stream IN (SELECT stream FROM {OPEN_SESSIONS} WHERE ended_ms IS NULL AND last_ms >= {live_since_ms})"
            ));
        }
        if let Some((started_ms, number)) = query.after {
            wheres.text(format!("(started_ms, number) < ({started_ms}, {number})"));
        }
        let text = format!(
            "SELECT stream, started_ms, number FROM {table} {} ORDER BY started_ms DESC, number DESC",
            wheres.joined()
        );
        let mut names = Names::new(self, &query.selection, streams.is_some());
        let mut known = KnownBroadcasts::default();
        let mut views = Vec::new();
        let mut statement = self.connection.prepare(&text)?;
        let mut rows = statement.query(params_from_iter(wheres.values))?;
        while let Some(row) = rows.next()? {
            let (stream, number): (i64, i64) = (row.get(0)?, row.get(2)?);
            if views.len() == query.limit {
                break;
            }
            if !names.is_selected(stream)? {
                continue;
            }
            if !known.streams.contains_key(&stream) {
                known.add(stream, self.stream_broadcasts(stream, &query.states, now_ms)?);
            }
            // Only the first session of a broadcast stands for it.
            if let Some((broadcast, last)) = known.streams.get(&stream).and_then(|of_stream| of_stream.get(&number)) {
                views.push(self.broadcast_view(stream, broadcast, number, *last)?);
            }
        }
        drop(rows);
        drop(statement);
        transaction.commit()?;
        Ok(views)
    }

    /// The broadcasts of a stream in one of these states; in any state if no state is given.
    fn stream_broadcasts(&self, stream: i64, states: &[State], now_ms: i64) -> Result<StreamBroadcasts, IndexError> {
        // Sessions that start at the same time are sorted by sequence, not by arrival. So every index of the same events has the
        // same first and last session of a broadcast.
        let stretches = session_stretches::stretches_of(&self.connection, TimeRange::default())?;
        let query = format!(
            "SELECT number, started_ms, ended_ms, last_ms FROM {SESSIONS_OF_STREAM} WHERE {stretches} AND stream = ?1
             ORDER BY started_ms, sequence"
        );
        let live_since_ms = self.live_since_ms(now_ms);
        let mut statement = self.connection.prepare_cached(&query)?;
        let rows = statement.query_map([stream], |row| {
            let (started_ms, ended_ms, last_ms): (i64, Option<i64>, i64) = (row.get(1)?, row.get(2)?, row.get(3)?);
            let (until_ms, state) = match ended_ms {
                Some(ended_ms) => (ended_ms, State::Ended),
                None if last_ms < live_since_ms => (last_ms, State::Stale),
                None => (i64::MAX, State::Live),
            };
            Ok((row.get(0)?, Span { started_ms, until_ms, state }))
        })?;
        let sessions = rows.collect::<rusqlite::Result<Vec<(i64, Span)>>>()?;
        let spans: Vec<Span> = sessions.iter().map(|(_, span)| *span).collect();
        let row_of = |position: usize| sessions.get(position).map_or(0, |(number, _)| *number);
        let broadcasts = broadcasts(&spans, self.settings.bridge_gap_ms).into_iter();
        let matching = broadcasts.filter(|broadcast| states.is_empty() || states.contains(&broadcast.state));
        let by_first = matching.map(|broadcast| {
            let (first, last) = (row_of(broadcast.first), row_of(broadcast.first + broadcast.count - 1));
            (first, (broadcast, last))
        });
        Ok(by_first.collect())
    }

    fn broadcast_view(
        &self,
        stream: i64,
        broadcast: &Broadcast,
        first: i64,
        last: i64,
    ) -> Result<BroadcastView, IndexError> {
        let key = self.stream_key(stream)?;
        let sequence = |number: i64| -> Result<String, IndexError> {
            let query = "SELECT sequence FROM sessions WHERE number = ?1";
            Ok(self.connection.prepare_cached(query)?.query_row([number], |row| row.get(0))?)
        };
        Ok(BroadcastView {
            domain: key.domain().into_owned(),
            app_name: key.app_name().into_owned(),
            stream: key.stream().into_owned(),
            state: broadcast.state,
            started: Moment(broadcast.started_ms),
            ended: (broadcast.state != State::Live).then_some(Moment(broadcast.until_ms)),
            duration_ms: (broadcast.state == State::Ended)
                .then(|| broadcast.until_ms.saturating_sub(broadcast.started_ms)),
            sessions: broadcast.count,
            interruptions: broadcast.interruptions,
            longest_gap_ms: broadcast.longest_gap_ms,
            gaps_ms: broadcast.gaps_ms,
            first_session: key.session(&sequence(first)?),
            last_session: key.session(&sequence(last)?),
            place: (broadcast.started_ms, first),
        })
    }
}

#[cfg(test)]
mod tests;
