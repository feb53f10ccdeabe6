//! Sessions, live and past.

use std::cmp::Reverse;

use rusqlite::types::Value;
use rusqlite::{OptionalExtension, params_from_iter};

use super::Reader;
use super::conditions::Conditions;
use super::open::limit_of;
use super::stream_names::Names;
use crate::index::IndexError;
use crate::index::query::{Order, SessionQuery, Sort};
use crate::index::sequences::SESSIONS_OF_SEQUENCE;
use crate::index::session_stretches::{self, SESSIONS_OF_STREAM};
use crate::index::stored_session::{OPEN_SESSIONS, SESSION_COLUMNS, StoredSession};
use crate::index::views::{ReasonView, SessionView};
use crate::moment::Moment;
use crate::session::{SessionId, State, StreamKey};

/// In a list by duration, the place of a live session that started at time 0: above all sessions that have ended. No start is
/// so late that its session would fall below these.
pub(super) const LONGEST: i64 = 1 << 62;

/// How many records are searched for the stops that came last.
const RECENT_RECORDS: i64 = 20_000;

impl Reader {
    /// The sessions that match, as they are at `now_ms` (Unix ms).
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn sessions(&self, query: &SessionQuery, now_ms: i64) -> Result<Vec<SessionView>, IndexError> {
        // A transaction, so that all statements see the index between the same two batches.
        let transaction = self.connection.unchecked_transaction()?;
        let streams = self.streams_by_name(&query.selection)?;
        let (text, values) = self.sessions_sql(query, streams.as_deref(), now_ms)?;
        let mut names = Names::new(self, &query.selection, streams.is_some());
        let mut views = Vec::new();
        let mut statement = self.connection.prepare(&text)?;
        let mut rows = statement.query(params_from_iter(values))?;
        while let Some(row) = rows.next()? {
            // Not `LIMIT`: rows whose stream is not selected are skipped here, and must not count.
            if views.len() == query.limit {
                break;
            }
            if !names.is_selected(row.get("stream")?)? {
                continue;
            }
            let stored = StoredSession::read(row)?;
            let place = (row.get("sorted")?, stored.number);
            let key = self.stream_key(stored.stream)?;
            views.push(self.session_view(&key, stored, place, now_ms)?);
        }
        drop(rows);
        drop(statement);
        transaction.commit()?;
        Ok(views)
    }

    fn sessions_sql(
        &self,
        query: &SessionQuery,
        streams: Option<&[i64]>,
        now_ms: i64,
    ) -> Result<(String, Vec<Value>), IndexError> {
        let live_since_ms = self.live_since_ms(now_ms);
        let mut wheres = Conditions::default();
        let mut table = "sessions";
        if let Some(streams) = streams {
            wheres.text(session_stretches::stretches_of(&self.connection, query.started)?);
            wheres.any_of("stream", streams.iter().map(|stream| Value::from(*stream)));
            table = SESSIONS_OF_STREAM;
        }
        if !query.states.is_empty() {
            let states = query.states.iter().map(|state| match state {
                State::Live => format!("(ended_ms IS NULL AND last_ms >= {live_since_ms})"),
                State::Stale => format!("(ended_ms IS NULL AND last_ms < {live_since_ms})"),
                State::Ended => "ended_ms IS NOT NULL".to_owned(),
            });
            wheres.text(format!("({})", states.collect::<Vec<_>>().join(" OR ")));
            if !query.states.contains(&State::Ended) {
                // SQLite uses the index of open sessions only if it reads this.
                wheres.text("ended_ms IS NULL".to_owned());
                if streams.is_none() {
                    table = OPEN_SESSIONS;
                }
            }
        }
        if !query.categories.is_empty() {
            let labels = query.categories.iter().map(|category| Value::from(category.label().to_owned()));
            wheres.any_of("reason_category", labels);
        }
        wheres.started_in(query.started);
        let sorted = match query.sort {
            Sort::Started => "started_ms".to_owned(),
            Sort::Ended => "coalesce(ended_ms, 9223372036854775807)".to_owned(),
            // Live sessions get longer from page to page. Their order must not change, so it is the order of their starts.
            Sort::Duration => format!(
                "CASE WHEN ended_ms IS NULL AND last_ms >= {live_since_ms} THEN {LONGEST} - started_ms
                      ELSE coalesce(duration_ms, -1) END"
            ),
        };
        let (direction, comparison) = match query.order {
            Order::Descending => ("DESC", "<"),
            Order::Ascending => ("ASC", ">"),
        };
        if let Some((value, number)) = query.after {
            wheres.text(format!("({sorted}, number) {comparison} ({value}, {number})"));
        }
        let (limit, found) = (limit_of(query.limit), wheres.joined());
        let text = match streams {
            None => format!(
                "SELECT {SESSION_COLUMNS}, {sorted} AS sorted FROM {table} {found}
                 ORDER BY {sorted} {direction}, number {direction}"
            ),
            // A stream may have very many sessions in several stretches, and each is sorted. So the rows of one page are read only
            // after that.
            Some(_) => format!(
                "SELECT {SESSION_COLUMNS}, sorted FROM (
                    SELECT number AS found, {sorted} AS sorted FROM {table} {found}
                    ORDER BY {sorted} {direction}, number {direction} LIMIT {limit}
                 ) CROSS JOIN sessions ON number = found ORDER BY sorted {direction}, number {direction}"
            ),
        };
        Ok((text, wheres.values))
    }

    /// One session, as it is at `now_ms`.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn session(&self, id: &SessionId, now_ms: i64) -> Result<Option<SessionView>, IndexError> {
        let found = self.sessions_of_sequence(id.sequence(), now_ms)?;
        Ok(found.into_iter().find(|session| session.id == *id))
    }

    /// The sessions of a sequence: one, unless two streams share it.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn sessions_of_sequence(&self, sequence: &str, now_ms: i64) -> Result<Vec<SessionView>, IndexError> {
        let transaction = self.connection.unchecked_transaction()?;
        let query = format!("SELECT {SESSION_COLUMNS} FROM {SESSIONS_OF_SEQUENCE} ORDER BY number");
        let mut statement = self.connection.prepare_cached(&query)?;
        let stored = statement.query_map([sequence], StoredSession::read)?.collect::<rusqlite::Result<Vec<_>>>()?;
        let views = self.session_views(stored, now_ms)?;
        drop(statement);
        transaction.commit()?;
        Ok(views)
    }

    /// The sessions whose stops were received last, newest first: at most `limit`. Only the newest 20,000 records are searched.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn recently_ended(&self, limit: usize, now_ms: i64) -> Result<Vec<SessionView>, IndexError> {
        let transaction = self.connection.unchecked_transaction()?;
        // By their receipt and not by their end, because a person who watches wants to see a stop that came late.
        let query = format!(
            "SELECT {SESSION_COLUMNS} FROM sessions WHERE number IN (
                SELECT session FROM events WHERE event_type = 0 AND session IS NOT NULL
                    AND offset > (SELECT max(offset) FROM events) - {RECENT_RECORDS} ORDER BY offset DESC LIMIT ?1
             )"
        );
        let mut statement = self.connection.prepare_cached(&query)?;
        let stored =
            statement.query_map([limit_of(limit)], StoredSession::read)?.collect::<rusqlite::Result<Vec<_>>>()?;
        let mut views = self.session_views(stored, now_ms)?;
        drop(statement);
        transaction.commit()?;
        views.sort_by_key(|view| Reverse((view.ended, view.place)));
        Ok(views)
    }

    /// The views of some rows, in their order. The caller holds a transaction.
    fn session_views(&self, rows: Vec<StoredSession>, now_ms: i64) -> Result<Vec<SessionView>, IndexError> {
        let views = rows.into_iter().map(|stored| {
            let key = self.stream_key(stored.stream)?;
            let place = (stored.session.started_ms(), stored.number);
            self.session_view(&key, stored, place, now_ms)
        });
        views.collect()
    }

    fn session_view(
        &self,
        key: &StreamKey,
        stored: StoredSession,
        place: (i64, i64),
        now_ms: i64,
    ) -> Result<SessionView, IndexError> {
        let (recordings, screenshots) = self.media(&stored, now_ms)?;
        let anomalies = self.anomalies(stored.number)?;
        let session = &stored.session;
        let errmsg = session.reason_text().map(str::to_owned);
        let size = session.size();
        Ok(SessionView {
            id: key.session(&stored.sequence),
            state: session.state(now_ms, self.settings.stale_after_ms),
            domain: key.domain().into_owned(),
            app_name: key.app_name().into_owned(),
            stream: key.stream().into_owned(),
            appid: session.appid(),
            started: Moment(session.started_ms()),
            ended: session.ended_ms().map(Moment),
            duration_ms: session.duration_ms(),
            reason: session.reason().map(|reason| ReasonView { reason, errmsg }),
            user_address: session.user_address().map(str::to_owned),
            node: session.node().map(str::to_owned),
            width: size.map(|(width, _)| width),
            height: size.map(|(_, height)| height),
            first_event: Moment(session.first_ms()),
            last_event: Moment(session.last_ms()),
            push_event_id: session.push.as_ref().map(|(id, _)| *id),
            stop_event_id: session.stop.as_ref().map(|(id, _)| *id),
            manual_end_event_id: session.manual_end.as_ref().map(|(id, _)| *id),
            anomalies,
            recordings,
            screenshots,
            sequence: stored.sequence,
            place,
        })
    }

    /// The session of a row; `None` if there is none.
    pub(super) fn stored_session(&self, number: i64) -> rusqlite::Result<Option<StoredSession>> {
        let query = format!("SELECT {SESSION_COLUMNS} FROM sessions WHERE number = ?1");
        self.connection.prepare_cached(&query)?.query_row([number], StoredSession::read).optional()
    }

    pub(super) fn anomalies(&self, session: i64) -> Result<i64, IndexError> {
        let query = "SELECT anomalies + (SELECT count(*) FROM events WHERE session = ?1 AND event_type = 321)
            FROM sessions WHERE number = ?1";
        Ok(self.connection.prepare_cached(query)?.query_row([session], |row| row.get(0))?)
    }
}

#[cfg(test)]
mod tests;
