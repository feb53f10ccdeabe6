//! Live streams.

use std::collections::HashMap;

use super::Reader;
use crate::callback::StreamSelection;
use crate::index::IndexError;
use crate::index::stored_session::OPEN_SESSIONS;
use crate::index::views::StreamView;
use crate::moment::Moment;
use crate::session::StreamKey;

/// The live sessions of a stream.
pub(super) struct Live {
    /// When the oldest one started, in Unix ms.
    pub(super) since_ms: i64,
    /// Their rows, oldest first.
    sessions: Vec<i64>,
    /// The time of their latest event, in Unix ms.
    last_ms: i64,
}

impl Reader {
    /// The streams that are live at `now_ms` (Unix ms), after the one at the place `after`. They are sorted by
    /// domain, app name and stream name, because names never change. The start of a live stream changes when the oldest of its
    /// pushes stops.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn streams(
        &self,
        selection: &StreamSelection,
        after: Option<i64>,
        limit: usize,
        now_ms: i64,
    ) -> Result<Vec<StreamView>, IndexError> {
        // A transaction, so that all statements see the index between the same two batches.
        let transaction = self.connection.unchecked_transaction()?;
        let mut live = self.live_streams(now_ms)?;
        // Names that are given in full leave few streams, whose keys are read one by one.
        let mut keys = match self.streams_by_name(selection)? {
            Some(named) => {
                live.retain(|stream, _| named.binary_search(stream).is_ok());
                HashMap::new()
            }
            None => self.live_keys(now_ms)?,
        };
        let after = after.map(|after| self.stream_key(after)).transpose()?;
        let mut due = Vec::new();
        for (stream, live) in live {
            let key = keys.remove(&stream).map_or_else(|| self.stream_key(stream), Ok)?;
            if after.as_ref().is_none_or(|after| key > *after) {
                due.push((key, stream, live));
            }
        }
        due.sort_unstable_by(|(one, ..), (other, ..)| one.cmp(other));
        due.retain(|(key, ..)| selection.takes(&key.domain(), &key.app_name(), &key.stream()));
        due.truncate(limit);
        let views = due.into_iter().map(|(key, stream, live)| self.stream_view(stream, &key, &live));
        let views = views.collect::<Result<Vec<_>, _>>()?;
        transaction.commit()?;
        Ok(views)
    }

    /// The live streams at `now_ms` by their rows. The caller holds a transaction.
    pub(super) fn live_streams(&self, now_ms: i64) -> Result<HashMap<i64, Live>, IndexError> {
        let mut live: HashMap<i64, Live> = HashMap::new();
        let query = format!(
            "SELECT stream, number, started_ms, last_ms FROM {OPEN_SESSIONS}
             WHERE ended_ms IS NULL AND last_ms >= ?1 ORDER BY started_ms, number"
        );
        let mut statement = self.connection.prepare_cached(&query)?;
        let mut rows = statement.query([self.live_since_ms(now_ms)])?;
        while let Some(row) = rows.next()? {
            let (started_ms, last_ms): (i64, i64) = (row.get(2)?, row.get(3)?);
            let live = live.entry(row.get(0)?).or_insert(Live { since_ms: started_ms, sessions: Vec::new(), last_ms });
            live.sessions.push(row.get(1)?);
            live.last_ms = last_ms.max(live.last_ms);
        }
        Ok(live)
    }

    /// The keys of the streams that are live at `now_ms` (Unix ms), by their rows. The caller holds a transaction.
    pub(super) fn live_keys(&self, now_ms: i64) -> Result<HashMap<i64, StreamKey>, IndexError> {
        // One query, because one for each stream takes longer.
        let query = format!(
            "SELECT number, key FROM streams
             WHERE number IN (SELECT stream FROM {OPEN_SESSIONS} WHERE ended_ms IS NULL AND last_ms >= ?1)"
        );
        let mut statement = self.connection.prepare_cached(&query)?;
        let keys = statement.query_map([self.live_since_ms(now_ms)], |row| {
            Ok((row.get(0)?, StreamKey::from_text(&row.get::<_, String>(1)?)))
        })?;
        Ok(keys.collect::<Result<_, _>>()?)
    }

    pub(super) fn stream_view(&self, stream: i64, key: &StreamKey, live: &Live) -> Result<StreamView, IndexError> {
        let mut anomalies = 0;
        for session in &live.sessions {
            anomalies += self.anomalies(*session)?;
        }
        let newest = live.sessions.last().map_or(Ok(None), |number| self.stored_session(*number))?;
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
            place: stream,
        })
    }
}

#[cfg(test)]
mod tests;
