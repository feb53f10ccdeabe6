//! Sessions, live and past, and their events.

use rusqlite::types::Value;
use rusqlite::{Row, params, params_from_iter};

use super::conditions::{Conditions, Names};
use super::media::{RECORDINGS, SCREENSHOTS};
use super::{Reader, limit_of};
use crate::callback::{EventId, EventType};
use crate::index::IndexError;
use crate::index::query::{Order, SessionQuery, Sort};
use crate::index::rows::{OPEN_SESSIONS, SESSION_COLUMNS, StoredSession, read_event_id};
use crate::index::view::{ReasonView, SessionView};
use crate::journal::Offset;
use crate::moment::Moment;
use crate::session::{SessionId, State, StreamKey};

/// How many of a session's events are given at most, of those that name it and of its recordings and screenshots each.
pub const SESSION_EVENTS_MAX: usize = 10_000;

/// By duration, the place of a session that is live and started at 0: above all that are over. No start is so far from 0
/// that it would come down to them.
pub(super) const LONGEST: i64 = 1 << 62;

impl Reader {
    /// The sessions that are wanted, as they are at `now_ms`.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn sessions(&self, query: &SessionQuery, now_ms: i64) -> Result<Vec<SessionView>, IndexError> {
        let transaction = self.connection.unchecked_transaction()?;
        let streams = self.streams_by_name(&query.selection)?;
        let (text, values) = self.sessions_sql(query, streams.as_deref(), now_ms);
        let mut names = Names::new(self, &query.selection, streams.is_some());
        let mut views = Vec::new();
        let mut statement = self.connection.prepare(&text)?;
        let mut rows = statement.query(params_from_iter(values))?;
        while let Some(row) = rows.next()? {
            if views.len() == query.limit {
                break;
            }
            if !names.take(row.get("stream")?)? {
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

    fn sessions_sql(&self, query: &SessionQuery, streams: Option<&[i64]>, now_ms: i64) -> (String, Vec<Value>) {
        let live_since_ms = self.live_since_ms(now_ms);
        let mut wheres = Conditions::default();
        let mut table = "sessions";
        if let Some(streams) = streams {
            wheres.any_of("stream", streams.iter().map(|stream| Value::from(*stream)));
        }
        if !query.states.is_empty() {
            let states = query.states.iter().map(|state| match state {
                State::Live => format!("(ended_ms IS NULL AND last_ms >= {live_since_ms})"),
                State::Stale => format!("(ended_ms IS NULL AND last_ms < {live_since_ms})"),
                State::Ended => "ended_ms IS NOT NULL".to_owned(),
            });
            wheres.text(format!("({})", states.collect::<Vec<_>>().join(" OR ")));
            if !query.states.contains(&State::Ended) {
                // Said once more, so that the index of those that are open is found to fit.
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
        wheres.times(query.since_ms, query.until_ms);
        let sorted = match query.sort {
            Sort::Started => "started_ms".to_owned(),
            Sort::Ended => "coalesce(ended_ms, 9223372036854775807)".to_owned(),
            // Those that are live all last longer from page to page: what orders them must stand still, and that is their start.
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
        let text = format!(
            "SELECT {SESSION_COLUMNS}, {sorted} AS sorted FROM {table} {wheres} ORDER BY {sorted} {direction}, number {direction}",
            wheres = wheres.joined()
        );
        (text, wheres.values)
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
        let query = format!("SELECT {SESSION_COLUMNS} FROM sessions WHERE sequence = ?1 ORDER BY number");
        let mut statement = self.connection.prepare_cached(&query)?;
        let stored = statement.query_map([sequence], StoredSession::read)?.collect::<rusqlite::Result<Vec<_>>>()?;
        let views = stored.into_iter().map(|stored| {
            let key = self.stream_key(stored.stream)?;
            let place = (stored.session.started_ms(), stored.number);
            self.session_view(&key, stored, place, now_ms)
        });
        let views = views.collect::<Result<Vec<_>, _>>()?;
        drop(statement);
        transaction.commit()?;
        Ok(views)
    }

    /// Where the events of a session stand, in the order of their times, a push first and a stop last among equals: those
    /// that name it, and the recordings and screenshots of its stream of that time. Only those that the journal may have
    /// still.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn session_events(&self, id: &SessionId, now_ms: i64) -> Result<Vec<Offset>, IndexError> {
        let transaction = self.connection.unchecked_transaction()?;
        let query = format!("SELECT {SESSION_COLUMNS} FROM sessions WHERE sequence = ?1");
        let mut statement = self.connection.prepare_cached(&query)?;
        let stored =
            statement.query_map([id.sequence()], StoredSession::read)?.collect::<rusqlite::Result<Vec<_>>>()?;
        let mut events: Vec<(i64, i8, EventId, Offset)> = Vec::new();
        for stored in stored {
            if self.stream_key(stored.stream)?.session(&stored.sequence) != *id {
                continue;
            }
            let mut read = |row: &Row<'_>| -> rusqlite::Result<()> {
                let id = read_event_id(row, 1)?.unwrap_or(EventId::first_of(0));
                let rank = match EventType::from_number(row.get(2)?) {
                    EventType::Push => 0,
                    EventType::Stop => 2,
                    _ => 1,
                };
                events.push((id.time_ms(), rank, id, Offset(row.get(0)?)));
                Ok(())
            };
            // Where there are too many, the push and the stop are among those that are given: their types come first.
            let own = "SELECT offset, id, event_type FROM events WHERE session = ?1
                ORDER BY event_type, offset LIMIT ?2";
            let mut statement = self.connection.prepare_cached(own)?;
            let mut rows = statement.query(params![stored.number, limit_of(SESSION_EVENTS_MAX)])?;
            while let Some(row) = rows.next()? {
                read(row)?;
            }
            let media = format!(
                "SELECT offset, id, event_type FROM {RECORDINGS}
                 UNION ALL SELECT offset, id, event_type FROM {SCREENSHOTS} LIMIT ?5"
            );
            let mut statement = self.connection.prepare_cached(&media)?;
            let (begin, end, recordings_end, until_ms) = self.media_bounds(&stored, now_ms);
            let mut rows = statement.query(params![
                stored.stream,
                begin,
                end,
                recordings_end,
                limit_of(SESSION_EVENTS_MAX),
                until_ms
            ])?;
            while let Some(row) = rows.next()? {
                read(row)?;
            }
        }
        drop(statement);
        transaction.commit()?;
        events.sort_unstable();
        Ok(events.into_iter().map(|(_, _, _, offset)| offset).collect())
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
        let errmsg = session.stop.as_ref().and_then(|(_, stop)| stop.errmsg.clone());
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
            anomalies,
            recordings,
            screenshots,
            sequence: stored.sequence,
            place,
        })
    }

    pub(super) fn anomalies(&self, session: i64) -> Result<i64, IndexError> {
        let query = "SELECT anomalies + (SELECT count(*) FROM events WHERE session = ?1 AND event_type = 321)
            FROM sessions WHERE number = ?1";
        Ok(self.connection.prepare_cached(query)?.query_row([session], |row| row.get(0))?)
    }
}
