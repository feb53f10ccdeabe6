//! The place of the index in the journal that it follows.

use super::Reader;
use crate::index::IndexError;
use crate::journal::{self, Offset};
use crate::storage::meta;

impl Reader {
    /// The last record of the journal that is in the index.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn cursor(&self) -> Result<Offset, IndexError> {
        Ok(Offset(meta::number(&self.connection, "cursor")?.unwrap_or(0)))
    }

    /// The id of the journal that the index was made from; `None` before it has followed one.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn journal_id(&self) -> Result<Option<String>, IndexError> {
        Ok(meta::text(&self.connection, "journal_id")?)
    }

    /// The last record of `journal` that is in the index; `None` if the two use an offset for different records. That happens
    /// if another journal, or an earlier copy of the same one, took the place of the indexed one. The next start of the
    /// service mends it.
    ///
    /// # Errors
    /// The index or the journal cannot be read.
    pub fn cursor_in(&self, journal: &journal::Reader) -> Result<Option<Offset>, IndexError> {
        // The three values must be from one moment, because the worker may be writing.
        let transaction = self.connection.unchecked_transaction()?;
        let cursor = self.cursor()?;
        let cursor_id = meta::text(&transaction, "cursor_id")?;
        let journal_id = self.journal_id()?;
        transaction.commit()?;
        if journal_id != Some(journal.journal_id()?) {
            return Ok(None);
        }
        let is_same = match journal.get(cursor)? {
            Some(record) => cursor_id.is_none_or(|id| id == record.event.id().to_string()),
            // The record was pruned, unless the journal ends before it.
            None => journal.head()?.is_none_or(|head| head >= cursor),
        };
        Ok(is_same.then_some(cursor))
    }
}
