//! Sessions and streams as rows of the index.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::callback::EventId;
use crate::session::{Push, Session, Stop};

/// A session as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StoredSession {
    /// Its row.
    pub(super) number: i64,
    /// The row of its stream.
    pub(super) stream: i64,
    /// The vendor's number of the push.
    pub(super) sequence: String,
    /// The lowest offset of the events that it was made of, 0 where that is of another journal.
    pub(super) first_offset: i64,
    /// What its events say.
    pub(super) session: Session,
}

/// The columns that [`StoredSession::read`] takes, in its order.
pub(super) const SESSION_COLUMNS: &str = "number, stream, sequence, first_offset, first_ms, last_ms,
    push_id, push_appid, push_node, push_user_address, push_width, push_height,
    stop_id, stop_appid, stop_node, stop_user_address, stop_width, stop_height,
    stop_duration_ms, stop_errcode, stop_errmsg";

/// The table of sessions, where only those without an end (`ended_ms IS NULL`) are asked for. They are few among many, and
/// SQLite does not know: left to itself, it looks through all.
pub(super) const OPEN_SESSIONS: &str = "sessions INDEXED BY open_sessions";

const INSERT: &str = "INSERT INTO sessions (number, stream, sequence, first_offset, first_ms, last_ms,
        push_id, push_appid, push_node, push_user_address, push_width, push_height,
        stop_id, stop_appid, stop_node, stop_user_address, stop_width, stop_height,
        stop_duration_ms, stop_errcode, stop_errmsg, started_ms, ended_ms, duration_ms, reason_category)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25)";

/// Has the parameters of [`INSERT`], and leaves the start alone.
const UPDATE: &str = "UPDATE sessions SET first_offset = ?4, first_ms = ?5, last_ms = ?6,
        push_id = ?7, push_appid = ?8, push_node = ?9, push_user_address = ?10, push_width = ?11, push_height = ?12,
        stop_id = ?13, stop_appid = ?14, stop_node = ?15, stop_user_address = ?16, stop_width = ?17, stop_height = ?18,
        stop_duration_ms = ?19, stop_errcode = ?20, stop_errmsg = ?21, ended_ms = ?23, duration_ms = ?24,
        reason_category = ?25
    WHERE number = ?1";

impl StoredSession {
    /// The session of that sequence.
    pub(super) fn find(
        connection: &Connection,
        stream: i64,
        sequence: &str,
    ) -> rusqlite::Result<Option<StoredSession>> {
        let query = format!("SELECT {SESSION_COLUMNS} FROM sessions WHERE sequence = ?1 AND stream = ?2");
        let mut statement = connection.prepare_cached(&query)?;
        statement.query_row(params![sequence, stream], StoredSession::read).optional()
    }

    /// Reads a row of [`SESSION_COLUMNS`].
    pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<StoredSession> {
        let push = read_event_id(row, 6)?.map(|id| Ok::<_, rusqlite::Error>((id, read_push(row, 7)?))).transpose()?;
        let stop = read_event_id(row, 12)?.map(|id| Ok::<_, rusqlite::Error>((id, read_stop(row)?))).transpose()?;
        Ok(StoredSession {
            number: row.get(0)?,
            stream: row.get(1)?,
            sequence: row.get(2)?,
            first_offset: row.get(3)?,
            session: Session { push, stop, seen_ms: Some((row.get(4)?, row.get(5)?)) },
        })
    }

    /// Writes the row: a new one, or one that is now other than it was `before`. Where its start is as before, the indexes
    /// by start are left alone: writing the same once more would cost as much as a change.
    pub(super) fn write(&self, connection: &Connection, before: Option<&Session>) -> rusqlite::Result<()> {
        let session = &self.session;
        let none = (None, &Push::default());
        let (push_id, push) = session.push.as_ref().map_or(none, |(id, push)| (Some(id.to_bytes()), push));
        let none = (None, &Stop::default());
        let (stop_id, stop) = session.stop.as_ref().map_or(none, |(id, stop)| (Some(id.to_bytes()), stop));
        let category = session.reason().map(|reason| reason.category.label());
        connection.prepare_cached(if before.is_some() { UPDATE } else { INSERT })?.execute(params![
            self.number,
            self.stream,
            self.sequence,
            self.first_offset,
            session.first_ms(),
            session.last_ms(),
            push_id,
            push.appid,
            push.node,
            push.user_address,
            push.width,
            push.height,
            stop_id,
            stop.push.appid,
            stop.push.node,
            stop.push.user_address,
            stop.push.width,
            stop.push.height,
            stop.push_duration_ms,
            stop.errcode,
            stop.errmsg,
            session.started_ms(),
            session.ended_ms(),
            session.duration_ms(),
            category,
        ])?;
        if before.is_some_and(|before| before.started_ms() != session.started_ms()) {
            connection
                .prepare_cached("UPDATE sessions SET started_ms = ?2 WHERE number = ?1")?
                .execute([self.number, session.started_ms()])?;
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
    Ok(Stop { push: read_push(row, 13)?, push_duration_ms: row.get(18)?, errcode: row.get(19)?, errmsg: row.get(20)? })
}

/// The event id in a column.
pub(super) fn read_event_id(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<EventId>> {
    Ok(row.get::<_, Option<[u8; 16]>>(at)?.map(EventId::from_bytes))
}
