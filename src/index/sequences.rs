//! The numbers of sessions by their sequences.
//!
//! Sequences come in no order. In one large table, nearly each new session would change a page of its own. So a new sequence goes
//! to the small table `recent_sequences` first. For each new row, about one older row moves from there to `sequences`. Rows move in
//! the order of their tails, and each move begins where the last one ended, so that rows that move together share pages. The
//! sequence of a session is in one of the two tables.
//!
//! The tail is the end of a sequence. Short rows need fewer pages, and the row of the session has the whole sequence. The vendor's
//! sequences have 19 digits, so hardly two sessions of a stream have the same tail. If many have, each lookup reads all of them.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::multiple_rows::{Insertion, expect};

/// How many sequences stay in the small table. More would spread them over more pages, and fewer would move less of them together.
/// Few in unit tests, so that sequences move there.
const RECENT_MAX: i64 = if cfg!(test) { 3 } else { 65_536 };

/// How many characters of a sequence its tail has. The SQL below has this number, too.
const TAIL_LENGTH: usize = 6;

/// The session with a sequence (?1) and a stream (?2). Not `IN`: SQLite would first store the numbers in a temporary table.
pub(super) const SESSION_OF_SEQUENCE_AND_STREAM: &str = "(
    SELECT number AS found FROM recent_sequences WHERE tail = substr(?1, -6) AND stream = ?2
    UNION ALL SELECT number FROM sequences WHERE tail = substr(?1, -6) AND stream = ?2
    ) CROSS JOIN sessions ON number = found WHERE sequence = ?1";

/// The sessions with a sequence (?1). Only streams that share it have several.
pub(super) const SESSIONS_OF_SEQUENCE: &str = "(
    SELECT number AS found FROM recent_sequences WHERE tail = substr(?1, -6)
    UNION ALL SELECT number FROM sequences WHERE tail = substr(?1, -6)
    ) CROSS JOIN sessions ON number = found WHERE sequence = ?1";

/// Fills the tables again from the sessions. The migration does the same, and must never change.
pub(super) const FILL_AGAIN: &str = "
    DELETE FROM recent_sequences;
    DELETE FROM sequences;
    INSERT INTO sequences SELECT substr(sequence, -6), stream, number FROM sessions ORDER BY 1, 2, 3;
";

/// A row of the two tables. They are sorted by it.
#[derive(Clone, Default)]
struct SequenceRow {
    tail: String,
    stream: i64,
    number: i64,
}

/// Sorts after every tail: no sequence has this character.
const AFTER_ALL: &str = "~";

/// What the writer remembers of the two tables.
#[derive(Default)]
pub(super) struct Sequences {
    /// How many rows the small table has.
    recent: i64,
    /// The row that moved last. The ones after it move next, and after the last one the first.
    moved: SequenceRow,
}

impl Sequences {
    /// Counts the rows of the small table.
    pub(super) fn read(connection: &Connection) -> rusqlite::Result<Sequences> {
        let recent = connection.query_row("SELECT count(*) FROM recent_sequences", [], |row| row.get(0))?;
        Ok(Sequences { recent, ..Sequences::default() })
    }

    /// Adds the sequences of new sessions, each with its stream and the number of its session. Moves about as many others to the
    /// large table.
    ///
    /// # Errors
    /// The database cannot be written, or it has one of the sessions.
    pub(super) fn add(&mut self, connection: &Connection, sequences: &[(&str, i64, i64)]) -> rusqlite::Result<()> {
        let mut insertion = Insertion::prepare(connection, "recent_sequences (tail, stream, number)", 3)?;
        insertion.insert(sequences, |(sequence, stream, number), statement, from| {
            statement.raw_bind_parameter(from + 1, tail(sequence))?;
            statement.raw_bind_parameter(from + 2, stream)?;
            statement.raw_bind_parameter(from + 3, number)
        })?;
        self.recent += sequences.len() as i64;
        self.move_surplus(connection)
    }

    /// This many rows of the small table were removed.
    pub(super) fn recent_are_gone(&mut self, rows: usize) {
        self.recent -= rows as i64;
    }

    fn move_surplus(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let surplus = self.recent - RECENT_MAX;
        if surplus <= 0 {
            return Ok(());
        }
        let SequenceRow { tail, stream, number } = &self.moved;
        let last = "SELECT tail, stream, number FROM recent_sequences WHERE (tail, stream, number) > (?1, ?2, ?3)
            ORDER BY tail, stream, number LIMIT 1 OFFSET ?4";
        let last = connection
            .prepare_cached(last)?
            .query_row(params![tail, stream, number, surplus - 1], SequenceRow::read)
            .optional()?;
        let has_ended = last.is_none();
        let last = last.unwrap_or_else(|| SequenceRow { tail: AFTER_ALL.to_owned(), ..SequenceRow::default() });
        let rows = "(tail, stream, number) > (?1, ?2, ?3) AND (tail, stream, number) <= (?4, ?5, ?6)";
        let range = params![tail, stream, number, last.tail, last.stream, last.number];
        let insert = format!(
            "INSERT OR IGNORE INTO sequences SELECT tail, stream, number FROM recent_sequences WHERE {rows}
             ORDER BY tail, stream, number"
        );
        let inserted = connection.prepare_cached(&insert)?.execute(range)?;
        let delete = format!("DELETE FROM recent_sequences WHERE {rows}");
        expect(connection.prepare_cached(&delete)?.execute(range)?, inserted)?;
        self.recent -= inserted as i64;
        self.moved = if has_ended { SequenceRow::default() } else { last };
        Ok(())
    }
}

impl SequenceRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<SequenceRow> {
        Ok(SequenceRow { tail: row.get(0)?, stream: row.get(1)?, number: row.get(2)? })
    }
}

/// Removes the sequences of sessions, each with its stream and the number of its session. Returns how many of them were in the small
/// table, for [`Sequences::recent_are_gone`].
pub(super) fn remove<'s>(
    connection: &Connection,
    sequences: impl Iterator<Item = (&'s str, i64, i64)>,
) -> rusqlite::Result<usize> {
    let delete = |table| format!("DELETE FROM {table} WHERE tail = ?1 AND stream = ?2 AND number = ?3");
    let mut from_recent = connection.prepare_cached(&delete("recent_sequences"))?;
    let mut from_all = connection.prepare_cached(&delete("sequences"))?;
    let mut recent = 0;
    for (sequence, stream, number) in sequences {
        let row = params![tail(sequence), stream, number];
        match from_recent.execute(row)? {
            0 => drop(from_all.execute(row)?),
            removed => recent += removed,
        }
    }
    Ok(recent)
}

/// Returns the end of a sequence, which has ASCII characters alone.
fn tail(sequence: &str) -> &str {
    sequence.get(sequence.len().saturating_sub(TAIL_LENGTH)..).unwrap_or(sequence)
}

#[cfg(test)]
mod tests;
