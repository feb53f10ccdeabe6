//! Answers questions beside the worker, also from another process. Every call is a few short reads, and blocks.

mod conditions;
mod hours;
mod live;
mod media;
mod past;
#[cfg(test)]
mod plan_tests;
#[cfg(test)]
mod query_tests;
mod together;

pub use past::SESSION_EVENTS_MAX;

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};

use super::IndexError;
use super::database::{self, Settings};
use super::query::Order;
use crate::callback::{EventId, StreamSelection};
use crate::journal::{self, Offset};
use crate::session::{State, StreamKey};

pub use hours::HourCount;

/// How many streams of a name are looked up one by one; more are found by looking at all sessions.
const STREAMS_MAX: usize = 500;

/// After how many of its steps SQLite asks whether to give up: some microseconds.
const STEPS_PER_QUESTION: i32 = 1000;

/// An open index, to be read only.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
    settings: Settings,
}

impl Reader {
    /// Opens the index of a data directory.
    ///
    /// # Errors
    /// There is none, it is of a newer version, or it is no index.
    pub fn open(data_dir: &Path) -> Result<Reader, IndexError> {
        let connection = database::open_to_read(data_dir)?;
        let settings = Settings::read(&connection)?;
        Ok(Reader { connection, settings })
    }

    /// Has every call that is under way or comes give up once `is_enough` says so, which is asked again and again. The
    /// error then [is one](IndexError::is_given_up) that says so.
    ///
    /// # Errors
    /// The database takes no such question.
    pub fn give_up_when(&mut self, is_enough: impl FnMut() -> bool + Send + 'static) -> Result<(), IndexError> {
        Ok(self.connection.progress_handler(STEPS_PER_QUESTION, Some(is_enough))?)
    }

    /// What the service was configured with when it last started.
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// The last record of the journal that is in the index.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn cursor(&self) -> Result<Offset, IndexError> {
        Ok(Offset(database::number(&self.connection, "cursor")?.unwrap_or(0)))
    }

    /// The id of the journal that it was made of; `None` before the first record.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn journal_id(&self) -> Result<Option<String>, IndexError> {
        database::text(&self.connection, "journal_id")
    }

    /// The last record of `journal` that is in the index; `None` if their offsets don't mean the same. They don't after
    /// another journal, or an earlier state of the same one, was put in the place of the indexed one, until a service has
    /// started with it.
    ///
    /// # Errors
    /// The index or the journal cannot be read.
    pub fn cursor_in(&self, journal: &journal::Reader) -> Result<Option<Offset>, IndexError> {
        let transaction = self.connection.unchecked_transaction()?;
        let cursor = self.cursor()?;
        let cursor_id = database::text(&transaction, "cursor_id")?;
        let journal_id = self.journal_id()?;
        transaction.commit()?;
        if journal_id != Some(journal.journal_id()?) {
            return Ok(None);
        }
        let is_same = match journal.get(cursor)? {
            Some(record) => cursor_id.is_none_or(|id| id == record.event.id().to_string()),
            // It was pruned, unless the journal has never come so far.
            None => journal.head()?.is_none_or(|head| head >= cursor),
        };
        Ok(is_same.then_some(cursor))
    }

    /// Where an event stands in the journal, where it has it more than once, the newest; `None` where it is not known.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn event(&self, id: EventId) -> Result<Option<Offset>, IndexError> {
        let query = "SELECT offset FROM events WHERE id = ?1";
        let mut statement = self.connection.prepare_cached(query)?;
        Ok(statement.query_row([id.to_bytes()], |row| row.get(0).map(Offset)).optional()?)
    }

    /// Where events of some streams stand, in the order in which they came: those after `after`, or before it with
    /// [`Order::Descending`]. Only where the stream names are given in full; else `None`.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn events_of_streams(
        &self,
        selection: &StreamSelection,
        after: Offset,
        order: Order,
        limit: usize,
    ) -> Result<Option<Vec<Offset>>, IndexError> {
        let transaction = self.connection.unchecked_transaction()?;
        let Some(streams) = self.streams_by_name(selection)? else { return Ok(None) };
        let Some(stretches) = database::stretches(&transaction)? else { return Ok(Some(Vec::new())) };
        let (first, last) = stretches.into_inner();
        let at = after.0 >> 16;
        let stretches: Vec<i64> = match order {
            Order::Ascending => (at.max(first)..=last).collect(),
            Order::Descending => (first..=at.min(last)).rev().collect(),
        };
        let mut offsets = Vec::new();
        for stretch in stretches {
            if offsets.len() >= limit {
                break;
            }
            offsets.extend(self.events_of_stretch(&streams, stretch, after, order, limit)?);
        }
        transaction.commit()?;
        offsets.truncate(limit);
        Ok(Some(offsets))
    }

    /// Where events of some streams stand within one stretch, in order; of each stream at most `limit`.
    fn events_of_stretch(
        &self,
        streams: &[i64],
        stretch: i64,
        after: Offset,
        order: Order,
        limit: usize,
    ) -> Result<Vec<Offset>, IndexError> {
        let query = match order {
            Order::Ascending => {
                "SELECT offset FROM events WHERE offset >> 16 = ?1 AND stream = ?2 AND offset > ?3
                 UNION SELECT offset FROM repeats WHERE offset >> 16 = ?1 AND stream = ?2 AND offset > ?3
                 ORDER BY offset LIMIT ?4"
            }
            Order::Descending => {
                "SELECT offset FROM events WHERE offset >> 16 = ?1 AND stream = ?2 AND offset < ?3
                 UNION SELECT offset FROM repeats WHERE offset >> 16 = ?1 AND stream = ?2 AND offset < ?3
                 ORDER BY offset DESC LIMIT ?4"
            }
        };
        let mut statement = self.connection.prepare_cached(query)?;
        let mut offsets: Vec<Offset> = Vec::new();
        for stream in streams {
            let rows = statement
                .query_map(params![stretch, stream, after.0, limit_of(limit)], |row| row.get(0).map(Offset))?;
            for offset in rows {
                offsets.push(offset?);
            }
        }
        offsets.sort_unstable();
        if order == Order::Descending {
            offsets.reverse();
        }
        Ok(offsets)
    }

    fn stream_key(&self, number: i64) -> Result<StreamKey, IndexError> {
        let mut statement = self.connection.prepare_cached("SELECT key FROM streams WHERE number = ?1")?;
        let key: Option<String> = statement.query_row([number], |row| row.get(0)).optional()?;
        Ok(StreamKey::from_text(&key.unwrap_or_default()))
    }

    /// The rows of the streams that are meant, where their names are given in full and they are not too many.
    fn streams_by_name(&self, selection: &StreamSelection) -> Result<Option<Vec<i64>>, IndexError> {
        if let Some(key) = &selection.key {
            let mut statement = self.connection.prepare_cached("SELECT number FROM streams WHERE key = ?1")?;
            let number = statement.query_row([key.as_str()], |row| row.get(0)).optional()?;
            return Ok(Some(number.into_iter().collect()));
        }
        let Some(exact) = selection.exact_names() else { return Ok(None) };
        let mut statement = self.connection.prepare_cached("SELECT number, key FROM streams WHERE stream = ?1")?;
        let mut numbers = Vec::new();
        for name in exact {
            let mut rows = statement.query([name])?;
            while let Some(row) = rows.next()? {
                let key = StreamKey::from_text(&row.get::<_, String>(1)?);
                if selection.takes(&key.domain(), &key.app_name(), &key.stream()) {
                    numbers.push(row.get(0)?);
                }
                if numbers.len() > STREAMS_MAX {
                    return Ok(None);
                }
            }
        }
        numbers.sort_unstable();
        numbers.dedup();
        Ok(Some(numbers))
    }

    fn live_since_ms(&self, now_ms: i64) -> i64 {
        State::live_since_ms(now_ms, self.settings.stale_after_ms)
    }
}

/// A limit as SQL takes it.
fn limit_of(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::{Callback, NamePattern, Options as VerifierOptions, Verifier};
    use crate::index::{Options, Store};
    use crate::journal::Record;

    /// A push of a stream, of the sequence of its offset.
    fn push(offset: i64, stream: &str) -> Record {
        let verifier = Verifier::new(VerifierOptions { allow_unsigned: true, ..VerifierOptions::default() }).unwrap();
        let body = format!(
            r#"{{"event_type":1,"app":"d.com","appname":"live","stream_id":"{stream}","event_time":1700000000,"sequence":"{offset}"}}"#
        );
        let event = verifier.verify(&Callback::parse(body.as_bytes()).unwrap(), 1_700_000_000_000).unwrap();
        Record { offset: Offset(offset), event }
    }

    fn selection(stream: &str) -> StreamSelection {
        StreamSelection { names: vec![NamePattern::new(stream).unwrap()], ..StreamSelection::default() }
    }

    const NONE: [i64; 0] = [];

    /// Offsets about the edges of stretches.
    const OFFSETS: [i64; 7] = [1, 65_535, 65_536, 131_071, 131_072, 400_000, 400_001];

    fn filled(directory: &Path) -> Store {
        let mut store = Store::open(directory, &Options::default()).unwrap();
        let records = OFFSETS.map(|offset| [push(offset, "a"), push(offset + 2, "b")]);
        let mut records = records.concat();
        records.sort_unstable_by_key(|record| record.offset);
        store.apply(&records).unwrap();
        store
    }

    #[test]
    fn events_of_a_stream_are_found_across_stretches_in_either_order() {
        let directory = tempfile::tempdir().unwrap();
        let _store = filled(directory.path());
        let reader = Reader::open(directory.path()).unwrap();
        let offsets = |after: i64, order, limit| -> Vec<i64> {
            let found = reader.events_of_streams(&selection("a"), Offset(after), order, limit).unwrap().unwrap();
            found.into_iter().map(|offset| offset.0).collect()
        };
        assert_eq!(offsets(0, Order::Ascending, 100), OFFSETS);
        assert_eq!(offsets(65_535, Order::Ascending, 2), [65_536, 131_071]);
        assert_eq!(offsets(131_072, Order::Ascending, 1), [400_000]);
        assert_eq!(offsets(400_001, Order::Ascending, 1), NONE);
        let mut newest_first = OFFSETS;
        newest_first.reverse();
        assert_eq!(offsets(i64::MAX, Order::Descending, 100), newest_first);
        assert_eq!(offsets(400_000, Order::Descending, 2), [131_072, 131_071]);
        assert_eq!(offsets(1, Order::Descending, 2), NONE);
        assert_eq!(offsets(i64::MAX, Order::Ascending, 2), NONE);
        assert_eq!(reader.events_of_streams(&selection("c"), Offset(0), Order::Ascending, 9).unwrap(), Some(vec![]));
    }

    #[test]
    fn questions_are_answered_by_the_indexes_made_for_them() {
        let directory = tempfile::tempdir().unwrap();
        let _store = filled(directory.path());
        let reader = Reader::open(directory.path()).unwrap();
        let plan = |query: &str| -> String {
            let mut statement = reader.connection.prepare(&format!("EXPLAIN QUERY PLAN {query}")).unwrap();
            let arguments = vec![1; statement.parameter_count()];
            let steps = statement.query_map(rusqlite::params_from_iter(arguments), |row| row.get(3)).unwrap();
            steps.collect::<rusqlite::Result<Vec<String>>>().unwrap().join("; ")
        };
        for (query, index) in [
            (media::RECORDINGS, "COVERING INDEX media_of_stream (stream=? AND event_type=? AND id>? AND id<?)"),
            (media::SCREENSHOTS, "COVERING INDEX media_of_stream (stream=? AND event_type=? AND id>? AND id<?)"),
            ("session = ?1 AND event_type = 321", "COVERING INDEX events_of_session (session=? AND event_type=?)"),
            ("session = ?1", "INDEX events_of_session (session=?)"),
            (
                "offset >> 16 = ?1 AND stream = ?2 AND offset < ?3 ORDER BY offset DESC",
                "INDEX events_of_stream (<expr>=? AND stream=? AND rowid<?)",
            ),
        ] {
            let from = if query.starts_with("events ") { "" } else { "events WHERE " };
            let plan = plan(&format!("SELECT count(*) FROM {from}{query}"));
            assert!(plan.contains(index), "{query}: {plan}");
        }
    }
}
