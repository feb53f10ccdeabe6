//! Dead letters as stored: how they are found, put back, removed, and settled by the worker that sends them again.
//!
//! What goes over many of them goes in slices, by number: none is so long that events wait for it.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::reader::{READ_BYTES_MAX, record};
use super::{DeadLetter, JournalError, Reader, database};
use crate::callback::EventId;

/// How many dead letters one slice looks at.
const SLICE_LETTERS: usize = 1000;

/// How many dead letters one page looks at, at most: a span of time that holds none must not read all of them at once.
const PAGE_LETTERS_MAX: usize = 10_000;

/// The columns of a dead letter, those of its record first.
const COLUMNS: &str = "offset, id, event_type, received_ms, line, number, consumer, redriven_ms, redriven_attempts,
     attempts, reason, failed_ms";

/// A dead letter with what it is known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberedLetter {
    /// Grows, and is never used again.
    pub number: i64,
    /// The name of the sink that gave the event up.
    pub sink: String,
    /// When somebody put it back, in Unix ms; `None` while it is not to be sent again.
    pub redriven_ms: Option<i64>,
    /// How often it was tried since then.
    pub redriven_attempts: u32,
    /// The event, and why it was given up last.
    pub letter: DeadLetter,
}

/// Which dead letters are meant: those that are all of what is given. One in which nothing is given means all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LetterSelection {
    /// Those of one sink.
    pub sink: Option<String>,
    /// Those of these numbers, beside those of `ids`.
    pub numbers: Vec<i64>,
    /// Those of these events, beside those of `numbers`.
    pub ids: Vec<EventId>,
    /// Those that failed last then or later, in Unix ms.
    pub since_ms: Option<i64>,
    /// Those that failed last before, in Unix ms.
    pub until_ms: Option<i64>,
}

impl LetterSelection {
    fn takes_time(&self, failed_ms: i64) -> bool {
        self.since_ms.is_none_or(|since_ms| failed_ms >= since_ms)
            && self.until_ms.is_none_or(|until_ms| failed_ms < until_ms)
    }

    /// A query for some columns of those that match but for the time, which no index knows: parameters are the number
    /// after which and up to which to look, the sink, the numbers and the ids as JSON, and how many.
    fn query(&self, columns: &str) -> String {
        let sink = if self.sink.is_some() { " AND consumer = ?3" } else { "" };
        let named = if self.numbers.is_empty() && self.ids.is_empty() {
            ""
        } else {
            " AND (number IN (SELECT value FROM json_each(?4)) OR id IN (SELECT unhex(value) FROM json_each(?5)))"
        };
        format!(
            "SELECT {columns} FROM dead_letters WHERE number > ?1 AND number <= ?2{sink}{named} ORDER BY number LIMIT ?6"
        )
    }

    fn numbers_json(&self) -> String {
        serde_json::Value::from(self.numbers.as_slice()).to_string()
    }

    fn ids_json(&self) -> String {
        let ids = self.ids.iter().map(|id| hex::encode(id.to_bytes()));
        serde_json::Value::from_iter(ids).to_string()
    }
}

/// Some dead letters, by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LetterPage {
    /// In order. There may be few or none, and yet more to come.
    pub letters: Vec<NumberedLetter>,
    /// The number after which the next page begins; `None` where nothing comes.
    pub next: Option<i64>,
}

impl Reader {
    /// The dead letters of a selection with a number above `after`, lowest first: at most `limit`, and of bounded size
    /// together.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn dead_letters(
        &self,
        selection: &LetterSelection,
        after: i64,
        limit: usize,
    ) -> Result<LetterPage, JournalError> {
        database::check_current(&self.connection)?;
        let mut statement = self.connection.prepare_cached(&selection.query(COLUMNS))?;
        let mut rows = statement.query(params![
            after,
            i64::MAX,
            selection.sink,
            selection.numbers_json(),
            selection.ids_json(),
            i64::MAX
        ])?;
        let mut page = LetterPage::default();
        let (mut bytes, mut looked_at, mut last) = (0, 0, after);
        while let Some(row) = rows.next()? {
            if page.letters.len() >= limit || bytes >= READ_BYTES_MAX || looked_at >= PAGE_LETTERS_MAX {
                page.next = Some(last);
                break;
            }
            looked_at += 1;
            last = row.get("number")?;
            if selection.takes_time(row.get("failed_ms")?) {
                let letter = numbered_letter(row)?;
                bytes += letter.letter.record.event.line().len();
                page.letters.push(letter);
            }
        }
        Ok(page)
    }

    /// The dead letter of a number; `None` where there is none, or no longer.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn dead_letter(&self, number: i64) -> Result<Option<NumberedLetter>, JournalError> {
        let selection = LetterSelection { numbers: vec![number], ..LetterSelection::default() };
        Ok(self.dead_letters(&selection, number.saturating_sub(1), 1)?.letters.pop())
    }

    /// The dead letters of a sink that were put back, with a number above `after`, lowest first: at most `limit`, and of
    /// bounded size together.
    pub(super) fn redriven(&self, sink: &str, after: i64, limit: usize) -> Result<Vec<NumberedLetter>, JournalError> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM dead_letters
             WHERE consumer = ?1 AND redriven_ms IS NOT NULL AND number > ?2 ORDER BY number LIMIT ?3"
        ))?;
        let mut rows = statement.query(params![sink, after, i64::try_from(limit).unwrap_or(i64::MAX)])?;
        let (mut letters, mut bytes) = (Vec::new(), 0);
        while bytes < READ_BYTES_MAX
            && let Some(row) = rows.next()?
        {
            let letter = numbered_letter(row)?;
            bytes += letter.letter.record.event.line().len();
            letters.push(letter);
        }
        Ok(letters)
    }
}

fn numbered_letter(row: &Row<'_>) -> Result<NumberedLetter, JournalError> {
    Ok(NumberedLetter {
        number: row.get("number")?,
        sink: row.get("consumer")?,
        redriven_ms: row.get("redriven_ms")?,
        redriven_attempts: row.get("redriven_attempts")?,
        letter: DeadLetter {
            record: record(row)?,
            attempts: row.get("attempts")?,
            reason: row.get("reason")?,
            failed_ms: row.get("failed_ms")?,
        },
    })
}

/// What is done to dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LetterAction {
    /// They are put back, for their own sink to be given them again.
    Redrive,
    /// They are removed for good.
    Drop,
}

/// What one slice did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct LetterSlice {
    /// How many were changed, by sink.
    pub(super) changed: BTreeMap<String, u64>,
    /// How many could not be, since their sink is not configured, by sink.
    pub(super) without_sink: BTreeMap<String, u64>,
    /// The size of the lines that were removed.
    pub(super) removed_bytes: i64,
    /// The number after which the next slice begins; `None` where all is done.
    pub(super) next: Option<i64>,
}

/// The highest number of a dead letter, or 0.
pub(super) fn last_number(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT coalesce(max(number), 0) FROM dead_letters", [], |row| row.get(0))
}

/// Changes some of those that are selected with a number above `after` and not above `last`, in one transaction.
pub(super) fn change_slice(
    connection: &Connection,
    action: LetterAction,
    selection: &LetterSelection,
    (after, last): (i64, i64),
    now_ms: i64,
) -> rusqlite::Result<LetterSlice> {
    let transaction = connection.unchecked_transaction()?;
    let mut slice = LetterSlice::default();
    {
        let sinks: BTreeSet<String> = transaction
            .prepare_cached("SELECT name FROM consumers WHERE NOT is_retired")?
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let columns = "number, consumer, failed_ms, redriven_ms IS NOT NULL, octet_length(line)";
        let mut statement = transaction.prepare_cached(&selection.query(columns))?;
        let limit = SLICE_LETTERS as i64;
        let parameters = params![after, last, selection.sink, selection.numbers_json(), selection.ids_json(), limit];
        let found: Vec<(i64, String, i64, bool, i64)> = statement
            .query_map(parameters, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))?
            .collect::<Result<_, _>>()?;
        slice.next = found.last().map(|letter| letter.0).filter(|_| found.len() == SLICE_LETTERS);

        let mut redrive = transaction.prepare_cached("UPDATE dead_letters SET redriven_ms = ?2 WHERE number = ?1")?;
        let mut remove = transaction.prepare_cached("DELETE FROM dead_letters WHERE number = ?1")?;
        for (number, sink, failed_ms, is_redriven, bytes) in found {
            if !selection.takes_time(failed_ms) {
                continue;
            }
            match action {
                LetterAction::Drop => {
                    remove.execute([number])?;
                    slice.removed_bytes += bytes;
                }
                LetterAction::Redrive if !sinks.contains(&sink) => {
                    *slice.without_sink.entry(sink).or_default() += 1;
                    continue;
                }
                LetterAction::Redrive if is_redriven => continue,
                LetterAction::Redrive => {
                    redrive.execute(params![number, now_ms])?;
                }
            }
            *slice.changed.entry(sink).or_default() += 1;
        }
    }
    transaction.commit()?;
    Ok(slice)
}

/// What became of a dead letter that was sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettledLetter {
    /// Its number.
    pub number: i64,
    /// `None` when its sink has it now, so that it goes; else it stays.
    pub failure: Option<LetterFailure>,
}

/// How a try of a dead letter that was put back ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LetterFailure {
    /// It is to be tried again.
    Transient,
    /// It was given up again.
    GivenUp {
        /// Why.
        reason: String,
        /// When, in Unix ms.
        failed_ms: i64,
    },
}

/// Removes or keeps a dead letter that was sent again, within the caller's transaction. Tells the size of its line where
/// one was removed: somebody may have dropped it meanwhile.
pub(super) fn settle(connection: &Connection, sink: &str, settled: &SettledLetter) -> rusqlite::Result<Option<i64>> {
    let SettledLetter { number, failure } = settled;
    match failure {
        None => {
            let delete = "DELETE FROM dead_letters WHERE number = ?1 AND consumer = ?2 RETURNING octet_length(line)";
            return connection.prepare_cached(delete)?.query_row(params![number, sink], |row| row.get(0)).optional();
        }
        Some(LetterFailure::Transient) => connection
            .prepare_cached(
                "UPDATE dead_letters SET attempts = attempts + 1, redriven_attempts = redriven_attempts + 1
                 WHERE number = ?1 AND consumer = ?2",
            )?
            .execute(params![number, sink])?,
        Some(LetterFailure::GivenUp { reason, failed_ms }) => connection
            .prepare_cached(
                "UPDATE dead_letters SET attempts = attempts + 1, reason = ?3, failed_ms = ?4, redriven_ms = NULL,
                     redriven_attempts = 0
                 WHERE number = ?1 AND consumer = ?2",
            )?
            .execute(params![number, sink, reason, failed_ms])?,
    };
    Ok(None)
}
