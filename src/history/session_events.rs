//! The events of one session. The index gives their offsets, and the journal holds them until it prunes them.

use crate::index::{self, IndexError, SESSION_EVENTS_MAX, SessionView};
use crate::journal::{self, JournalError, Offset, Record};

/// The events of a session, in the order of their times. They are read one by one, because together they may be large.
#[derive(Debug)]
pub struct SessionEvents<'r> {
    journal: &'r journal::Reader,
    offsets: Vec<Offset>,
    /// The offsets of its push, its stop and its manual end.
    ends: Vec<Offset>,
}

impl<'r> SessionEvents<'r> {
    /// The events of a session as it is at `now_ms` (Unix ms). If the index belongs to another journal, there are none:
    /// its offsets would lead to other events.
    ///
    /// # Errors
    /// The index or the journal cannot be read.
    pub fn of(
        session: &SessionView,
        index: &index::Reader,
        journal: &'r journal::Reader,
        now_ms: i64,
    ) -> Result<SessionEvents<'r>, IndexError> {
        let (mut offsets, mut ends) = (Vec::new(), Vec::new());
        if index.cursor_in(journal)?.is_some() {
            offsets = index.session_events(&session.id, now_ms)?;
            let ids = [session.push_event_id, session.stop_event_id, session.manual_end_event_id];
            for id in ids.into_iter().flatten() {
                // `bounded` must not leave these out.
                ends.extend(index.event(id)?);
            }
        }
        Ok(SessionEvents { journal, offsets, ends })
    }

    /// Whether these are all that the index knows, and not only the first [`SESSION_EVENTS_MAX`] of a kind.
    pub fn is_complete(&self) -> bool {
        self.offsets.len() < SESSION_EVENTS_MAX
    }

    /// The records that the journal still has.
    pub fn records(&self) -> impl Iterator<Item = Result<Record, JournalError>> {
        self.offsets.iter().filter_map(|offset| self.journal.get(*offset).transpose())
    }

    /// Returns records that the journal still has: at most `count_max`, and of about `bytes_max` bytes together. Also returns
    /// how many were left out. The push and the ends are always included, even beyond the limits.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub fn bounded(&self, count_max: usize, bytes_max: usize) -> Result<(Vec<Record>, usize), JournalError> {
        let (mut records, mut bytes, mut left_out) = (Vec::new(), 0, 0);
        for offset in &self.offsets {
            if !self.ends.contains(offset) && (records.len() >= count_max || bytes >= bytes_max) {
                left_out += 1;
            } else if let Some(record) = self.journal.get(*offset)? {
                bytes += record.event.line().len();
                records.push(record);
            }
        }
        Ok((records, left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::testing::event;
    use crate::history::testing::{BEGIN_SECS, Data};

    #[test]
    fn large_session_keeps_its_ends() {
        let data = Data::new();
        let padding = "x".repeat(10_000);
        let anomaly = |number: i64| {
            let secs = BEGIN_SECS + number;
            let anomaly = event("push-anomaly").stream_key("push.example.com/live/a").sequence(1);
            anomaly.member("x", padding.clone()).happened_secs(secs).at_ms(secs * 1000).build()
        };
        let middle = (2..20).map(anomaly);
        data.write([data.push("a", 1)].into_iter().chain(middle).chain([data.stop("a", 1, 60)]));
        data.index_all();
        let (journal, index) = data.readers();
        let session = index.sessions_of_sequence("1", 0).unwrap().remove(0);
        let events = SessionEvents::of(&session, &index, &journal, 0).unwrap();
        assert!(events.is_complete());
        let all: Vec<Record> = events.records().map(Result::unwrap).collect();
        assert_eq!(all.len(), 20);
        // The push is small, and the page ends with the first anomaly that is too much.
        for (count_max, bytes_max, count) in [(5, usize::MAX, 6), (usize::MAX, 45_000, 7)] {
            let (records, left_out) = events.bounded(count_max, bytes_max).unwrap();
            assert_eq!((records.len(), left_out), (count, 20 - count));
            assert_eq!((records.first(), records.last()), (all.first(), all.last()));
        }
    }

    #[test]
    fn another_journal_has_none_of_its_events() {
        let (one, other) = (Data::new(), Data::new());
        one.write([one.push("a", 1)]);
        one.index_all();
        other.write([other.push("b", 2)]);
        let (_, index) = one.readers();
        let journal = journal::Reader::open(other.path()).unwrap();
        let session = index.sessions_of_sequence("1", 0).unwrap().remove(0);
        let events = SessionEvents::of(&session, &index, &journal, 0).unwrap();
        assert_eq!(events.records().count(), 0);
    }
}
