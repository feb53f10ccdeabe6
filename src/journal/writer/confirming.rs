//! Confirms stored events. If a callback was accepted without a signature and its signed copy comes later, the stored event becomes
//! verified. It keeps its id, its offset and the time of its arrival, and no second event is stored.

use rusqlite::{OptionalExtension, Transaction, params};

use super::super::dead_letters::table as dead_letters;
use super::super::reader::record;
use super::super::{AppendError, Appended, JournalError, Offset, Record};
use super::inbox::Append;
use super::known_ids::KnownIds;
use crate::callback::Event;

/// What the signed copies of a batch changed.
#[derive(Debug, Default)]
pub(super) struct Confirmed {
    /// The records that are verified now.
    pub(super) records: Vec<Record>,
    /// How many dead letters are verified now.
    pub(super) dead_letters: usize,
}

impl Confirmed {
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty() && self.dead_letters == 0
    }
}

/// Confirms the stored events whose signed copies are in a batch, within its transaction. `results` are the results of `appends`.
///
/// # Errors
/// The database cannot be read or written.
pub(super) fn confirm(
    transaction: &Transaction<'_>,
    appends: &[Append],
    results: &[Result<Appended, AppendError>],
    ids: &KnownIds,
) -> Result<Confirmed, JournalError> {
    let mut confirmed = Confirmed::default();
    for (Append { event: copy, .. }, result) in appends.iter().zip(results) {
        // Only a duplicate reads the stored event, so other callbacks cost nothing more.
        if *result == Ok(Appended::Duplicate) && copy.is_verified() {
            for offset in ids.offsets(transaction, copy.id(), Offset(0))? {
                confirm_record(transaction, offset, copy, &mut confirmed)?;
            }
        }
    }
    Ok(confirmed)
}

/// Confirms the record at an offset, and the dead letters of its event.
fn confirm_record(
    transaction: &Transaction<'_>,
    offset: Offset,
    proof: &Event,
    confirmed: &mut Confirmed,
) -> Result<(), JournalError> {
    let found = transaction
        .prepare_cached("SELECT offset, id, event_type, received_ms, line FROM records WHERE offset = ?1 AND id = ?2")?
        .query_row(params![offset.0, proof.id().to_bytes()], |row| Ok(record(row)))
        .optional()?;
    // Without a record, it is pruned, and its dead letters may be left.
    if let Some(stored) = found {
        // A record that can't be read must not stop the journal. Its readers report it.
        let Some(event) = stored.ok().and_then(|stored| stored.event.confirmed_by(proof)) else { return Ok(()) };
        transaction
            .prepare_cached("UPDATE records SET line = ?2 WHERE offset = ?1")?
            .execute(params![offset.0, event.line()])?;
        confirmed.records.push(Record { offset, event });
    }
    confirmed.dead_letters += dead_letters::confirm(transaction, proof)?;
    Ok(())
}

#[cfg(test)]
mod tests;
