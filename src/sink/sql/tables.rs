//! The two tables: their columns, the statement that makes each, and the row of an event.

use std::borrow::Cow;

use serde::Deserialize;

use super::kind::{ColumnType, Kind};
use crate::callback::Event;
use crate::moment::{Moment, parse};

/// The values of a row as text, in the order of the columns.
pub(super) type Row = Vec<Option<String>>;

/// The first and the last time that both kinds of servers and [`Moment`] can hold, in Unix ms.
const TIME_MS: (i64, i64) = (-30_610_224_000_000, 253_402_207_199_999);

/// A column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    /// Its name.
    pub(super) name: &'static str,
    /// Its type.
    pub(super) column_type: ColumnType,
    /// Whether every row has a value.
    is_required: bool,
}

const fn required(name: &'static str, column_type: ColumnType) -> Column {
    Column { name, column_type, is_required: true }
}

const fn optional(name: &'static str, column_type: ColumnType) -> Column {
    Column { name, column_type, is_required: false }
}

/// A table.
#[derive(Clone, Debug)]
pub(super) struct Table {
    /// The kind of its server.
    pub(super) kind: Kind,
    /// Its quoted name.
    pub(super) name: String,
    /// Its columns. The first one is the primary key.
    pub(super) columns: &'static [Column],
    /// The columns with an index.
    indexes: &'static [&'static str],
}

impl Table {
    /// The table of events.
    pub(super) fn of_events(kind: Kind, name: &str) -> Table {
        Table { kind, name: kind.quoted(name), columns: &EVENT_COLUMNS, indexes: &["received"] }
    }

    /// The table of sessions.
    pub(super) fn of_sessions(kind: Kind, name: &str) -> Table {
        Table { kind, name: kind.quoted(name), columns: &SESSION_COLUMNS, indexes: &["started", "ended"] }
    }

    /// The quoted name of the primary key.
    pub(super) fn key(&self) -> String {
        self.kind.quoted(self.columns[0].name)
    }

    /// The quoted names of the columns.
    pub(super) fn column_names(&self) -> Vec<String> {
        self.columns.iter().map(|column| self.kind.quoted(column.name)).collect()
    }

    /// The definition of a column, for example `"id" uuid NOT NULL`.
    pub(super) fn definition(&self, column: &Column) -> String {
        let suffix = if column.is_required { " NOT NULL" } else { "" };
        format!("{} {}{suffix}", self.kind.quoted(column.name), self.kind.type_text(column.column_type))
    }

    /// The statements that make the table.
    pub(super) fn creation(&self) -> Vec<String> {
        let columns: Vec<String> = self.columns.iter().map(|column| self.definition(column)).collect();
        let mut body = format!("{}, PRIMARY KEY ({})", columns.join(", "), self.key());
        let name = &self.name;
        let indexes = self.indexes.iter().map(|column| self.kind.quoted(column));
        match self.kind {
            Kind::Postgres => std::iter::once(format!("CREATE TABLE {name} ({body})"))
                .chain(indexes.map(|column| format!("CREATE INDEX ON {name} ({column})")))
                .collect(),
            Kind::MySql => {
                indexes.for_each(|column| body.push_str(&format!(", KEY ({column})")));
                // Ids and names differ in upper and lower case.
                let options = "ENGINE = InnoDB DEFAULT CHARACTER SET = utf8mb4 COLLATE = utf8mb4_bin";
                vec![format!("CREATE TABLE {name} ({body}) {options}")]
            }
        }
    }
}

const EVENT_COLUMNS: [Column; 9] = [
    required("id", ColumnType::EventId),
    required("type", ColumnType::Text),
    required("domain", ColumnType::Text),
    required("app", ColumnType::Text),
    required("stream", ColumnType::Text),
    optional("sequence", ColumnType::Text),
    optional("time", ColumnType::Time),
    required("received", ColumnType::Time),
    required("data", ColumnType::Json),
];

/// The columns have the names of `livehook sessions --output csv`. Counts of other events are missing, and the state, because it
/// changes without an event. `facts` holds what the later events of a session are merged with.
const SESSION_COLUMNS: [Column; 27] = [
    required("id", ColumnType::SessionId),
    required("domain", ColumnType::Text),
    required("app_name", ColumnType::Text),
    required("stream", ColumnType::Text),
    required("sequence", ColumnType::Text),
    optional("appid", ColumnType::Number),
    required("started", ColumnType::Time),
    optional("ended", ColumnType::Time),
    optional("duration_ms", ColumnType::Number),
    optional("reason_errcode", ColumnType::Number),
    optional("reason_sub", ColumnType::Number),
    optional("reason_category", ColumnType::Text),
    optional("reason_meaning", ColumnType::Text),
    optional("reason_actor", ColumnType::Text),
    optional("reason_advice", ColumnType::Text),
    optional("reason_is_hint", ColumnType::Boolean),
    optional("reason_errmsg", ColumnType::Text),
    optional("user_address", ColumnType::Text),
    optional("node", ColumnType::Text),
    optional("width", ColumnType::Number),
    optional("height", ColumnType::Number),
    required("first_event", ColumnType::Time),
    required("last_event", ColumnType::Time),
    optional("push_event_id", ColumnType::EventId),
    optional("stop_event_id", ColumnType::EventId),
    optional("manual_end_event_id", ColumnType::EventId),
    required("facts", ColumnType::Text),
];

/// Returns a time (Unix ms) in the form that both kinds of servers read as UTC.
pub(super) fn time_text(time_ms: i64) -> String {
    let text = Moment(time_ms.clamp(TIME_MS.0, TIME_MS.1)).to_string();
    text.trim_end_matches('Z').to_owned()
}

/// The row of an event.
pub(super) fn event_row(event: &Event) -> Row {
    let key = event.partition_key();
    let row = [
        event.id().to_string(),
        event.event_type().cloud_event_type().to_string(),
        key.domain().into_owned(),
        key.app_name().into_owned(),
        key.stream().into_owned(),
    ];
    let mut row: Row = row.into_iter().map(Some).collect();
    row.push(event.sequence().map(Cow::into_owned));
    row.push(event_time_ms(event).map(time_text));
    row.push(Some(time_text(event.received_ms())));
    row.push(Some(event.data().to_owned()));
    row
}

/// The member `time` of an event, in Unix ms.
fn event_time_ms(event: &Event) -> Option<i64> {
    #[derive(Deserialize)]
    struct Head<'e> {
        #[serde(borrow)]
        time: Option<Cow<'e, str>>,
    }
    let head: Head<'_> = serde_json::from_str(event.line()).ok()?;
    parse(&head.time?, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::testing::event;

    #[test]
    fn rows_have_a_value_for_each_column() {
        let event =
            event("push").stream("a").sequence("7").happened_secs(1_700_000_000).at_ms(1_700_000_001_234).build();
        let row = event_row(&event);
        assert_eq!(row.len(), EVENT_COLUMNS.len());
        assert_eq!(row[4].as_deref(), Some("a"));
        assert_eq!(row[5].as_deref(), Some("7"));
        assert_eq!(row[6].as_deref(), Some("2023-11-14T22:13:20"));
        assert_eq!(row[7].as_deref(), Some("2023-11-14T22:13:21.234"));
    }

    #[test]
    fn times_stay_within_both_servers() {
        assert_eq!(time_text(i64::MIN), "1000-01-01T00:00:00");
        assert_eq!(time_text(i64::MAX), "9999-12-30T21:59:59.999");
    }

    #[test]
    fn tables_are_as_recorded() {
        let kinds = [Kind::Postgres, Kind::MySql];
        let all = kinds.map(|kind| {
            let tables = [Table::of_events(kind, "livehook_events"), Table::of_sessions(kind, "live.sessions")];
            tables.map(|table| table.creation().join(";\n").replace(", ", ",\n  ")).join(";\n\n")
        });
        insta::assert_snapshot!(all.join(";\n\n"));
    }
}
