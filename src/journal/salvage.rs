//! Saves the readable rows of a damaged journal in a new one. The damaged files stay as they are.
//!
//! Rows keep their numbers, so an offset still means the same record. The new journal gets a generation of its own, as a backup
//! does: the offsets of lost records at the end will be used again.

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::types::Value;
use rusqlite::{Connection, Row, Transaction, params_from_iter};
use serde_json::Value as Json;

use super::inspection::fault_of;
use super::reader::{GENERATION, record};
use super::{JournalError, schema};
use crate::storage::{Damaged, Lock, StorageError, durable_files, make_data_dir, meta, wal};

/// How many ids of records a row of `batches` holds. The writer makes rows of this size, too.
const ROW_IDS: usize = 240;

/// How many numbers are tried after the last known row, if the end of a table is unknown.
const TRIES_MAX: i64 = 100_000;

/// How many rows are written in one transaction.
const COMMIT_ROWS: u64 = 10_000;

/// A table whose rows have numbers.
struct Table {
    name: &'static str,
    key: &'static str,
}

const RECORDS: Table = Table { name: "records", key: "offset" };
const DEAD_LETTERS: Table = Table { name: "dead_letters", key: "number" };
const REPLAYS: Table = Table { name: "replays", key: "number" };

/// A row that could not be saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostRow {
    /// The kind of row: `record`, `dead letter`, `replay` or `cursor`.
    pub kind: &'static str,
    /// Its number, or the name of the consumer after which no cursor could be read.
    pub number: String,
    /// Why, as part of a sentence.
    pub cause: String,
}

/// How many rows were saved, and how many were not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Salvaged {
    /// Events.
    pub records: u64,
    /// Dead letters.
    pub dead_letters: u64,
    /// Replays.
    pub replays: u64,
    /// Cursors of sinks and of the index.
    pub consumers: u64,
    /// Rows that could not be saved.
    pub lost: u64,
}

/// Saves the journal of the data directory `damaged` in the new directory `target`. Calls `lost` for each row that cannot be
/// saved. Blocks.
///
/// # Errors
/// A process uses the damaged directory, the target is not empty or cannot be written, or SQLite cannot read the list of tables.
pub fn salvage(damaged: &Path, target: &Path, lost: impl FnMut(&LostRow)) -> Result<Salvaged, JournalError> {
    if Lock::is_held(damaged)? {
        return Err(StorageError::Locked(damaged.to_owned()).into());
    }
    make_data_dir(target)?;
    let _lock = Lock::take_new(target)?;
    let source = Damaged::open(&schema::DATABASE, damaged, target)?;
    let known =
        meta_of(&source.connection).map_err(|error| JournalError::from(error).with_path(&schema::path(damaged)))?;
    let connection = schema::DATABASE.open(target, |connection| {
        let journal_id = known.journal_id.clone().map_or_else(schema::random_id, Ok)?;
        meta::store(connection, "journal_id", Some(journal_id))?;
        Ok(meta::store(connection, GENERATION, Some(schema::random_id()?))?)
    })?;
    let mut salvage = Salvage { source: &source.connection, target: &connection, lost, saved: Salvaged::default() };
    salvage.run(known.first_offset).map_err(|error| JournalError::from(error).with_path(&schema::path(target)))?;
    let saved = salvage.saved;
    wal::empty(&connection).map_err(JournalError::from)?;
    durable_files::sync(target).map_err(StorageError::io(target))?;
    Ok(saved)
}

/// The values of `meta` that the new journal keeps.
struct Known {
    journal_id: Option<String>,
    first_offset: Option<i64>,
}

/// Reads `meta` as far as it can be read.
///
/// # Errors
/// SQLite finds no table at all: its list of tables is damaged.
fn meta_of(source: &Connection) -> rusqlite::Result<Known> {
    source.query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'records'", [], |row| row.get::<_, i64>(0))?;
    Ok(Known {
        journal_id: meta::text(source, "journal_id").unwrap_or(None),
        first_offset: meta::number(source, "first_offset").unwrap_or(None),
    })
}

struct Salvage<'a, L> {
    source: &'a Connection,
    target: &'a Connection,
    lost: L,
    saved: Salvaged,
}

impl<L: FnMut(&LostRow)> Salvage<'_, L> {
    fn run(&mut self, known_first: Option<i64>) -> rusqlite::Result<()> {
        self.saved.records = self.copy(&RECORDS, |row| match record(row) {
            Ok(record) => fault_of(&record).map_or(Ok(()), Err),
            Err(error) => Err(error.to_string()),
        })?;
        let first: Option<i64> = self.target.query_row("SELECT min(offset) FROM records", [], |row| row.get(0))?;
        let last: Option<i64> = self.target.query_row("SELECT max(offset) FROM records", [], |row| row.get(0))?;
        // Ids stay after their records are pruned, so the newest row shows which offsets were used.
        let newest_id = self.source.query_row("SELECT max(last_offset) FROM batches", [], |row| row.get(0));
        let newest_id: Option<i64> = newest_id.unwrap_or(None);
        let first_offset = known_first.or(newest_id.map(|last| last.saturating_add(1)));
        let first_offset = first_offset.unwrap_or(1).max(1).min(first.unwrap_or(i64::MAX));
        meta::store(self.target, "first_offset", Some(first_offset))?;
        self.saved.dead_letters = self.copy(&DEAD_LETTERS, |_| Ok(()))?;
        self.saved.replays = self.copy(&REPLAYS, |_| Ok(()))?;
        self.copy_consumers(last.unwrap_or(first_offset - 1))?;
        // Without a saved record, nothing shows which ids are of lost ones. An event that comes again must then be stored again.
        let is_unknown = first.is_none() && known_first.is_none() && self.saved.lost > 0;
        self.write_ids(if is_unknown { 0 } else { first.unwrap_or(first_offset) })
    }

    /// Copies the rows of a table that can be read and that `check` accepts. Returns how many.
    fn copy(&mut self, table: &Table, check: impl Fn(&Row<'_>) -> Result<(), String>) -> rusqlite::Result<u64> {
        let columns = shared_columns(self.source, self.target, table.name)?;
        if columns.is_empty() {
            return Ok(0);
        }
        let places = vec!["?"; columns.len()].join(", ");
        let (names, Table { name, key }) = (columns.join(", "), table);
        let insert = format!("INSERT OR IGNORE INTO {name} ({names}) VALUES ({places})");
        let select = |condition: &str| format!("SELECT {names} FROM {name} WHERE {key} {condition}");
        let key_column = columns.iter().position(|column| column == key).unwrap_or(0);
        let source = self.source;
        let read = |row: &Row<'_>| -> rusqlite::Result<(i64, Result<Vec<Value>, String>)> {
            let number = row.get(key_column)?;
            let values =
                check(row).map(|()| (0..columns.len()).map(|column| row.get(column)).collect::<Result<_, _>>());
            Ok((number, values.and_then(|values| values.map_err(|error: rusqlite::Error| error.to_string()))))
        };

        let end = last_number(source, table);
        let mut written = 0;
        let mut after = i64::MIN;
        let mut transaction = self.target.unchecked_transaction()?;
        loop {
            // As long as the pages are intact, one query finds all rows.
            let mut statement = source.prepare(&select(&format!("> ?1 ORDER BY {key}")));
            let mut rows = statement.as_mut().map(|statement| statement.query([after])).ok().and_then(Result::ok);
            let is_complete = loop {
                let Some(rows) = &mut rows else { break false };
                match rows.next().and_then(|row| row.map(read).transpose()) {
                    Ok(None) => break true,
                    Ok(Some((number, values))) => {
                        after = number;
                        self.write(&transaction, &insert, table, number, values, &mut written)?;
                        if written % COMMIT_ROWS == 0 {
                            transaction.commit()?;
                            transaction = self.target.unchecked_transaction()?;
                        }
                    }
                    Err(_) => break false,
                }
            };
            if is_complete {
                break;
            }
            // A damaged page is in the way: each number is looked up on its own until one is found.
            match self.find_next(&select("= ?1"), table, after, end, read) {
                Some((number, values)) => {
                    after = number;
                    self.write(&transaction, &insert, table, number, values, &mut written)?;
                }
                None => break,
            }
        }
        transaction.commit()?;
        Ok(written)
    }

    /// Looks for the next row by its number, and reports each number that SQLite cannot look up.
    fn find_next<T>(
        &mut self,
        select: &str,
        table: &Table,
        after: i64,
        end: Option<i64>,
        read: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Option<T> {
        let after = after.max(0);
        let end = end.unwrap_or(after.saturating_add(TRIES_MAX));
        let mut statement = self.source.prepare(select).ok()?;
        for number in after + 1..=end {
            match statement.query_row([number], |row| read(row)) {
                Ok(found) => return Some(found),
                Err(rusqlite::Error::QueryReturnedNoRows) => {}
                Err(error) => self.report(table.name, number.to_string(), error.to_string()),
            }
        }
        None
    }

    fn write(
        &mut self,
        transaction: &Transaction<'_>,
        insert: &str,
        table: &Table,
        number: i64,
        values: Result<Vec<Value>, String>,
        written: &mut u64,
    ) -> rusqlite::Result<()> {
        match values {
            Ok(values) => {
                *written += transaction.prepare_cached(insert)?.execute(params_from_iter(values))? as u64;
            }
            Err(cause) => self.report(table.name, number.to_string(), cause),
        }
        Ok(())
    }

    fn report(&mut self, table: &str, number: String, cause: String) {
        let kind = match table {
            "records" => "record",
            "dead_letters" => "dead letter",
            "replays" => "replay",
            _ => "cursor",
        };
        self.saved.lost += 1;
        (self.lost)(&LostRow { kind, number, cause });
    }

    /// Copies the cursors. None may be after the last record, or the journal would not open.
    fn copy_consumers(&mut self, last: i64) -> rusqlite::Result<()> {
        let columns = shared_columns(self.source, self.target, "consumers")?;
        if columns.is_empty() {
            return Ok(());
        }
        let places = vec!["?"; columns.len()].join(", ");
        let insert = format!("INSERT INTO consumers ({}) VALUES ({places})", columns.join(", "));
        let transaction = self.target.unchecked_transaction()?;
        let mut last_name = "the beginning".to_owned();
        let query = format!("SELECT {} FROM consumers ORDER BY name", columns.join(", "));
        let mut statement = self.source.prepare(&query)?;
        let mut rows = statement.query([])?;
        loop {
            let values = match rows.next() {
                Ok(None) => break,
                Ok(Some(row)) => (0..columns.len()).map(|column| row.get(column)).collect::<Result<Vec<Value>, _>>(),
                Err(error) => Err(error),
            };
            let mut values = match values {
                Ok(values) => values,
                Err(error) => {
                    self.report("consumers", format!("after {last_name}"), error.to_string());
                    break;
                }
            };
            for (column, value) in columns.iter().zip(&mut values) {
                match (column.as_str(), &mut *value) {
                    ("name", Value::Text(name)) => last_name = name.clone(),
                    ("cursor" | "position", Value::Integer(offset)) => *offset = (*offset).min(last),
                    ("pending" | "held", Value::Text(pairs)) => *pairs = pairs_until(pairs, last),
                    _ => {}
                }
            }
            transaction.execute(&insert, params_from_iter(values))?;
            self.saved.consumers += 1;
        }
        transaction.commit()
    }

    /// Writes the ids of all records into `batches`, because the writer expects that records without a row have no gaps. Ids of
    /// records before `first` are kept if they can be read.
    fn write_ids(&self, first: i64) -> rusqlite::Result<()> {
        let transaction = self.target.unchecked_transaction()?;
        let mut insert = transaction.prepare("INSERT OR IGNORE INTO batches (last_offset, ids) VALUES (?1, ?2)")?;
        if let Ok(mut earlier) = self.source.prepare("SELECT last_offset, ids FROM batches ORDER BY last_offset") {
            let mut rows = earlier.query([])?;
            while let Ok(Some(row)) = rows.next() {
                let (Ok(last), Ok(ids)) = (row.get::<_, i64>(0), row.get::<_, Vec<u8>>(1)) else { continue };
                let ids = ids.as_chunks::<16>().0;
                // The first row that reaches saved records has ids of earlier ones at its beginning.
                let surplus = last.saturating_sub(first).saturating_add(1).max(0);
                let kept = &ids[..ids.len().saturating_sub(surplus as usize)];
                if surplus > 0 && kept.is_empty() {
                    break;
                }
                insert.execute((last - surplus, kept.as_flattened()))?;
            }
        }
        let mut records = self.target.prepare("SELECT offset, id FROM records ORDER BY offset")?;
        let mut rows = records.query([])?;
        let (mut last, mut ids) = (0, Vec::new());
        while let Some(row) = rows.next()? {
            let offset: i64 = row.get(0)?;
            // The ids of a row are of consecutive offsets.
            if !ids.is_empty() && (ids.len() == ROW_IDS || offset != last + 1) {
                insert.execute((last, ids.as_flattened()))?;
                ids.clear();
            }
            last = offset;
            ids.push(row.get::<_, [u8; 16]>(1)?);
        }
        if !ids.is_empty() {
            insert.execute((last, ids.as_flattened()))?;
        }
        drop(insert);
        transaction.commit()
    }
}

/// The columns that a table has in both databases. An earlier version has fewer.
fn shared_columns(source: &Connection, target: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let columns = |connection: &Connection| -> rusqlite::Result<Vec<String>> {
        let mut statement = connection.prepare("SELECT name FROM pragma_table_info(?1)")?;
        statement.query_map([table], |row| row.get(0))?.collect()
    };
    let known: BTreeSet<String> = columns(target)?.into_iter().collect();
    Ok(columns(source)?.into_iter().filter(|column| known.contains(column)).collect())
}

/// The highest number that a table may have a row for; `None` if no query can say it.
fn last_number(source: &Connection, table: &Table) -> Option<i64> {
    let Table { name, key } = table;
    let queries = [
        format!("SELECT max({key}) FROM {name}"),
        "SELECT max(last_offset) FROM batches".to_owned(),
        "SELECT max(max(cursor), max(position)) FROM consumers".to_owned(),
    ];
    let count = if name == &RECORDS.name { queries.len() } else { 1 };
    let numbers = queries[..count]
        .iter()
        .filter_map(|query| source.query_row(query, [], |row| row.get::<_, Option<i64>>(0)).ok());
    numbers.flatten().max()
}

/// Keeps the pairs of a column whose offset is not after `last`. The offset is the number of each pair that begins it, or that
/// follows a text.
fn pairs_until(pairs: &str, last: i64) -> String {
    let is_kept = |pair: &Json| {
        let offset = if pair[0].is_string() { &pair[1] } else { &pair[0] };
        offset.as_i64().is_none_or(|offset| offset <= last)
    };
    match serde_json::from_str::<Vec<Json>>(pairs) {
        Ok(list) => Json::from_iter(list.into_iter().filter(is_kept)).to_string(),
        Err(_) => "[]".to_owned(),
    }
}

#[cfg(test)]
mod tests;
