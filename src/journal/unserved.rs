//! Changes the journal of a data directory that no service has open.

use std::path::Path;

use super::dead_letters::table::ChangeStep;
use super::writer::{Clocks, append_alone};
use super::{Appended, ChangedDeadLetters, DeadLetterAction, DeadLetterSelection, JournalError, schema};
use crate::callback::Event;
use crate::clock::Clock;
use crate::storage::Lock;

/// Stores an event. The index and the sinks get it after the next start. Blocks.
///
/// # Errors
/// A service has the data directory open, there is no journal, or it cannot be written.
pub fn append_unserved_event(data_dir: &Path, event: Event, clock: Clock) -> Result<Appended, JournalError> {
    check_exists(data_dir)?;
    let _lock = Lock::take(data_dir)?;
    append_alone(data_dir, event, Clocks::start(clock).now())
}

/// Redrives or drops the selected dead letters. Redriven ones are sent after the next start. The sinks of the last start count
/// as configured. Blocks.
///
/// # Errors
/// A service has the data directory open, there is no journal, or it cannot be written.
pub fn change_unserved_dead_letters(
    data_dir: &Path,
    action: DeadLetterAction,
    selection: DeadLetterSelection,
    now_ms: i64,
) -> Result<ChangedDeadLetters, JournalError> {
    check_exists(data_dir)?;
    let _lock = Lock::take(data_dir)?;
    change_all(data_dir, action, selection, now_ms).map_err(|error| error.with_path(&schema::path(data_dir)))
}

fn change_all(
    data_dir: &Path,
    action: DeadLetterAction,
    selection: DeadLetterSelection,
    now_ms: i64,
) -> Result<ChangedDeadLetters, JournalError> {
    let connection = schema::open(data_dir)?;
    let mut changed = ChangedDeadLetters::default();
    let mut next = Some(ChangeStep::first(action, selection));
    while let Some(step) = next {
        let result = step.run(&connection, now_ms)?;
        changed.add(result.changed);
        next = result.next;
    }
    Ok(changed)
}

/// Checks that there is a journal. Without this, the lock and the journal would be created in a directory that has neither.
fn check_exists(data_dir: &Path) -> Result<(), JournalError> {
    if schema::DATABASE.exists(data_dir)? { Ok(()) } else { Err(JournalError::Absent(schema::path(data_dir))) }
}
