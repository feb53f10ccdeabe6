//! Stores one event in a journal that no service has open.

use std::path::Path;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::super::{Appended, JournalError, Options, Start, schema};
use super::inbox::Append;
use super::now::Now;
use super::store::Store;
use crate::callback::Event;

/// Stores an event. Prunes nothing, and retires no consumer. The caller holds the lock.
///
/// # Errors
/// The journal cannot be opened or written.
pub(in super::super) fn append_alone(data_dir: &Path, event: Event, now: Now) -> Result<Appended, JournalError> {
    let consumers = consumers(&schema::open(data_dir)?)?;
    // The service may allow a smaller journal. It frees the space of one event after its next start.
    let options = Options { size_bytes_max: u64::MAX, ..Options::default() };
    let mut store = Store::open_and_write(data_dir, &options, &consumers, now)?;
    // No task waits for the reply, because the result is returned.
    let (reply, _) = oneshot::channel();
    let results = store.commit(&[Append { event, reply }], &[], now)?.results;
    let result = results.into_iter().next().ok_or(JournalError::Closed)?;
    result.map_err(|error| JournalError::Broken(error.to_string()))
}

/// Returns the consumers of the last start. Each has a cursor, so the start does not matter.
fn consumers(connection: &Connection) -> rusqlite::Result<Vec<(String, Start)>> {
    let mut statement = connection.prepare("SELECT name FROM consumers WHERE NOT is_retired")?;
    statement.query_map([], |row| Ok((row.get(0)?, Start::Now)))?.collect()
}
