//! Which streams and stops the lanes of the time line show.

use std::collections::HashSet;

use rusqlite::Row;

use super::Reader;
use crate::index::IndexError;
use crate::index::lane_views::LaneQuery;
use crate::session::StreamKey;

/// How many streams are looked up one by one. If more are selected, the newest sessions are searched for them.
const FEW_STREAMS: usize = 500;

/// The filter of a query, with the streams that it selects by name.
pub(super) struct LaneFilter<'q> {
    query: &'q LaneQuery,
    /// The rows of the selected streams; `None` for all.
    streams: Option<HashSet<i64>>,
}

impl<'q> LaneFilter<'q> {
    /// Finds the streams that the query selects by name. The caller holds a transaction.
    pub(super) fn of(reader: &Reader, query: &'q LaneQuery) -> Result<LaneFilter<'q>, IndexError> {
        let is_of_all = query.text.is_empty() && query.domain.is_empty() && query.app_name.is_empty();
        let streams = if is_of_all { None } else { Some(streams_with(reader, query)?) };
        Ok(LaneFilter { query, streams })
    }

    /// The selected streams, if they are few and nothing else selects.
    pub(super) fn few_streams(&self) -> Option<impl Iterator<Item = i64>> {
        let selects_stops =
            self.query.category.is_some() || self.query.errcode.is_some() || self.query.node.is_some();
        let streams = self.streams.as_ref().filter(|streams| streams.len() <= FEW_STREAMS && !selects_stops)?;
        Some(streams.iter().copied())
    }

    /// Whether a session of this stream is selected. The row has its `reason_category`, `stop_errcode` and `push_node`.
    pub(super) fn takes(&self, stream: i64, row: &Row<'_>) -> rusqlite::Result<bool> {
        let LaneQuery { category, errcode, node, .. } = self.query;
        Ok(self.streams.as_ref().is_none_or(|streams| streams.contains(&stream))
            && (errcode.is_none() || row.get::<_, Option<i64>>("stop_errcode")? == *errcode)
            && (category.is_none() || row.get_ref("reason_category")?.as_str_or_null()? == category.map(|c| c.label()))
            && (node.is_none() || row.get_ref("push_node")?.as_str_or_null()? == node.as_deref()))
    }
}

fn streams_with(reader: &Reader, query: &LaneQuery) -> Result<HashSet<i64>, IndexError> {
    let (text, domain) = (query.text.to_lowercase(), query.domain.to_lowercase());
    let mut statement = reader.connection.prepare_cached("SELECT number, key FROM streams")?;
    let mut rows = statement.query([])?;
    let mut streams = HashSet::new();
    while let Some(row) = rows.next()? {
        let key = StreamKey::from_text(row.get_ref(1)?.as_str().unwrap_or_default());
        let is_selected = (domain.is_empty() || key.domain() == domain)
            && (query.app_name.is_empty() || key.app_name() == query.app_name)
            && (text.is_empty() || key.has_text(&text));
        if is_selected {
            streams.insert(row.get(0)?);
        }
    }
    Ok(streams)
}
