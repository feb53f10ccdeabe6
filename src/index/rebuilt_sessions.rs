//! The sessions that a rebuild of the index reads again.
//!
//! If the journal still has all records of a session, the rebuild replaces the stored session by what they say. Until the last
//! of them has been read, and if some are gone, the stored session stays. So a session never disappears or loses its start
//! during a rebuild.

use std::collections::HashMap;

use super::stored_session::StoredSession;
use crate::session::{Fact, Session};

/// How many sessions are in memory at once. The events of further sessions are added to the stored ones.
const SESSIONS_MAX: usize = 100_000;

/// Sessions by row, as the records read so far describe them. A session is here from its first record to its last.
#[derive(Default)]
pub(super) struct RebuiltSessions(HashMap<i64, Session>);

impl RebuiltSessions {
    /// Adds a fact of an event that the stored session already contains. With the last event of the session, replaces the
    /// stored session.
    pub(super) fn add(&mut self, stored: &mut StoredSession, fact: Fact, offset: i64) {
        let (first, last) = stored.offsets;
        if offset == first && self.0.len() < SESSIONS_MAX {
            self.0.insert(stored.number, Session::default());
        }
        let Some(rebuilt) = self.0.get_mut(&stored.number) else { return stored.session.apply(fact) };
        rebuilt.apply(fact);
        if offset >= last
            && let Some(rebuilt) = self.0.remove(&stored.number)
        {
            stored.session = rebuilt;
        }
    }
}
