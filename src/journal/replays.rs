//! Replays as stored: which records are to go to a sink again, and how far that is. They hold no record back from being
//! pruned, and move no consumer's cursor.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{JournalError, Offset, Reader, database};

/// How many replays may wait or run at once.
const RUNNING_MAX: i64 = 100;

/// How many of the newest replays are remembered, beside those that have not ended.
const REMEMBERED_MAX: i64 = 100;

/// What stands in the column `counted`, which may not be null, where nothing was counted.
const NOT_COUNTED: i64 = -1;

const COLUMNS: &str =
    "number, consumer, selection, created_ms, first, last, cursor, counted, done, failed, last_reason,
     ended_ms, is_cancelled";

/// A replay to be begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewReplay {
    /// The sink that is given the events.
    pub sink: String,
    /// Which of the records are meant, in the words of whoever made it: it means nothing to the journal.
    pub selection: String,
    /// The records after this place.
    pub first: Offset,
    /// And up to this one.
    pub last: Offset,
    /// How many events they are, where that was counted.
    pub counted: Option<i64>,
}

/// A replay, and how far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// Grows, and is never used again.
    pub number: i64,
    /// What was asked for.
    pub order: NewReplay,
    /// When, in Unix ms.
    pub created_ms: i64,
    /// Every record up to here is done.
    pub cursor: Offset,
    /// How many events the sink took.
    pub done: i64,
    /// How many it refused for good.
    pub failed: i64,
    /// Why the last one failed that did.
    pub last_reason: Option<String>,
    /// When it ended, in Unix ms.
    pub ended_ms: Option<i64>,
    /// Whether it ended since somebody wanted it to.
    pub is_cancelled: bool,
}

/// How far a replay got since it was told last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplayProgress {
    /// Which replay.
    pub number: i64,
    /// Every record up to here is done.
    pub cursor: Offset,
    /// How many more events the sink took.
    pub done: i64,
    /// How many more it refused for good.
    pub failed: i64,
    /// Why the last one failed; `None` leaves what is there.
    pub last_reason: Option<String>,
    /// When it came to its end, in Unix ms.
    pub ended_ms: Option<i64>,
}

impl Reader {
    /// The replay of a number; `None` where there is none, or no longer.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn replay(&self, number: i64) -> Result<Option<Replay>, JournalError> {
        database::check_current(&self.connection)?;
        let query = format!("SELECT {COLUMNS} FROM replays WHERE number = ?1");
        Ok(self.connection.prepare_cached(&query)?.query_row([number], replay).optional()?)
    }

    /// The replays with a number below `before`, highest first, at most `limit`.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn replays(&self, before: i64, limit: usize) -> Result<Vec<Replay>, JournalError> {
        database::check_current(&self.connection)?;
        let query = format!("SELECT {COLUMNS} FROM replays WHERE number < ?1 ORDER BY number DESC LIMIT ?2");
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut statement = self.connection.prepare_cached(&query)?;
        Ok(statement.query_map([before, limit], replay)?.collect::<Result<_, _>>()?)
    }

    /// The replay that a sink is to work on.
    pub(super) fn running_replay(&self, sink: &str) -> Result<Option<Replay>, JournalError> {
        let query =
            format!("SELECT {COLUMNS} FROM replays WHERE consumer = ?1 AND ended_ms IS NULL ORDER BY number LIMIT 1");
        Ok(self.connection.prepare_cached(&query)?.query_row([sink], replay).optional()?)
    }
}

fn replay(row: &Row<'_>) -> rusqlite::Result<Replay> {
    Ok(Replay {
        number: row.get("number")?,
        order: NewReplay {
            sink: row.get("consumer")?,
            selection: row.get("selection")?,
            first: Offset(row.get("first")?),
            last: Offset(row.get("last")?),
            counted: Some(row.get("counted")?).filter(|counted| *counted != NOT_COUNTED),
        },
        created_ms: row.get("created_ms")?,
        cursor: Offset(row.get("cursor")?),
        done: row.get("done")?,
        failed: row.get("failed")?,
        last_reason: row.get("last_reason")?,
        ended_ms: row.get("ended_ms")?,
        is_cancelled: row.get("is_cancelled")?,
    })
}

/// Stores a replay, and gives its number; `None` where as many run as may.
pub(super) fn begin(connection: &Connection, order: &NewReplay, now_ms: i64) -> rusqlite::Result<Option<i64>> {
    let transaction = connection.unchecked_transaction()?;
    let running: i64 =
        transaction.query_row("SELECT count(*) FROM replays WHERE ended_ms IS NULL", [], |row| row.get(0))?;
    if running >= RUNNING_MAX {
        return Ok(None);
    }
    let NewReplay { sink, selection, first, last, counted } = order;
    transaction.execute(
        "INSERT INTO replays (consumer, selection, created_ms, first, last, cursor, counted) VALUES (?1, ?2, ?3, ?4, ?5, ?4, ?6)",
        params![sink, selection, now_ms, first.0, last.0, counted.unwrap_or(NOT_COUNTED)],
    )?;
    let number = transaction.last_insert_rowid();
    transaction
        .execute("DELETE FROM replays WHERE ended_ms IS NOT NULL AND number <= ?1", [number - REMEMBERED_MAX])?;
    transaction.commit()?;
    Ok(Some(number))
}

/// Ends a replay that has not ended. Whether it did.
pub(super) fn cancel(connection: &Connection, number: i64, now_ms: i64) -> rusqlite::Result<bool> {
    let changed = connection.execute(
        "UPDATE replays SET ended_ms = ?2, is_cancelled = 1 WHERE number = ?1 AND ended_ms IS NULL",
        [number, now_ms],
    )?;
    Ok(changed > 0)
}

/// Notes how far a replay got, within the caller's transaction. What was done is counted, also of one that was cancelled
/// meanwhile.
pub(super) fn advance(connection: &Connection, progress: &ReplayProgress) -> rusqlite::Result<()> {
    let ReplayProgress { number, cursor, done, failed, last_reason, ended_ms } = progress;
    connection
        .prepare_cached(
            "UPDATE replays SET cursor = max(cursor, ?2), done = done + ?3, failed = failed + ?4,
                 last_reason = coalesce(?5, last_reason), ended_ms = coalesce(ended_ms, ?6)
             WHERE number = ?1",
        )?
        .execute(params![number, cursor.0, done, failed, last_reason, ended_ms])?;
    Ok(())
}
