//! Makes the index anew from the journal: takes in every record once more. A session is found anew from its first event
//! to its last one, if the journal still has them, and takes the place of what was known of it then; till then, and
//! otherwise, that stays. So no session is gone or looks younger than it is meanwhile.

use std::collections::HashMap;
use std::path::Path;

use super::database::{self, Settings};
use super::rows::StoredSession;
use super::store::Source;
use super::{IndexError, Options, Store};
use crate::journal::{Lock, Offset, Reader};
use crate::session::{Fact, Session};

/// How many records are taken in with one commit.
const BATCH_RECORDS: usize = 5000;

/// How many sessions are found anew at once. More keep what is known of them, and what comes is added to that.
const RENEWALS_MAX: usize = 100_000;

/// The sessions whose first event has come once more and whose last one has not, by their rows: what their events have said.
#[derive(Default)]
pub(super) struct Renewals(HashMap<i64, Session>);

impl Renewals {
    /// Takes in what an event says once more of a session that it was taken into before.
    pub(super) fn take_in(&mut self, stored: &mut StoredSession, fact: &Fact, offset: i64) {
        let (first, last) = stored.offsets;
        if offset == first && self.0.len() < RENEWALS_MAX {
            self.0.insert(stored.number, Session::default());
        }
        let Some(renewed) = self.0.get_mut(&stored.number) else { return stored.session.apply(fact) };
        renewed.apply(fact);
        if offset >= last
            && let Some(renewed) = self.0.remove(&stored.number)
        {
            stored.session = renewed;
        }
    }
}

impl Store {
    /// Begins to make the index anew from the journal, whose records stand from `first` to `last`: they are to be applied
    /// next. After a crash it begins anew.
    ///
    /// # Errors
    /// The disk does not do as asked.
    pub fn begin_rebuild(&mut self, first: Offset, last: Offset) -> Result<(), IndexError> {
        let transaction = self.connection.unchecked_transaction()?;
        database::keep(&transaction, "rebuild_from", Some(first.0))?;
        database::keep(&transaction, "rebuild_until", Some(last.0).filter(|last| *last >= first.0))?;
        database::keep(&transaction, "cursor", Some(first.before().0))?;
        database::keep(&transaction, "cursor_id", None::<String>)?;
        transaction.commit()?;
        self.recall()
    }

    /// Ends it, also where some of the records are gone that were to be applied.
    ///
    /// # Errors
    /// The disk does not do as asked.
    pub fn end_rebuild(&mut self) -> Result<(), IndexError> {
        self.rebuild_until = None;
        self.renewals = Renewals::default();
        database::keep(&self.connection, "rebuild_until", None::<i64>)
    }

    /// Up to where records are applied to make the index anew; `None` where it is not being made anew.
    pub fn rebuild_until(&self) -> Option<Offset> {
        self.rebuild_until
    }
}

/// Makes the index of a data directory anew while no service runs. `options` are for an index that is not there yet; one
/// that is keeps the settings that the service has given it. Blocks, and calls `progress` with the records done and about
/// how many there are.
///
/// # Errors
/// A service has the data directory, or the disk does not do as asked. A rebuild that was cut off goes on with the next
/// start of the service.
pub fn rebuild(data_dir: &Path, options: &Options, mut progress: impl FnMut(i64, i64)) -> Result<(), IndexError> {
    let reader = Reader::open(data_dir)?;
    let _lock = Lock::take(data_dir)?;
    let mut store = Store::open(data_dir, &kept_options(data_dir, options)?)?;
    // A journal that has let go of everything has nothing to say, not even how far it was.
    let Some(first) = reader.read(Offset::default(), 1)?.first().map(|record| record.offset) else { return Ok(()) };
    let head = reader.head()?.unwrap_or(first);
    let at_cursor = reader.get(store.cursor())?.map(|record| record.event.id());
    store.follow(&Source { journal_id: reader.journal_id()?, first: Some(first), head, at_cursor })?;
    store.begin_rebuild(first, head)?;
    let before = store.cursor().0;
    loop {
        let records = reader.read(store.cursor(), BATCH_RECORDS)?;
        if records.is_empty() {
            break;
        }
        store.apply(&records)?;
        progress(store.cursor().0 - before, head.0 - before);
    }
    store.end_rebuild()?;
    store.checkpoint()?;
    Ok(())
}

/// The options, with the settings of the index that is there in place of theirs.
fn kept_options(data_dir: &Path, options: &Options) -> Result<Options, IndexError> {
    let settings = match database::open_to_read(data_dir) {
        Ok(connection) => Settings::read(&connection)?,
        Err(IndexError::Absent(_)) => return Ok(options.clone()),
        Err(error) => return Err(error),
    };
    let secs = |ms: i64| u32::try_from(ms / 1000).unwrap_or(u32::MAX);
    Ok(Options {
        stale_after_secs: settings.stale_after_ms.map_or(0, secs),
        bridge_gap_secs: secs(settings.bridge_gap_ms),
        ..options.clone()
    })
}
