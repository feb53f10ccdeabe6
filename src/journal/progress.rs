//! What is stored of each consumer: its cursor and what it has done beyond it, its state, its dead letters. Written within the
//! transactions of the [`Store`]; begins none but that in which a start settles who the consumers are.

use rusqlite::{Connection, params};

use super::store::Store;
use super::{Ahead, DeadLetter, JournalError, Offset, Progress, Start, letters, replays};

/// A consumer as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StoredConsumer {
    pub(super) name: String,
    pub(super) cursor: Offset,
    pub(super) ahead: Ahead,
    pub(super) state: Option<Vec<u8>>,
    pub(super) dead_letters: i64,
}

impl Store {
    /// Brings the consumers to those that are wanted: others are retired, new ones get their start.
    ///
    /// # Errors
    /// One has a cursor beyond the end, or the disk does not do as asked.
    pub(super) fn settle_consumers(&mut self, wanted: &[(String, Start)]) -> Result<(), JournalError> {
        let head = self.next_offset - 1;
        let transaction = self.connection.unchecked_transaction()?;
        let retired: Vec<(String, i64)> = {
            let mut statement = transaction.prepare("SELECT name, cursor FROM consumers WHERE NOT is_retired")?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<Result<_, _>>()?
        };
        for (name, cursor) in retired {
            if !wanted.iter().any(|(wanted, _)| *wanted == name) {
                tracing::warn!(
                    sink = name,
                    pending_records = (head - cursor).max(0),
                    "this sink is no longer configured: its cursor is retired and holds nothing back"
                );
                transaction.execute(
                    "UPDATE dead_letters SET redriven_ms = NULL, redriven_attempts = 0
                     WHERE consumer = ?1 AND redriven_ms IS NOT NULL",
                    [&name],
                )?;
                transaction.execute("UPDATE consumers SET is_retired = 1 WHERE name = ?1", [name])?;
            }
        }
        for (name, start) in wanted {
            let start = match start {
                Start::Now => head,
                Start::Earliest => self.first_offset - 1,
            };
            transaction.execute(
                "INSERT INTO consumers (name, cursor) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET is_retired = 0",
                params![name, start],
            )?;
            let consumer = transaction.query_row(
                "SELECT cursor, state, (SELECT count(*) FROM dead_letters WHERE consumer = name), position, pending
                 FROM consumers WHERE name = ?1",
                [name],
                |row| {
                    Ok(StoredConsumer {
                        name: name.clone(),
                        cursor: Offset(row.get(0)?),
                        ahead: Ahead::stored(row.get(3)?, row.get_ref(4)?.as_str()?)?,
                        state: row.get(1)?,
                        dead_letters: row.get(2)?,
                    })
                },
            )?;
            check_cursor(&consumer, self.first_offset, head)?;
            self.consumers.push(consumer);
        }
        transaction.commit()?;
        Ok(())
    }
}

/// A cursor beyond the end would skip events to come in silence; one before the oldest record has missed some already.
fn check_cursor(consumer: &StoredConsumer, first_offset: i64, head: i64) -> Result<(), JournalError> {
    let furthest = consumer.cursor.max(consumer.ahead.position);
    if furthest.0 > head {
        return Err(JournalError::Cursor { sink: consumer.name.clone(), cursor: furthest, head: Offset(head) });
    }
    let missed = first_offset - 1 - consumer.cursor.0;
    if missed > 0 {
        tracing::warn!(
            sink = consumer.name,
            records = missed,
            "records were pruned while this sink was not configured: it will not get them"
        );
    }
    Ok(())
}

/// The dead letters that went, since they were delivered.
#[derive(Default)]
pub(super) struct Removed {
    pub(super) count: i64,
    pub(super) bytes: i64,
}

/// Writes what a consumer has done, within the transaction of the connection.
pub(super) fn write_progress(connection: &Connection, name: &str, progress: &Progress) -> rusqlite::Result<Removed> {
    let Progress { cursor, ahead, state, .. } = progress;
    connection
        .prepare_cached(
            "UPDATE consumers SET cursor = max(cursor, ?2), state = coalesce(?3, state), position = ?4, pending = ?5
             WHERE name = ?1",
        )?
        .execute(params![name, cursor.0, state, ahead.position.0, ahead.pending_text()])?;
    for DeadLetter { record, attempts, reason, failed_ms } in &progress.dead_letters {
        connection
            .prepare_cached(
                "INSERT INTO dead_letters (consumer, attempts, reason, failed_ms, offset, id, event_type, received_ms, line)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![
                name,
                attempts,
                reason,
                failed_ms,
                record.offset.0,
                record.event.id().to_bytes(),
                record.event.event_type().number(),
                record.event.received_ms(),
                record.event.line()
            ])?;
    }
    let mut removed = Removed::default();
    for settled in &progress.settled {
        if let Some(bytes) = letters::settle(connection, name, settled)? {
            removed.count += 1;
            removed.bytes += bytes;
        }
    }
    if let Some(replay) = &progress.replay {
        replays::advance(connection, replay)?;
    }
    Ok(removed)
}
