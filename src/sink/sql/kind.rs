//! The two kinds of servers, and how names and types differ in their statements.

/// The kind of a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// PostgreSQL, and servers that speak its protocol.
    #[default]
    Postgres,
    /// MySQL, MariaDB, and servers that speak their protocol.
    MySql,
}

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ColumnType {
    /// The id of an event.
    EventId,
    /// The id of a session.
    SessionId,
    /// Any text.
    Text,
    /// A whole number.
    Number,
    /// A time in UTC, to the millisecond.
    Time,
    /// True or false.
    Boolean,
    /// A JSON object.
    Json,
}

impl Kind {
    /// The `type` of the sink.
    pub fn type_name(self) -> &'static str {
        match self {
            Kind::Postgres => "postgres",
            Kind::MySql => "mysql",
        }
    }

    /// The schemes of its URLs.
    pub(super) fn schemes(self) -> &'static [&'static str] {
        match self {
            Kind::Postgres => &["postgres", "postgresql"],
            Kind::MySql => &["mysql", "mariadb"],
        }
    }

    /// The port of a URL without one.
    pub(super) fn port(self) -> u16 {
        match self {
            Kind::Postgres => 5432,
            Kind::MySql => 3306,
        }
    }

    /// The most characters of a name.
    pub(super) fn name_characters_max(self) -> usize {
        match self {
            Kind::Postgres => 63,
            Kind::MySql => 64,
        }
    }

    /// Quotes a name, such as `"livehook_events"`. A dot separates a schema from its table: `"public"."livehook_events"`.
    pub(super) fn quoted(self, name: &str) -> String {
        let quote = match self {
            Kind::Postgres => "\"",
            Kind::MySql => "`",
        };
        let parts: Vec<String> =
            name.split('.').map(|part| format!("{quote}{}{quote}", part.replace(quote, &quote.repeat(2)))).collect();
        parts.join(".")
    }

    /// The name of a type in a statement.
    pub(super) fn type_text(self, column_type: ColumnType) -> &'static str {
        match (self, column_type) {
            (Kind::Postgres, ColumnType::EventId) => "uuid",
            (Kind::Postgres, ColumnType::SessionId | ColumnType::Text) => "text",
            (Kind::Postgres, ColumnType::Time) => "timestamptz",
            (Kind::Postgres, ColumnType::Boolean) => "boolean",
            (Kind::Postgres, ColumnType::Json) => "jsonb",
            (Kind::MySql, ColumnType::EventId) => "char(36)",
            (Kind::MySql, ColumnType::SessionId) => "varchar(80)",
            (Kind::MySql, ColumnType::Text) => "text",
            (Kind::MySql, ColumnType::Time) => "datetime(3)",
            (Kind::MySql, ColumnType::Boolean) => "tinyint(1)",
            (Kind::MySql, ColumnType::Json) => "json",
            (_, ColumnType::Number) => "bigint",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted() {
        assert_eq!(Kind::Postgres.quoted("a\"; DROP TABLE b"), "\"a\"\"; DROP TABLE b\"");
        assert_eq!(Kind::MySql.quoted("a`b.c"), "`a``b`.`c`");
    }
}
