//! Which streams and stops the lanes of the time line show.

use std::collections::HashSet;

use rusqlite::Row;

use super::Reader;
use crate::index::IndexError;
use crate::index::lane_views::LaneQuery;

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
        Ok(LaneFilter { query, streams: reader.streams_with(&query.streams)? })
    }

    /// Makes the filter of a query for given streams.
    pub(super) fn of_streams(query: &'q LaneQuery, streams: &[i64]) -> LaneFilter<'q> {
        LaneFilter { query, streams: Some(streams.iter().copied().collect()) }
    }

    /// The selected streams, if they are few and nothing else selects.
    pub(super) fn few_streams(&self) -> Option<impl Iterator<Item = i64>> {
        let selects_stops = self.query.category.is_some() || self.query.errcode.is_some() || self.query.node.is_some();
        let streams = self.streams.as_ref().filter(|streams| streams.len() <= FEW_STREAMS && !selects_stops)?;
        Some(streams.iter().copied())
    }

    /// Whether a stream is selected by name.
    pub(super) fn has(&self, stream: i64) -> bool {
        self.streams.as_ref().is_none_or(|streams| streams.contains(&stream))
    }

    /// Whether a session of this stream is selected. The row has its `reason_category`, `stop_errcode` and `push_node`.
    pub(super) fn takes(&self, stream: i64, row: &Row<'_>) -> rusqlite::Result<bool> {
        let LaneQuery { category, errcode, node, .. } = self.query;
        Ok(self.has(stream)
            && (errcode.is_none() || row.get::<_, Option<i64>>("stop_errcode")? == *errcode)
            && (category.is_none() || row.get_ref("reason_category")?.as_str_or_null()? == category.map(|c| c.label()))
            && (node.is_none() || row.get_ref("push_node")?.as_str_or_null()? == node.as_deref()))
    }
}
