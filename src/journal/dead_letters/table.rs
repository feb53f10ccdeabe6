//! The table of dead letters. A reader finds them; the writer adds, changes and removes them.
//!
//! A change to many dead letters takes many transactions of bounded length, so that events need not wait.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::super::reader::{READ_BYTES_MAX, Reader, record};
use super::super::{JournalError, Record};
use super::{
    ChangedDeadLetters, DeadLetter, DeadLetterAction, DeadLetterPage, DeadLetterSelection, NewDeadLetter,
    RedriveAttempt, RedriveOutcome,
};
use crate::callback::Event;

/// How many dead letters one transaction of a change looks at.
const STEP_DEAD_LETTERS: usize = 1000;

/// How many dead letters one page looks at. No index has the time, so a selection by time may match few of many.
const PAGE_DEAD_LETTERS_MAX: usize = 10_000;

/// The columns of a dead letter, those of its record first.
const COLUMNS: &str = "offset, id, event_type, received_ms, line, number, consumer, redriven_ms, redriven_attempts,
     attempts, reason, failed_ms";

impl Reader {
    /// Returns the selected dead letters with a number above `after`, lowest first: at most `limit`, and of bounded size
    /// together.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn dead_letters(
        &self,
        selection: &DeadLetterSelection,
        after: i64,
        limit: usize,
    ) -> Result<DeadLetterPage, JournalError> {
        self.check_is_current()?;
        self.with_path(self.select_dead_letters(selection, after, limit))
    }

    fn select_dead_letters(
        &self,
        selection: &DeadLetterSelection,
        after: i64,
        limit: usize,
    ) -> Result<DeadLetterPage, JournalError> {
        let mut statement = self.connection.prepare_cached(&selection.sql(COLUMNS))?;
        // SQL sets no limit, because rows outside the time are skipped below.
        let mut rows = statement.query(params![
            after,
            i64::MAX,
            selection.sink,
            selection.numbers_json(),
            selection.ids_json(),
            i64::MAX
        ])?;
        let mut page = DeadLetterPage::default();
        let (mut bytes, mut looked_at, mut last) = (0, 0, after);
        while let Some(row) = rows.next()? {
            if page.dead_letters.len() >= limit || bytes >= READ_BYTES_MAX || looked_at >= PAGE_DEAD_LETTERS_MAX {
                page.next = Some(last);
                break;
            }
            looked_at += 1;
            last = row.get("number")?;
            if selection.failed.contains(row.get("failed_ms")?) {
                let dead_letter = dead_letter(row)?;
                bytes += dead_letter.event.line().len();
                page.dead_letters.push(dead_letter);
            }
        }
        Ok(page)
    }

    /// Returns the dead letter of a number; `None` if there is none, or it was removed.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn dead_letter(&self, number: i64) -> Result<Option<DeadLetter>, JournalError> {
        let selection = DeadLetterSelection { numbers: vec![number], ..DeadLetterSelection::default() };
        Ok(self.dead_letters(&selection, number.saturating_sub(1), 1)?.dead_letters.pop())
    }

    /// Returns the sinks that have dead letters and are not among `configured`, by name, each with the number of its dead letters.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn dead_letters_of_others(&self, configured: &[String]) -> Result<Vec<(String, i64)>, JournalError> {
        self.check_is_current()?;
        self.with_path(self.count_dead_letters_of_others(configured))
    }

    fn count_dead_letters_of_others(&self, configured: &[String]) -> Result<Vec<(String, i64)>, JournalError> {
        // Each step jumps to the next name in the index, so the dead letters of configured sinks are not read.
        let mut next = self.connection.prepare_cached("SELECT min(consumer) FROM dead_letters WHERE consumer > ?1")?;
        let mut count = self.connection.prepare_cached("SELECT count(*) FROM dead_letters WHERE consumer = ?1")?;
        let (mut others, mut last) = (Vec::new(), String::new());
        while let Some(name) = next.query_row([&last], |row| row.get::<_, Option<String>>(0))? {
            if !configured.contains(&name) {
                others.push((name.clone(), count.query_row([&name], |row| row.get(0))?));
            }
            last = name;
        }
        Ok(others)
    }

    /// Returns the redriven dead letters of a sink with a number above `after`, lowest first: at most `limit`, and of bounded
    /// size together. One whose event is damaged is left out: it stays a dead letter, and holds up no other.
    pub(in super::super) fn redriven(
        &self,
        sink: &str,
        after: i64,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, JournalError> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM dead_letters
             WHERE consumer = ?1 AND redriven_ms IS NOT NULL AND number > ?2 ORDER BY number LIMIT ?3"
        ))?;
        let mut rows = statement.query(params![sink, after, i64::try_from(limit).unwrap_or(i64::MAX)])?;
        let (mut dead_letters, mut bytes) = (Vec::new(), 0);
        while bytes < READ_BYTES_MAX
            && let Some(row) = rows.next()?
        {
            let dead_letter = match dead_letter(row) {
                Err(JournalError::Corrupt(_)) => continue,
                result => result?,
            };
            bytes += dead_letter.event.line().len();
            dead_letters.push(dead_letter);
        }
        Ok(dead_letters)
    }
}

fn dead_letter(row: &Row<'_>) -> Result<DeadLetter, JournalError> {
    let Record { offset, event } = record(row)?;
    Ok(DeadLetter {
        number: row.get("number")?,
        sink: row.get("consumer")?,
        event,
        offset,
        attempts: row.get("attempts")?,
        failure: row.get("reason")?,
        failed_at_ms: row.get("failed_ms")?,
        redriven_at_ms: row.get("redriven_ms")?,
        redriven_attempts: row.get("redriven_attempts")?,
    })
}

/// The total size of the lines of all dead letters.
pub(in super::super) fn lines_bytes(connection: &Connection) -> rusqlite::Result<u64> {
    // `length` would count characters, not bytes.
    let query = "SELECT coalesce(sum(octet_length(line)), 0) FROM dead_letters";
    let bytes: i64 = connection.query_row(query, [], |row| row.get(0))?;
    Ok(bytes.unsigned_abs())
}

/// Confirms the dead letters of an event, within the caller's transaction, because a verified copy of its callback came.
/// Returns how many changed.
pub(in super::super) fn confirm(connection: &Connection, proof: &Event) -> rusqlite::Result<usize> {
    let mut of_event = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM dead_letters WHERE id = ?1"))?;
    let mut rows = of_event.query([proof.id().to_bytes()])?;
    let mut confirmed = Vec::new();
    while let Some(row) = rows.next()? {
        // One that can't be read must not stop the journal. Its readers report it.
        let Ok(dead_letter) = dead_letter(row) else { continue };
        confirmed.extend(dead_letter.event.confirmed_by(proof).map(|event| (dead_letter.number, event)));
    }
    let mut update = connection.prepare_cached("UPDATE dead_letters SET line = ?2 WHERE number = ?1")?;
    for (number, event) in &confirmed {
        update.execute(params![number, event.line()])?;
    }
    Ok(confirmed.len())
}

/// Adds a dead letter, within the caller's transaction.
pub(in super::super) fn add(connection: &Connection, sink: &str, new: &NewDeadLetter) -> rusqlite::Result<()> {
    let NewDeadLetter { record: Record { offset, event }, attempts, failure, failed_at_ms } = new;
    // The record's line, because the event may have been confirmed since its sink read it.
    connection
        .prepare_cached(
            "INSERT INTO dead_letters (consumer, attempts, reason, failed_ms, offset, id, event_type, received_ms, line)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8,
                     coalesce((SELECT line FROM records WHERE offset = ?5 AND id = ?6), ?9))",
        )?
        .execute(params![
            sink,
            attempts,
            failure,
            failed_at_ms,
            offset.0,
            event.id().to_bytes(),
            event.event_type().number(),
            event.received_ms(),
            event.line()
        ])?;
    Ok(())
}

/// Stores an attempt of a redriven dead letter, within the caller's transaction. Returns the size of its line if the dead letter
/// was removed. If it was dropped in between, that is not an error.
pub(in super::super) fn store_attempt(
    connection: &Connection,
    sink: &str,
    attempt: &RedriveAttempt,
) -> rusqlite::Result<Option<i64>> {
    let RedriveAttempt { number, outcome } = attempt;
    match outcome {
        RedriveOutcome::Delivered => {
            // The writer subtracts the size from its total, which it keeps in memory.
            let delete = "DELETE FROM dead_letters WHERE number = ?1 AND consumer = ?2 RETURNING octet_length(line)";
            return connection.prepare_cached(delete)?.query_row(params![number, sink], |row| row.get(0)).optional();
        }
        RedriveOutcome::Retry => connection
            .prepare_cached(
                "UPDATE dead_letters SET attempts = attempts + 1, redriven_attempts = redriven_attempts + 1
                 WHERE number = ?1 AND consumer = ?2",
            )?
            .execute(params![number, sink])?,
        RedriveOutcome::GivenUp { failure, failed_at_ms } => connection
            .prepare_cached(
                "UPDATE dead_letters SET attempts = attempts + 1, reason = ?3, failed_ms = ?4, redriven_ms = NULL,
                     redriven_attempts = 0
                 WHERE number = ?1 AND consumer = ?2",
            )?
            .execute(params![number, sink, failure, failed_at_ms])?,
    };
    Ok(None)
}

/// The part of a change that one transaction makes.
#[derive(Clone, Debug)]
pub(in super::super) struct ChangeStep {
    action: DeadLetterAction,
    selection: DeadLetterSelection,
    /// The step begins after this number.
    after: i64,
    /// The change ends with this number, so that it leaves dead letters alone that are new; `None` at the first step.
    last: Option<i64>,
}

/// The result of one step.
#[derive(Debug, Default)]
pub(in super::super) struct ChangeStepResult {
    pub(in super::super) changed: ChangedDeadLetters,
    /// How many dead letters were removed, by sink.
    pub(in super::super) removed: BTreeMap<String, i64>,
    /// The size of the removed lines.
    pub(in super::super) removed_bytes: u64,
    pub(in super::super) next: Option<ChangeStep>,
}

impl ChangeStep {
    /// The first step of a change.
    pub(in super::super) fn first(action: DeadLetterAction, selection: DeadLetterSelection) -> ChangeStep {
        ChangeStep { action, selection, after: 0, last: None }
    }

    /// Makes the step in a transaction of its own.
    pub(in super::super) fn run(self, connection: &Connection, now_ms: i64) -> rusqlite::Result<ChangeStepResult> {
        let transaction = connection.unchecked_transaction()?;
        let last = match self.last {
            Some(last) => last,
            None => transaction.query_row("SELECT coalesce(max(number), 0) FROM dead_letters", [], |row| row.get(0))?,
        };
        let found = self.find(&transaction, last)?;
        let mut result = self.change(&transaction, &found, now_ms)?;
        transaction.commit()?;
        if found.len() == STEP_DEAD_LETTERS {
            let after = found.last().map_or(last, |found| found.number);
            result.next = Some(ChangeStep { after, last: Some(last), ..self });
        }
        Ok(result)
    }

    fn find(&self, connection: &Connection, last: i64) -> rusqlite::Result<Vec<Found>> {
        let columns = "number, consumer, failed_ms, redriven_ms IS NOT NULL, octet_length(line)";
        let (selection, limit) = (&self.selection, STEP_DEAD_LETTERS as i64);
        let mut statement = connection.prepare_cached(&selection.sql(columns))?;
        let parameters =
            params![self.after, last, selection.sink, selection.numbers_json(), selection.ids_json(), limit];
        let rows = statement.query_map(parameters, |row| {
            Ok(Found {
                number: row.get(0)?,
                sink: row.get(1)?,
                failed_at_ms: row.get(2)?,
                is_redriven: row.get(3)?,
                bytes: row.get(4)?,
            })
        })?;
        rows.collect()
    }

    fn change(&self, connection: &Connection, found: &[Found], now_ms: i64) -> rusqlite::Result<ChangeStepResult> {
        let sinks: BTreeSet<String> = connection
            .prepare_cached("SELECT name FROM consumers WHERE NOT is_retired")?
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let mut redrive = connection.prepare_cached("UPDATE dead_letters SET redriven_ms = ?2 WHERE number = ?1")?;
        let mut remove = connection.prepare_cached("DELETE FROM dead_letters WHERE number = ?1")?;
        let mut result = ChangeStepResult::default();
        for Found { number, sink, is_redriven, bytes, .. } in
            found.iter().filter(|found| self.selection.failed.contains(found.failed_at_ms))
        {
            match self.action {
                DeadLetterAction::Drop => {
                    remove.execute([number])?;
                    *result.removed.entry(sink.clone()).or_default() += 1;
                    result.removed_bytes += bytes.unsigned_abs();
                }
                DeadLetterAction::Redrive if !sinks.contains(sink) => {
                    *result.changed.without_sink.entry(sink.clone()).or_default() += 1;
                    continue;
                }
                DeadLetterAction::Redrive if *is_redriven => continue,
                DeadLetterAction::Redrive => {
                    redrive.execute(params![number, now_ms])?;
                }
            }
            result.changed.count += 1;
        }
        Ok(result)
    }
}

/// A dead letter that a change looks at.
struct Found {
    number: i64,
    sink: String,
    failed_at_ms: i64,
    is_redriven: bool,
    bytes: i64,
}
