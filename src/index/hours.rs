//! Counts by UTC hour: events by the hour in which they were received, and the ends of sessions.
//!
//! An event counts once, when its row is new, and stays counted when the journal prunes it. The ends equal at any time a count
//! over `sessions`: whatever changes the end of a session changes its hour in the same transaction. An hour is removed
//! [`super::Options::retention_days`] after its beginning, before the sessions that ended in it. Otherwise it would count sessions
//! that are partly gone.

use rusqlite::{Connection, Row, params};

use super::IndexError;
use crate::callback::{Event, ReasonCategory};
use crate::moment::hour_of;
use crate::session::Session;

/// The tables, and the triggers that the second one had before version 4. `hour_ms` is the beginning of the hour in Unix ms,
/// `event_type` the short name. A row whose count is back to 0 may stay.
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

/// Changes of counts by hour and label. There are few of both, so a list is searched fast enough.
#[derive(Default)]
pub(super) struct HourCounts(Vec<(i64, &'static str, i64)>);

impl HourCounts {
    /// Counts a new event. Types without a name count as one type: a sender must not be able to make rows by inventing
    /// numbers.
    pub(super) fn add_event(&mut self, event: &Event) {
        self.add(hour_of(event.received_ms()), event.event_type().label(), 1);
    }

    /// Counts the end of a session.
    pub(super) fn add_end(&mut self, end: End) {
        self.add(end.hour_ms, end.category.label(), 1);
    }

    /// Takes the end of a session out of the counts.
    pub(super) fn remove_end(&mut self, end: End) {
        self.add(end.hour_ms, end.category.label(), -1);
    }

    fn add(&mut self, hour_ms: i64, label: &'static str, change: i64) {
        match self.0.iter_mut().find(|(hour, name, _)| *hour == hour_ms && *name == label) {
            Some((_, _, sum)) => *sum += change,
            None => self.0.push((hour_ms, label, change)),
        }
    }

    /// Adds the changes to the stored counts of events.
    pub(super) fn write_events(&self, connection: &Connection) -> rusqlite::Result<()> {
        self.write(connection, "event_hours")
    }

    /// Adds the changes to the stored counts of ends.
    pub(super) fn write_ends(&self, connection: &Connection) -> rusqlite::Result<()> {
        self.write(connection, "end_hours")
    }

    fn write(&self, connection: &Connection, table: &str) -> rusqlite::Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let text =
            format!("INSERT INTO {table} VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET count = count + excluded.count");
        let mut statement = connection.prepare_cached(&text)?;
        for (hour_ms, label, change) in &self.0 {
            statement.execute(params![hour_ms, label, change])?;
        }
        Ok(())
    }
}

/// The end of a session, as an hour counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    hour_ms: i64,
    category: ReasonCategory,
}

impl End {
    /// Returns the end of a session; `None` if it has not ended.
    pub(super) fn of(session: &Session) -> Option<End> {
        Some(End { hour_ms: hour_of(session.ended_ms()?), category: session.reason()?.category })
    }

    /// Reads the end of a stored session from its columns `ended_ms` and `reason_category`, which begin at `at`. A stored category
    /// can differ from the one that this program finds, because the meaning of a code can change.
    pub(super) fn read(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<End>> {
        let ended_ms: Option<i64> = row.get(at)?;
        let category = row.get_ref(at + 1)?.as_str_or_null()?.and_then(|label| label.parse().ok());
        Ok(ended_ms.zip(category).map(|(ended_ms, category)| End { hour_ms: hour_of(ended_ms), category }))
    }
}

/// Counts the ends of all sessions again. A rebuild does that, because it corrects what is wrong in the index.
pub(super) fn count_ends_again(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM end_hours", [])?;
    let count = "INSERT INTO end_hours SELECT ended_ms - ended_ms % 3600000, reason_category, count(*)
        FROM sessions WHERE ended_ms IS NOT NULL GROUP BY 1, 2";
    connection.execute(count, []).map(drop)
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
