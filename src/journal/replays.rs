//! Replays: records that a sink gets again, and the progress of that. A replay neither keeps a record from being pruned nor
//! moves the cursor of a consumer.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{JournalError, Offset, Reader};

/// How many replays may run or wait at once.
const RUNNING_MAX: i64 = 100;

/// How many of the newest replays are remembered after their end.
const REMEMBERED_MAX: i64 = 100;

/// Stored in the column `counted` for an unknown number of events, because the column must not be null.
const NOT_COUNTED: i64 = -1;

const COLUMNS: &str =
    "number, consumer, selection, created_ms, first, last, cursor, counted, done, failed, last_reason,
     ended_ms, is_cancelled";

/// A replay that is to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewReplay {
    /// The name of the sink that gets the events.
    pub sink: String,
    /// Which of the records the sink gets, as text. The journal does not read it.
    pub selection: String,
    /// The replay begins after this offset.
    pub first: Offset,
    /// The replay ends with this offset.
    pub last: Offset,
    /// How many events that is; `None` if they were not counted.
    pub counted: Option<i64>,
}

/// A replay and its progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// The number of the replay. Numbers grow, and are never used again.
    pub number: i64,
    /// The order that began it.
    pub order: NewReplay,
    /// When it began, in Unix ms.
    pub created_at_ms: i64,
    /// Every record up to this one is finished.
    pub cursor: Offset,
    /// How many events were delivered.
    pub done: i64,
    /// How many events the sink rejected.
    pub failed: i64,
    /// Why the sink rejected the latest of them.
    pub last_reason: Option<String>,
    /// When it ended, in Unix ms.
    pub ended_at_ms: Option<i64>,
    /// Whether it was cancelled.
    pub is_cancelled: bool,
}

/// The progress of a replay since the last report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReplayProgress {
    /// The number of the replay.
    pub number: i64,
    /// Every record up to this one is finished.
    pub cursor: Offset,
    /// How many more events were delivered.
    pub done: i64,
    /// How many more events the sink rejected.
    pub failed: i64,
    /// Why the sink rejected the latest of them; `None` keeps the stored reason.
    pub last_reason: Option<String>,
    /// When the replay reached its end, in Unix ms.
    pub ended_at_ms: Option<i64>,
}

impl Reader {
    /// Returns the replay of a number; `None` if it does not exist or is no longer remembered.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn replay(&self, number: i64) -> Result<Option<Replay>, JournalError> {
        self.check_is_current()?;
        let query = format!("SELECT {COLUMNS} FROM replays WHERE number = ?1");
        let read = || Ok(self.connection.prepare_cached(&query)?.query_row([number], replay).optional()?);
        self.with_path(read())
    }

    /// Returns the replays with a number below `before`, highest first: at most `limit`.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn replays(&self, before: i64, limit: usize) -> Result<Vec<Replay>, JournalError> {
        self.check_is_current()?;
        let query = format!("SELECT {COLUMNS} FROM replays WHERE number < ?1 ORDER BY number DESC LIMIT ?2");
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let read = || {
            let mut statement = self.connection.prepare_cached(&query)?;
            let rows = statement.query_map([before, limit], replay)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        };
        self.with_path(read())
    }

    /// Returns the oldest running replay of a sink.
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
        created_at_ms: row.get("created_ms")?,
        cursor: Offset(row.get("cursor")?),
        done: row.get("done")?,
        failed: row.get("failed")?,
        last_reason: row.get("last_reason")?,
        ended_at_ms: row.get("ended_ms")?,
        is_cancelled: row.get("is_cancelled")?,
    })
}

/// Stores a replay. Returns its number, or `None` if too many are running.
pub(super) fn begin(connection: &Connection, replay: &NewReplay, now_ms: i64) -> rusqlite::Result<Option<i64>> {
    let transaction = connection.unchecked_transaction()?;
    let running: i64 =
        transaction.query_row("SELECT count(*) FROM replays WHERE ended_ms IS NULL", [], |row| row.get(0))?;
    if running >= RUNNING_MAX {
        return Ok(None);
    }
    let NewReplay { sink, selection, first, last, counted } = replay;
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

/// Ends a replay. Returns whether it was running.
pub(super) fn cancel(connection: &Connection, number: i64, now_ms: i64) -> rusqlite::Result<bool> {
    let changed = connection.execute(
        "UPDATE replays SET ended_ms = ?2, is_cancelled = 1 WHERE number = ?1 AND ended_ms IS NULL",
        [number, now_ms],
    )?;
    Ok(changed > 0)
}

/// Stores the progress of a replay, within the caller's transaction. Also counts deliveries between a
/// cancellation and the moment at which the worker notices it.
pub(super) fn advance(connection: &Connection, progress: &ReplayProgress) -> rusqlite::Result<()> {
    let ReplayProgress { number, cursor, done, failed, last_reason, ended_at_ms } = progress;
    connection
        .prepare_cached(
            // `coalesce`: a replay that was cancelled keeps the time of that.
            "UPDATE replays SET cursor = max(cursor, ?2), done = done + ?3, failed = failed + ?4,
                 last_reason = coalesce(?5, last_reason), ended_ms = coalesce(ended_ms, ?6)
             WHERE number = ?1",
        )?
        .execute(params![number, cursor.0, done, failed, last_reason, ended_at_ms])?;
    Ok(())
}

#[cfg(test)]
mod tests;
