//! The table of consumers: the cursor of each, the finished records after it, and the state of its sink.

use rusqlite::types::Type;
use rusqlite::{Connection, Row, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::dead_letters::table as dead_letters;
use super::{Ahead, JournalError, Offset, Progress, Start, replays};

/// A consumer as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StoredConsumer {
    pub(super) name: String,
    pub(super) cursor: Offset,
    pub(super) ahead: Ahead,
    pub(super) state: Option<Vec<u8>>,
    pub(super) dead_letters: i64,
    /// Whether it is no longer configured. No record waits for it then.
    pub(super) is_retired: bool,
}

/// Retires all consumers except the wanted ones, and adds the new ones. Returns the wanted ones in their order. The journal's
/// records begin at `first` and end at `head`.
///
/// # Errors
/// A cursor is after the end of the journal, or the database cannot be written.
pub(super) fn configure(
    connection: &Connection,
    wanted: &[(String, Start)],
    first: Offset,
    head: Offset,
) -> Result<Vec<StoredConsumer>, JournalError> {
    let transaction = connection.unchecked_transaction()?;
    retire_others(&transaction, wanted, head)?;
    let consumers = wanted.iter().map(|(name, start)| add(&transaction, name, *start, first, head));
    let consumers = consumers.collect::<Result<_, _>>()?;
    transaction.commit()?;
    Ok(consumers)
}

/// Adds a consumer within the caller's transaction, or lets one that was retired go on at its cursor. `first` and `head` as in
/// [`configure`].
///
/// # Errors
/// Its cursor is after the end of the journal, or the database cannot be written.
pub(super) fn add(
    connection: &Connection,
    name: &str,
    start: Start,
    first: Offset,
    head: Offset,
) -> Result<StoredConsumer, JournalError> {
    let start = match start {
        Start::Now => head,
        Start::Earliest => first.before(),
    };
    connection.execute(
        // A sink that returns after a while goes on at its old cursor.
        "INSERT INTO consumers (name, cursor) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET is_retired = 0",
        params![name, start.0],
    )?;
    let consumer = load(connection, name)?;
    check_cursor(&consumer, first, head)?;
    Ok(consumer)
}

fn retire_others(connection: &Connection, wanted: &[(String, Start)], head: Offset) -> rusqlite::Result<()> {
    let active: Vec<(String, i64)> = connection
        .prepare("SELECT name, cursor FROM consumers WHERE NOT is_retired")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (name, cursor) in active {
        if !wanted.iter().any(|(wanted, _)| *wanted == name) {
            retire(connection, &name, Offset(cursor), head)?;
        }
    }
    Ok(())
}

/// Retires a consumer within the caller's transaction: its cursor and its dead letters stay, and no record waits for it.
pub(super) fn retire(connection: &Connection, name: &str, cursor: Offset, head: Offset) -> rusqlite::Result<()> {
    tracing::warn!(
        sink = name,
        pending_records = (head.0 - cursor.0).max(0),
        "this sink is no longer configured: its cursor is retired and keeps no record from being pruned"
    );
    connection.execute(
        "UPDATE dead_letters SET redriven_ms = NULL, redriven_attempts = 0
         WHERE consumer = ?1 AND redriven_ms IS NOT NULL",
        [name],
    )?;
    connection.execute("UPDATE consumers SET is_retired = 1 WHERE name = ?1", [name])?;
    Ok(())
}

fn load(connection: &Connection, name: &str) -> rusqlite::Result<StoredConsumer> {
    connection.query_row(
        "SELECT cursor, state, (SELECT count(*) FROM dead_letters WHERE consumer = name), position, pending, held
         FROM consumers WHERE name = ?1",
        [name],
        |row| {
            Ok(StoredConsumer {
                name: name.to_owned(),
                cursor: Offset(row.get(0)?),
                ahead: Ahead {
                    position: Offset(row.get(3)?),
                    pending: pairs(row, 4)?.into_iter().map(|(offset, attempts)| (Offset(offset), attempts)).collect(),
                    held: pairs(row, 5)?.into_iter().map(|(key, offset)| (key, Offset(offset))).collect(),
                },
                state: row.get(1)?,
                dead_letters: row.get(2)?,
                is_retired: false,
            })
        },
    )
}

/// A cursor after the end would silently skip new events. A cursor before the oldest record has missed some.
fn check_cursor(consumer: &StoredConsumer, first: Offset, head: Offset) -> Result<(), JournalError> {
    // Either of the two would skip records.
    let furthest = consumer.cursor.max(consumer.ahead.position);
    if furthest > head {
        return Err(JournalError::Cursor { sink: consumer.name.clone(), cursor: furthest, head });
    }
    let missed = first.before().0 - consumer.cursor.0;
    if missed > 0 {
        tracing::warn!(
            sink = consumer.name,
            records = missed,
            "records were pruned while this sink was not configured: it will not get them"
        );
    }
    Ok(())
}

/// The dead letters that progress removed because they were delivered.
#[derive(Default)]
pub(super) struct RemovedDeadLetters {
    pub(super) count: i64,
    pub(super) bytes: i64,
}

/// Stores the progress of a consumer, within the caller's transaction. A cursor never goes back.
pub(super) fn store_progress(
    connection: &Connection,
    name: &str,
    progress: &Progress,
) -> rusqlite::Result<RemovedDeadLetters> {
    let Progress { cursor, ahead, state, .. } = progress;
    connection
        .prepare_cached(
            "UPDATE consumers SET cursor = max(cursor, ?2), state = coalesce(?3, state), position = ?4,
             pending = ?5, held = ?6 WHERE name = ?1",
        )?
        .execute(params![
            name,
            cursor.0,
            state,
            ahead.position.0,
            pairs_json(ahead.pending.iter().map(|(offset, attempts)| (offset.0, attempts))),
            pairs_json(ahead.held.iter().map(|(key, offset)| (key, offset.0))),
        ])?;
    for new in &progress.dead_letters {
        dead_letters::add(connection, name, new)?;
    }
    let mut removed = RemovedDeadLetters::default();
    for attempt in &progress.redrive_attempts {
        if let Some(bytes) = dead_letters::store_attempt(connection, name, attempt)? {
            removed.count += 1;
            removed.bytes += bytes;
        }
    }
    if let Some(replay) = &progress.replay {
        replays::advance(connection, replay)?;
    }
    Ok(removed)
}

/// Returns pairs as a column stores them, for example `[[14,1],[15,0]]`.
fn pairs_json(pairs: impl Iterator<Item = (impl Serialize, impl Serialize)>) -> String {
    pairs.map(|(one, other)| json!([one, other])).collect::<Value>().to_string()
}

/// Reads the pairs of a column.
fn pairs<One: DeserializeOwned, Other: DeserializeOwned>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<Vec<(One, Other)>> {
    serde_json::from_str(row.get_ref(column)?.as_str()?)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into()))
}
