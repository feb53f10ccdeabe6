//! What people change in a journal beside its events: dead letters and replays. Done by the writer while a service runs,
//! else by whoever holds the lock; slice by slice in either case.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::Connection;

use super::letters::{self, LetterSlice};
use super::lock::Lock;
use super::{JournalError, LetterAction, LetterSelection, NewReplay, database, file, replays};

/// A change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Of dead letters.
    Letters(LetterAction, LetterSelection),
    /// A replay begins.
    BeginReplay(NewReplay),
    /// The replay of a number ends.
    CancelReplay(i64),
}

/// What a change did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// How many dead letters, or replays, were changed. One that was put back already is not.
    pub count: u64,
    /// How many dead letters stayed as they were since their sink is not configured, by sink.
    pub without_sink: BTreeMap<String, u64>,
    /// The number of the replay that has begun; `None` where as many run as may.
    pub replay: Option<i64>,
}

/// A part of a change that is done at once.
#[derive(Clone, Debug)]
pub(super) struct Slice {
    pub(super) change: Change,
    /// After which number it begins, and up to which it goes at most; `None` is what is there when it begins.
    after: i64,
    last: Option<i64>,
}

/// What a part of a change did, and the part that comes next.
#[derive(Debug, Default)]
pub(super) struct Sliced {
    pub(super) changed: Changed,
    pub(super) letters: LetterSlice,
    pub(super) next: Option<Slice>,
}

impl Slice {
    /// The first part.
    pub(super) fn first(change: Change) -> Slice {
        Slice { change, after: 0, last: None }
    }

    /// Does it, in one transaction.
    pub(super) fn apply(self, connection: &Connection, now_ms: i64) -> rusqlite::Result<Sliced> {
        let mut sliced = Sliced::default();
        match &self.change {
            Change::Letters(action, selection) => {
                let last = match self.last {
                    Some(last) => last,
                    None => letters::last_number(connection)?,
                };
                let slice = letters::change_slice(connection, *action, selection, (self.after, last), now_ms)?;
                sliced.changed.count = slice.changed.values().sum();
                sliced.changed.without_sink.clone_from(&slice.without_sink);
                sliced.next = slice.next.map(|after| Slice { change: self.change, after, last: Some(last) });
                sliced.letters = slice;
            }
            Change::BeginReplay(order) => {
                sliced.changed.replay = replays::begin(connection, order, now_ms)?;
                sliced.changed.count = u64::from(sliced.changed.replay.is_some());
            }
            Change::CancelReplay(number) => {
                sliced.changed.count = u64::from(replays::cancel(connection, *number, now_ms)?);
            }
        }
        Ok(sliced)
    }
}

impl Changed {
    /// Adds what a later part did.
    pub(super) fn add(&mut self, later: Changed) {
        self.count += later.count;
        self.replay = later.replay.or(self.replay);
        for (sink, count) in later.without_sink {
            *self.without_sink.entry(sink).or_default() += count;
        }
    }
}

/// Changes the journal of a data directory that nobody serves. It takes effect at the next start. Which sinks are
/// configured is known from the last one. Blocks.
///
/// # Errors
/// Somebody serves it, there is none, or it cannot be written.
pub fn change_unserved(data_dir: &Path, change: Change, now_ms: i64) -> Result<Changed, JournalError> {
    if !file::is_there(&database::path(data_dir))? {
        return Err(JournalError::Absent(database::path(data_dir)));
    }
    let _lock = Lock::take(data_dir)?;
    let connection = database::open(data_dir)?;
    let mut changed = Changed::default();
    let mut next = Some(Slice::first(change));
    while let Some(slice) = next {
        let sliced = slice.apply(&connection, now_ms)?;
        changed.add(sliced.changed);
        next = sliced.next;
    }
    Ok(changed)
}
