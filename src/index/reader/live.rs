//! Which streams are live.

use std::cmp::Reverse;
use std::collections::HashMap;

use rusqlite::params;

use super::Reader;
use crate::index::IndexError;
use crate::index::query::Selection;
use crate::index::rows::{SESSION_COLUMNS, StoredSession};
use crate::index::view::StreamView;
use crate::moment::Moment;
use crate::session::StreamKey;

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
        let mut live: HashMap<i64, (i64, usize, i64)> = HashMap::new();
        {
            let query = "SELECT stream, started_ms, last_ms FROM sessions WHERE ended_ms IS NULL AND last_ms >= ?1";
            let mut statement = self.connection.prepare_cached(query)?;
            let mut rows = statement.query([self.live_since_ms(now_ms)])?;
            while let Some(row) = rows.next()? {
                let (started_ms, last_ms): (i64, i64) = (row.get(1)?, row.get(2)?);
                let (since_ms, pushes, until_ms) = live.entry(row.get(0)?).or_insert((started_ms, 0, last_ms));
                *since_ms = started_ms.min(*since_ms);
                *until_ms = last_ms.max(*until_ms);
                *pushes += 1;
            }
        }
        let is_due = |(stream, (since_ms, _, _)): &(i64, (i64, usize, i64))| {
            after.is_none_or(|after| (*since_ms, *stream) < after)
        };
        let mut live: Vec<_> = live.into_iter().filter(is_due).collect();
        live.sort_unstable_by_key(|(stream, (since_ms, _, _))| Reverse((*since_ms, *stream)));
        let mut views = Vec::new();
        for (stream, (since_ms, pushes, last_ms)) in live {
            if views.len() == limit {
                break;
            }
            let key = self.stream_key(stream)?;
            if selection.takes(&key.domain(), &key.app_name(), &key.stream()) {
                views.push(self.stream_view(stream, &key, since_ms, pushes, last_ms, now_ms)?);
            }
        }
        transaction.commit()?;
        Ok(views)
    }

    fn stream_view(
        &self,
        number: i64,
        key: &StreamKey,
        since_ms: i64,
        pushes: usize,
        last_ms: i64,
        now_ms: i64,
    ) -> Result<StreamView, IndexError> {
        let query = format!(
            "SELECT {SESSION_COLUMNS} FROM sessions WHERE stream = ?1 AND ended_ms IS NULL AND last_ms >= ?2
             ORDER BY started_ms DESC, number DESC"
        );
        let mut statement = self.connection.prepare_cached(&query)?;
        let rows = statement.query_map(params![number, self.live_since_ms(now_ms)], StoredSession::read)?;
        let sessions = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        let mut anomalies = 0;
        for session in &sessions {
            anomalies += self.anomalies(session.number)?;
        }
        let newest = sessions.first();
        let session = newest.map(|newest| &newest.session);
        let size = session.and_then(|session| session.size());
        Ok(StreamView {
            domain: key.domain().into_owned(),
            app_name: key.app_name().into_owned(),
            stream: key.stream().into_owned(),
            live_since: Moment(since_ms),
            pushes,
            session: key.session(newest.map_or("", |newest| &newest.sequence)),
            user_address: session.and_then(|session| session.user_address()).map(str::to_owned),
            node: session.and_then(|session| session.node()).map(str::to_owned),
            width: size.map(|(width, _)| width),
            height: size.map(|(_, height)| height),
            last_event: Moment(last_ms),
            anomalies,
            place: (since_ms, number),
        })
    }
}
