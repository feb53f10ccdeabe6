//! Counts by UTC hour: events by the hour in which they were received, and the ends of sessions.
//!
//! An event counts once, when its row is new, and stays counted when the journal prunes it. The ends equal at any time a count
//! over `sessions`: triggers in the database see to that. An hour is removed [`super::Options::retention_days`] after its
//! beginning, before the sessions that ended in it. Otherwise it would count sessions that are partly gone.

use rusqlite::{Connection, params};

use super::IndexError;
use crate::callback::Event;
use crate::moment::hour_of;

/// The tables, and the triggers of the second one. `hour_ms` is the beginning of the hour in Unix ms, `event_type` the short
/// name. A row whose count is back to 0 may stay.
pub(super) const TABLES: &str = "
    CREATE TABLE event_hours (
        hour_ms INTEGER NOT NULL,
        event_type TEXT NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (hour_ms, event_type)
    ) WITHOUT ROWID;
    CREATE TABLE end_hours (
        hour_ms INTEGER NOT NULL,
        reason_category TEXT NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (hour_ms, reason_category)
    ) WITHOUT ROWID;
    CREATE TRIGGER end_added AFTER INSERT ON sessions WHEN new.ended_ms IS NOT NULL BEGIN
        INSERT INTO end_hours VALUES (new.ended_ms - new.ended_ms % 3600000, new.reason_category, 1)
            ON CONFLICT DO UPDATE SET count = count + 1;
    END;
    CREATE TRIGGER end_changed_to AFTER UPDATE OF ended_ms, reason_category ON sessions
    WHEN new.ended_ms IS NOT NULL
        AND (new.ended_ms IS NOT old.ended_ms OR new.reason_category IS NOT old.reason_category) BEGIN
        INSERT INTO end_hours VALUES (new.ended_ms - new.ended_ms % 3600000, new.reason_category, 1)
            ON CONFLICT DO UPDATE SET count = count + 1;
    END;
    CREATE TRIGGER end_changed_from AFTER UPDATE OF ended_ms, reason_category ON sessions
    WHEN old.ended_ms IS NOT NULL
        AND (new.ended_ms IS NOT old.ended_ms OR new.reason_category IS NOT old.reason_category) BEGIN
        UPDATE end_hours SET count = count - 1
            WHERE hour_ms = old.ended_ms - old.ended_ms % 3600000 AND reason_category = old.reason_category;
    END;
    CREATE TRIGGER end_removed AFTER DELETE ON sessions WHEN old.ended_ms IS NOT NULL BEGIN
        UPDATE end_hours SET count = count - 1
            WHERE hour_ms = old.ended_ms - old.ended_ms % 3600000 AND reason_category = old.reason_category;
    END;
";

/// The new events of a batch by hour and type. There are few of both, so a list is searched fast enough.
#[derive(Default)]
pub(super) struct EventHours(Vec<(i64, &'static str, i64)>);

impl EventHours {
    /// Counts a new event. Types without a name count as one type: a sender must not be able to make rows by inventing
    /// numbers.
    pub(super) fn add(&mut self, event: &Event) {
        let (hour_ms, label) = (hour_of(event.received_ms()), event.event_type().label());
        match self.0.iter_mut().find(|(hour, name, _)| *hour == hour_ms && *name == label) {
            Some((_, _, count)) => *count += 1,
            None => self.0.push((hour_ms, label, 1)),
        }
    }

    /// Adds the counts to the stored ones.
    pub(super) fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        let mut statement = connection.prepare_cached(
            "INSERT INTO event_hours VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET count = count + excluded.count",
        )?;
        for (hour_ms, label, count) in &self.0 {
            statement.execute(params![hour_ms, label, count])?;
        }
        Ok(())
    }
}

/// Removes the hours that began before a time in Unix ms.
pub(super) fn prune(connection: &Connection, oldest_ms: i64) -> Result<(), IndexError> {
    for table in ["event_hours", "end_hours"] {
        connection.prepare_cached(&format!("DELETE FROM {table} WHERE hour_ms < ?1"))?.execute([oldest_ms])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
