//! Explains the errors of a server: whether a row is at fault, and what to do.

use sqlx::error::DatabaseError;
use sqlx::mysql::MySqlDatabaseError;

use super::tables::Table;
use crate::sink::Failure;
use crate::sink::server::{ShownServer, after};
use crate::sink::tls_cure::tls_cure;

/// The errors of MySQL that concern a row, although their class says otherwise: a value that doesn't fit, a check that fails, and a
/// statement that is too large.
const ROW_NUMBERS: [u16; 5] = [1153, 1265, 1366, 3819, 4025];

/// The errors of MySQL about a column that gets no value. Every row has them.
const NO_VALUE_NUMBERS: [u16; 2] = [1048, 1364];

/// Why a transaction failed.
#[derive(Debug)]
pub(super) enum Fault {
    /// The server refuses a row for good.
    Row(String),
    /// The server takes no row now.
    Outage(Failure),
}

/// An object that is missing, or isn't as livehook needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// A table, or the schema that it's in.
    Table,
    /// A column.
    Column,
}

/// Explains an error of a transaction.
pub(super) fn fault(server: &ShownServer, error: &sqlx::Error) -> Fault {
    match error.as_database_error() {
        Some(database_error) if is_of_row(database_error) => {
            let message = server.printable(database_error.message());
            Fault::Row(format!("{} refuses the row: {}{message}", server.shown, code(database_error)))
        }
        _ => Fault::Outage(failure(server, error)),
    }
}

/// Explains an error that no row causes.
pub(super) fn failure(server: &ShownServer, error: &sqlx::Error) -> Failure {
    let shown = &server.shown;
    match error.as_database_error() {
        Some(database_error) => {
            let message = server.printable(database_error.message());
            let (code, cure) = (code(database_error), after(cure(database_error)));
            Failure::outage(format!("{shown} answered \"{code}{message}\"{cure}"))
        }
        None => {
            let cause = match error {
                sqlx::Error::Io(error) => error.to_string(),
                sqlx::Error::Tls(error) => error.to_string(),
                error => error.to_string(),
            };
            let cause = server.printable(&cause);
            let cure = after(connection_cure(&cause));
            Failure::outage(format!("{shown}: no connection, or it broke: {cause}{cure}"))
        }
    }
}

/// Explains that an object is missing, and shows the statement that makes it.
pub(super) fn missing(server: &ShownServer, error: &sqlx::Error, missing: Missing, table: &Table) -> Failure {
    let message = server.printable(error.as_database_error().map_or("", |error| error.message()));
    let statement = match missing {
        Missing::Table => table.creation().join("; "),
        Missing::Column => {
            let is_named =
                |name: &str| message.contains(&format!("\"{name}\"")) || message.contains(&format!("'{name}'"));
            let columns = table.columns.iter();
            let column = columns.clone().find(|column| is_named(column.name)).unwrap_or(&table.columns[0]);
            format!("ALTER TABLE {} ADD COLUMN {}", table.name, table.definition(column))
        }
    };
    Failure::outage(format!("{} answered \"{message}\"; make it: {statement}", server.shown))
}

/// Returns the kind of object that is missing; `None` if the error has another cause.
pub(super) fn missing_object(error: &sqlx::Error) -> Option<Missing> {
    match error.as_database_error()?.code()?.as_ref() {
        "42P01" | "3F000" | "42S02" => Some(Missing::Table),
        "42703" | "42S22" => Some(Missing::Column),
        _ => None,
    }
}

/// The number of a MySQL error; 0 for PostgreSQL.
fn number(error: &dyn DatabaseError) -> u16 {
    error.try_downcast_ref::<MySqlDatabaseError>().map_or(0, MySqlDatabaseError::number)
}

/// The code of an error before its text, for example `22P02: `.
fn code(error: &dyn DatabaseError) -> String {
    match (number(error), error.code()) {
        (0, Some(code)) => format!("{code}: "),
        (0, None) => String::new(),
        (number, _) => format!("{number}: "),
    }
}

/// Whether the server refuses a row for good. Data exceptions (22) and broken constraints (23) are of a row, except for a column of
/// the user's own that needs a value. Limits of the server (54) concern a row that is too large or nested too deep.
fn is_of_row(error: &dyn DatabaseError) -> bool {
    let code = error.code().unwrap_or_default();
    let is_of_class = ["22", "23", "54"].iter().any(|class| code.starts_with(class));
    let needs_value = code == "23502" || NO_VALUE_NUMBERS.contains(&number(error));
    (is_of_class || ROW_NUMBERS.contains(&number(error))) && !needs_value
}

fn cure(error: &dyn DatabaseError) -> Option<&'static str> {
    let of_code = |code: &str| match code {
        "23502" => Some("give each further column a default, or let it be NULL"),
        "25006" => Some("the server is a standby: let `url` name the primary"),
        "28P01" => Some("correct `user` and the password"),
        "28000" => {
            Some("let pg_hba.conf allow this login; if it wants encryption, add ?sslmode=verify-full to the URL")
        }
        "3D000" => Some("create this database, or correct the path of `url`"),
        "42501" => Some(
            "grant the user SELECT, INSERT and UPDATE on the tables, and with `create_tables` CREATE on their schema",
        ),
        "42P10" => Some("the column `id` needs a primary key or a unique index"),
        "53100" => Some("the disk of the server is full"),
        "53300" => Some("the server has no connection left: raise max_connections, or close some"),
        _ => None,
    };
    match number(error) {
        0 => of_code(error.code()?.as_ref()),
        1044 | 1142 | 1143 => {
            Some("grant the user SELECT, INSERT and UPDATE on the tables, and with `create_tables` CREATE")
        }
        1045 => Some("correct `user` and the password"),
        1048 | 1364 => Some("give each further column a default, or let it be NULL"),
        1021 | 1114 => Some("the disk of the server is full"),
        1040 => Some("the server has no connection left: raise max_connections, or close some"),
        1049 => Some("create this database, or correct the path of `url`"),
        1290 | 1792 | 1836 => Some("the server only reads: let `url` name the primary"),
        3159 => Some("add ?sslmode=verify-full to the URL"),
        _ => None,
    }
}

fn connection_cure(cause: &str) -> Option<&'static str> {
    if cause.contains("refused") || cause.contains("lookup") {
        return Some("does the server run, and does it listen at `url`?");
    }
    if cause.contains("does not support TLS") {
        return Some("turn TLS on at the server, or use sslmode=disable in `url`");
    }
    if cause.contains("rsa") {
        return Some("this login of MySQL 8 needs TLS: add ?sslmode=verify-full to the URL");
    }
    tls_cure(cause)
}
