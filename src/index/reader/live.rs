//! Which streams are live.

use std::cmp::Reverse;
use std::collections::HashMap;

use rusqlite::OptionalExtension;

use super::Reader;
use crate::index::IndexError;
use crate::index::query::Selection;
use crate::index::rows::{OPEN_SESSIONS, SESSION_COLUMNS, StoredSession};
use crate::index::view::StreamView;
use crate::moment::Moment;
use crate::session::StreamKey;

/// A stream that is live.
struct Live {
    /// When the oldest of its live sessions started, in Unix ms.
    since_ms: i64,
    /// The rows of these, oldest first.
    sessions: Vec<i64>,
    /// The time of their latest event, in Unix ms.
    last_ms: i64,
}

impl Reader {
    /// The streams that are live at `now_ms`, those that have come last first, after the one that had the place `after`.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn streams(
        &self,
        selection: &Selection,
        after: Option<(i64, i64)>,
        limit: usize,
        now_ms: i64,
    ) -> Result<Vec<StreamView>, IndexError> {
        let transaction = self.connection.unchecked_transaction()?;
        let mut live: HashMap<i64, Live> = HashMap::new();
        {
            let query = format!(
                "SELECT stream, number, started_ms, last_ms FROM {OPEN_SESSIONS}
                 WHERE ended_ms IS NULL AND last_ms >= ?1 ORDER BY started_ms, number"
            );
            let mut statement = self.connection.prepare_cached(&query)?;
            let mut rows = statement.query([self.live_since_ms(now_ms)])?;
            while let Some(row) = rows.next()? {
                let (started_ms, last_ms): (i64, i64) = (row.get(2)?, row.get(3)?);
                let live =
                    live.entry(row.get(0)?).or_insert(Live { since_ms: started_ms, sessions: Vec::new(), last_ms });
                live.sessions.push(row.get(1)?);
                live.last_ms = last_ms.max(live.last_ms);
            }
        }
        let is_due = |(stream, live): &(i64, Live)| after.is_none_or(|after| (live.since_ms, *stream) < after);
        let mut live: Vec<_> = live.into_iter().filter(is_due).collect();
        live.sort_unstable_by_key(|(stream, live)| Reverse((live.since_ms, *stream)));
        let mut views = Vec::new();
        for (stream, live) in live {
            if views.len() == limit {
                break;
            }
            let key = self.stream_key(stream)?;
            if selection.takes(&key.domain(), &key.app_name(), &key.stream()) {
                views.push(self.stream_view(stream, &key, &live)?);
            }
        }
        transaction.commit()?;
        Ok(views)
    }

    fn stream_view(&self, stream: i64, key: &StreamKey, live: &Live) -> Result<StreamView, IndexError> {
        let mut anomalies = 0;
        for session in &live.sessions {
            anomalies += self.anomalies(*session)?;
        }
        let query = format!("SELECT {SESSION_COLUMNS} FROM sessions WHERE number = ?1");
        let mut statement = self.connection.prepare_cached(&query)?;
        let newest = statement.query_row([live.sessions.last()], StoredSession::read).optional()?;
        let newest = newest.as_ref();
        let session = newest.map(|newest| &newest.session);
        let size = session.and_then(|session| session.size());
        Ok(StreamView {
            domain: key.domain().into_owned(),
            app_name: key.app_name().into_owned(),
            stream: key.stream().into_owned(),
            live_since: Moment(live.since_ms),
            pushes: live.sessions.len(),
            session: key.session(newest.map_or("", |newest| &newest.sequence)),
            user_address: session.and_then(|session| session.user_address()).map(str::to_owned),
            node: session.and_then(|session| session.node()).map(str::to_owned),
            width: size.map(|(width, _)| width),
            height: size.map(|(_, height)| height),
            last_event: Moment(live.last_ms),
            anomalies,
            place: (live.since_ms, stream),
        })
    }
}
