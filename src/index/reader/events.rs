//! Events: their offsets in the journal, by id, by stream and by type.

use rusqlite::{OptionalExtension, params};

use super::Reader;
use super::open::limit_of;
use crate::callback::{EventId, EventType, StreamSelection};
use crate::index::query::Order;
use crate::index::{IndexError, schema};
use crate::journal::Offset;

impl Reader {
    /// The offset of an event's record, of its newest one if the journal has several; `None` if the index doesn't know it.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn event(&self, id: EventId) -> Result<Option<Offset>, IndexError> {
        let query = "SELECT offset FROM events WHERE id = ?1";
        let mut statement = self.connection.prepare_cached(query)?;
        Ok(statement.query_row([id.to_bytes()], |row| row.get(0).map(Offset)).optional()?)
    }

    /// The offsets of events of some streams after `after`, or before it in [`Order::Descending`], in that order. `None` if
    /// the streams are not named in full, or are too many.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn events_of_streams(
        &self,
        selection: &StreamSelection,
        after: Offset,
        order: Order,
        limit: usize,
    ) -> Result<Option<Vec<Offset>>, IndexError> {
        let transaction = self.connection.unchecked_transaction()?;
        let Some(streams) = self.streams_by_name(selection)? else { return Ok(None) };
        let Some(stretches) = schema::stretches(&transaction)? else { return Ok(Some(Vec::new())) };
        let (first, last) = stretches.into_inner();
        let at = after.0 >> 16;
        let stretches: Vec<i64> = match order {
            Order::Ascending => (at.max(first)..=last).collect(),
            Order::Descending => (first..=at.min(last)).rev().collect(),
        };
        let mut offsets = Vec::new();
        for stretch in stretches {
            if offsets.len() >= limit {
                break;
            }
            offsets.extend(self.events_of_stretch(&streams, stretch, after, order, limit)?);
        }
        transaction.commit()?;
        offsets.truncate(limit);
        Ok(Some(offsets))
    }

    /// An offset before which the index knows no event; `None` if it knows none at all.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn events_begin(&self) -> Result<Option<Offset>, IndexError> {
        let stretches = schema::stretches(&self.connection)?;
        Ok(stretches.map(|stretches| Offset(stretches.start() << 16)))
    }

    /// The offsets of events of some types after `after` up to `last`, or before `after` down to `last` in
    /// [`Order::Descending`], in that order. If the journal has an event several times, its earlier offsets are among them,
    /// whatever its type.
    ///
    /// # Errors
    /// The index cannot be read.
    pub fn events_of_types(
        &self,
        types: &[EventType],
        after: Offset,
        last: Offset,
        order: Order,
        limit: usize,
    ) -> Result<Vec<Offset>, IndexError> {
        let numbers: Vec<String> = types.iter().map(|event_type| event_type.number().to_string()).collect();
        let (range, order) = match order {
            Order::Ascending => ("offset > ?1 AND offset <= ?2", "ASC"),
            Order::Descending => ("offset < ?1 AND offset >= ?2", "DESC"),
        };
        // No index by type: a scan of these short rows is fast, and an index would cost each event.
        let query = format!(
            "SELECT offset FROM events WHERE {range} AND event_type IN ({})
             UNION ALL SELECT offset FROM repeats WHERE {range}
             ORDER BY offset {order} LIMIT ?3",
            numbers.join(", ")
        );
        let mut statement = self.connection.prepare_cached(&query)?;
        let rows = statement.query_map(params![after.0, last.0, limit_of(limit)], |row| row.get(0).map(Offset))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The offsets of events of some streams within one stretch, in order, and at most `limit` of each stream.
    fn events_of_stretch(
        &self,
        streams: &[i64],
        stretch: i64,
        after: Offset,
        order: Order,
        limit: usize,
    ) -> Result<Vec<Offset>, IndexError> {
        // If the journal has an event several times, `repeats` has its earlier offsets.
        let query = match order {
            Order::Ascending => {
                "SELECT offset FROM events WHERE offset >> 16 = ?1 AND stream = ?2 AND offset > ?3
                 UNION SELECT offset FROM repeats WHERE offset >> 16 = ?1 AND stream = ?2 AND offset > ?3
                 ORDER BY offset LIMIT ?4"
            }
            Order::Descending => {
                "SELECT offset FROM events WHERE offset >> 16 = ?1 AND stream = ?2 AND offset < ?3
                 UNION SELECT offset FROM repeats WHERE offset >> 16 = ?1 AND stream = ?2 AND offset < ?3
                 ORDER BY offset DESC LIMIT ?4"
            }
        };
        let mut statement = self.connection.prepare_cached(query)?;
        let mut offsets: Vec<Offset> = Vec::new();
        for stream in streams {
            let rows = statement
                .query_map(params![stretch, stream, after.0, limit_of(limit)], |row| row.get(0).map(Offset))?;
            for offset in rows {
                offsets.push(offset?);
            }
        }
        // Each stream came in order, but all of them together did not.
        offsets.sort_unstable();
        if order == Order::Descending {
            offsets.reverse();
        }
        Ok(offsets)
    }
}

#[cfg(test)]
mod tests;
