//! A session as a row of the index.

use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, ToSql, params};

use super::hours::End;
use super::multiple_rows::{ROWS, next_number, placeholders};
use super::sequences::SESSION_OF_SEQUENCE_AND_STREAM;
use crate::callback::EventId;
use crate::session::{ManualEnd, Push, Session, Stop};

/// A session as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StoredSession {
    /// Its row.
    pub(super) number: i64,
    /// The row of its stream.
    pub(super) stream: i64,
    /// The vendor's number of the push.
    pub(super) sequence: String,
    /// The lowest and the highest offset of its events; the lowest is 0 if they were in another journal.
    pub(super) offsets: (i64, i64),
    /// The session, merged from the facts of its events.
    pub(super) session: Session,
}

/// The columns that [`StoredSession::read`] reads, in its order.
pub(super) const SESSION_COLUMNS: &str = "number, stream, sequence, first_offset, last_offset, first_ms, last_ms,
    push_id, push_appid, push_node, push_user_address, push_width, push_height,
    stop_id, stop_appid, stop_node, stop_user_address, stop_width, stop_height,
    stop_duration_ms, stop_errcode, stop_errmsg, manual_end_id, manual_end_why";

/// The table of sessions, for queries for sessions without an end (`ended_ms IS NULL`). They are few among many, which SQLite
/// doesn't know: it would choose to read all.
pub(super) const OPEN_SESSIONS: &str = "sessions INDEXED BY open_sessions";

impl StoredSession {
    /// Reads a row of [`SESSION_COLUMNS`].
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<StoredSession> {
        let push = read_event_id(row, 7)?.map(|id| Ok::<_, rusqlite::Error>((id, read_push(row, 8)?))).transpose()?;
        let stop = read_event_id(row, 13)?.map(|id| Ok::<_, rusqlite::Error>((id, read_stop(row)?))).transpose()?;
        let manual_end = read_event_id(row, 22)?
            .map(|id| Ok::<_, rusqlite::Error>((id, ManualEnd { why: row.get(23)? })))
            .transpose()?;
        Ok(StoredSession {
            number: row.get(0)?,
            stream: row.get(1)?,
            sequence: row.get(2)?,
            offsets: (row.get(3)?, row.get(4)?),
            session: Session { push, stop, manual_end, seen_ms: Some((row.get(5)?, row.get(6)?)) },
        })
    }

    /// Binds the number and the values of [`COLUMNS`].
    fn bind_with_number(&self, statement: &mut CachedStatement<'_>) -> rusqlite::Result<()> {
        statement.raw_bind_parameter(1, self.number)?;
        self.bind(statement, 1)
    }

    /// Binds the values of [`COLUMNS`] to the parameters after `from`.
    fn bind(&self, statement: &mut CachedStatement<'_>, from: usize) -> rusqlite::Result<()> {
        let session = &self.session;
        let none = (None, &Push::default());
        let (push_id, push) = session.push.as_ref().map_or(none, |(id, push)| (Some(id.to_bytes()), push));
        let none = (None, &Stop::default());
        let (stop_id, stop) = session.stop.as_ref().map_or(none, |(id, stop)| (Some(id.to_bytes()), stop));
        let manual_end = session.manual_end.as_ref();
        let manual_end_id = manual_end.map(|(id, _)| id.to_bytes());
        let manual_end_why = manual_end.and_then(|(_, end)| end.why.as_deref());
        let category = session.reason().map(|reason| reason.category.label());
        let values: [&dyn ToSql; COLUMN_COUNT] = [
            &self.stream,
            &self.sequence,
            &self.offsets.0,
            &self.offsets.1,
            &session.first_ms(),
            &session.last_ms(),
            &push_id,
            &push.appid,
            &push.node,
            &push.user_address,
            &push.width,
            &push.height,
            &stop_id,
            &stop.push.appid,
            &stop.push.node,
            &stop.push.user_address,
            &stop.push.width,
            &stop.push.height,
            &stop.push_duration_ms,
            &stop.errcode,
            &stop.errmsg,
            &session.started_ms(),
            &session.ended_ms(),
            &session.duration_ms(),
            &category,
            &manual_end_id,
            &manual_end_why,
        ];
        for (column, value) in values.into_iter().enumerate() {
            statement.raw_bind_parameter(from + column + 1, value)?;
        }
        Ok(())
    }
}

/// The columns of a new row after its number, and how many they are.
const COLUMNS: &str = "stream, sequence, first_offset, last_offset, first_ms, last_ms,
    push_id, push_appid, push_node, push_user_address, push_width, push_height,
    stop_id, stop_appid, stop_node, stop_user_address, stop_width, stop_height,
    stop_duration_ms, stop_errcode, stop_errmsg, started_ms, ended_ms, duration_ms, reason_category, manual_end_id, manual_end_why";
const COLUMN_COUNT: usize = 27;

/// Takes the number and the values of [`COLUMNS`], and doesn't change the start.
const UPDATE: &str = "UPDATE sessions SET first_offset = ?4, last_offset = ?5, first_ms = ?6, last_ms = ?7,
        push_id = ?8, push_appid = ?9, push_node = ?10, push_user_address = ?11, push_width = ?12, push_height = ?13,
        stop_id = ?14, stop_appid = ?15, stop_node = ?16, stop_user_address = ?17, stop_width = ?18, stop_height = ?19,
        stop_duration_ms = ?20, stop_errcode = ?21, stop_errmsg = ?22, ended_ms = ?24, duration_ms = ?25,
        reason_category = ?26, manual_end_id = ?27, manual_end_why = ?28
    WHERE number = ?1";

/// The table of sessions, for one batch. It prepares its statements once, because to look one up by its text for each event would
/// cost about as much as to run it.
pub(super) struct SessionTable<'c> {
    connection: &'c Connection,
    find: CachedStatement<'c>,
    insert: CachedStatement<'c>,
    insert_rows: CachedStatement<'c>,
    update: CachedStatement<'c>,
}

impl<'c> SessionTable<'c> {
    /// Prepares the statements.
    pub(super) fn prepare(connection: &'c Connection) -> rusqlite::Result<SessionTable<'c>> {
        let find = format!("SELECT {SESSION_COLUMNS}, ended_ms, reason_category FROM {SESSION_OF_SEQUENCE_AND_STREAM}");
        let insert = format!("INSERT INTO sessions (number, {COLUMNS}) VALUES {}", placeholders(1 + COLUMN_COUNT, 1));
        // Without their numbers, see `next_number`, and with `IGNORE`, because SQLite would copy pages for a row that may fail, too.
        let insert_rows =
            format!("INSERT OR IGNORE INTO sessions ({COLUMNS}) VALUES {}", placeholders(COLUMN_COUNT, ROWS));
        Ok(SessionTable {
            connection,
            find: connection.prepare_cached(&find)?,
            insert: connection.prepare_cached(&insert)?,
            insert_rows: connection.prepare_cached(&insert_rows)?,
            update: connection.prepare_cached(UPDATE)?,
        })
    }

    /// Reads the session of a stream and a sequence, and its end as an hour counts it; `None` if there is none.
    pub(super) fn find(
        &mut self,
        stream: i64,
        sequence: &str,
    ) -> rusqlite::Result<Option<(StoredSession, Option<End>)>> {
        let read = |row: &Row<'_>| Ok((StoredSession::read(row)?, End::read(row, 24)?));
        self.find.query_row(params![sequence, stream], read).optional()
    }

    /// Writes the rows of new sessions, in the order of their numbers.
    ///
    /// # Errors
    /// The database cannot be written, or it has one of the sessions.
    pub(super) fn insert(&mut self, sessions: &[&StoredSession]) -> rusqlite::Result<()> {
        // The number of a new session is higher if the last ones were pruned, because no number is used again.
        let mut next = next_number(self.connection, "sessions")?;
        for chunk in sessions.chunks(ROWS) {
            if chunk.len() == ROWS && chunk[0].number == next {
                for (row, stored) in chunk.iter().enumerate() {
                    stored.bind(&mut self.insert_rows, row * COLUMN_COUNT)?;
                }
                if self.insert_rows.raw_execute()? == ROWS {
                    next += ROWS as i64;
                    continue;
                }
                // One was ignored, and inserting all again returns the error.
            }
            for stored in chunk {
                stored.bind_with_number(&mut self.insert)?;
                self.insert.raw_execute()?;
                next = stored.number + 1;
            }
        }
        Ok(())
    }

    /// Writes the row of a session that was `before`.
    pub(super) fn update(&mut self, stored: &StoredSession, before: &Session) -> rusqlite::Result<()> {
        stored.bind_with_number(&mut self.update)?;
        self.update.raw_execute()?;
        // Writing the same start again would cost as much in the indexes by start as a change.
        let started_ms = stored.session.started_ms();
        if before.started_ms() != started_ms {
            self.connection
                .prepare_cached("UPDATE sessions SET started_ms = ?2 WHERE number = ?1")?
                .execute([stored.number, started_ms])?;
        }
        Ok(())
    }
}

fn read_push(row: &Row<'_>, from: usize) -> rusqlite::Result<Push> {
    Ok(Push {
        appid: row.get(from)?,
        node: row.get(from + 1)?,
        user_address: row.get(from + 2)?,
        width: row.get(from + 3)?,
        height: row.get(from + 4)?,
    })
}

fn read_stop(row: &Row<'_>) -> rusqlite::Result<Stop> {
    Ok(Stop { push: read_push(row, 14)?, push_duration_ms: row.get(19)?, errcode: row.get(20)?, errmsg: row.get(21)? })
}

/// Reads the event id in a column.
pub(super) fn read_event_id(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<EventId>> {
    Ok(row.get::<_, Option<[u8; 16]>>(at)?.map(EventId::from_bytes))
}
