//! The statements of MySQL and MariaDB, in words that MySQL 5.7 knows too.

use async_trait::async_trait;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Row as _};

use super::database::{Conflict, Database};
use super::kind::Kind;
use super::options::Options;
use super::tables::{Row, Table};
use super::tls_mode::TlsMode;
use crate::sink::server::{Credentials, Pem};

/// The most rows of one statement. A statement can have 65,535 values.
const ROWS_MAX: usize = 256;

/// A connection to MySQL.
pub(super) struct MySql {
    connection: MySqlConnection,
}

impl MySql {
    /// Connects and logs in. The caller limits the time.
    ///
    /// # Errors
    /// The server can't be reached, or refuses the login.
    pub(super) async fn open(options: &Options, tls: TlsMode, pem: Pem) -> Result<MySql, sqlx::Error> {
        let Credentials { user, password } = options.credentials();
        let mode = match tls {
            TlsMode::Off => MySqlSslMode::Disabled,
            TlsMode::Unchecked => MySqlSslMode::Required,
            TlsMode::Authority => MySqlSslMode::VerifyCa,
            TlsMode::Full => MySqlSslMode::VerifyIdentity,
        };
        let mut settings = MySqlConnectOptions::new()
            .host(options.url.host())
            .port(options.url.port(Kind::MySql.port()))
            .database(&options.database())
            .username(user.as_deref().unwrap_or("root"))
            .ssl_mode(mode)
            .pipes_as_concat(false)
            .no_engine_substitution(false)
            .disable_statement_logging();
        if let Some(password) = password {
            settings = settings.password(password.reveal());
        }
        if let Some(ca) = pem.ca {
            settings = settings.ssl_ca_from_pem(ca);
        }
        if let (Some(certificates), Some(key)) = (pem.certificates, pem.key) {
            settings = settings.ssl_client_cert_from_pem(certificates).ssl_client_key_from_pem(key);
        }
        let connection = settings.connect().await?;
        let mut mysql = MySql { connection };
        // Without a strict mode, the server cuts values that don't fit. If livehook gives up on a statement, the server does too, so
        // that no connection is left behind that waits for a lock.
        let settings = format!(
            "SET sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', lock_wait_timeout = {0}, innodb_lock_wait_timeout = {0}",
            options.timeout_secs
        );
        mysql.run(&settings).await?;
        Ok(mysql)
    }
}

#[async_trait]
impl Database for MySql {
    async fn run(&mut self, statement: &str) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut self.connection).await.map(drop)
    }

    async fn insert(&mut self, table: &Table, rows: &[Row], conflict: Conflict) -> Result<(), sqlx::Error> {
        if rows.is_empty() {
            let nothing = vec!["NULL"; table.columns.len()].join(", ");
            return self.run(&insertion(table, &format!("SELECT {nothing} FROM DUAL WHERE FALSE"), conflict)).await;
        }
        for rows in parts(rows) {
            let row = format!("({})", vec!["?"; table.columns.len()].join(", "));
            let values = format!("VALUES {}", vec![row; rows.len()].join(", "));
            let mut query = sqlx::query(AssertSqlSafe(insertion(table, &values, conflict)));
            for value in rows.iter().flatten() {
                query = query.bind(value.as_deref());
            }
            query.execute(&mut self.connection).await?;
        }
        Ok(())
    }

    async fn lock_facts(&mut self, table: &Table, keys: &[String]) -> Result<Vec<(String, String)>, sqlx::Error> {
        let (name, key) = (&table.name, table.key());
        let facts = table.kind.quoted("facts");
        let mut found = Vec::new();
        // Without keys it finds out whether it could lock some.
        let nothing = [String::new()];
        for keys in parts(if keys.is_empty() { &nothing } else { keys }) {
            let marks = vec!["?"; keys.len()].join(", ");
            let statement =
                format!("SELECT {key}, {facts} FROM {name} WHERE {key} IN ({marks}) ORDER BY {key} FOR UPDATE");
            let mut query = sqlx::query(AssertSqlSafe(statement));
            for key in keys {
                query = query.bind(key.as_str());
            }
            for row in query.fetch_all(&mut self.connection).await? {
                found.push((row.try_get(0)?, row.try_get(1)?));
            }
        }
        Ok(found)
    }

    async fn commit(&mut self) -> Result<Option<String>, sqlx::Error> {
        self.run("COMMIT").await.map(|()| None)
    }
}

/// Splits rows into parts whose lengths are powers of two. So there are few statements, and the server keeps them prepared. Without
/// that, each statement would wait 40 ms: the library sends its end and the next statement in two packets, and TCP delays the second.
fn parts<T>(rows: &[T]) -> impl Iterator<Item = &[T]> {
    let mut rest = rows;
    std::iter::from_fn(move || {
        let count = 1 << rest.len().min(ROWS_MAX).checked_ilog2()?;
        let (part, after) = rest.split_at(count);
        rest = after;
        Some(part)
    })
}

/// The statement that adds rows from `source`.
fn insertion(table: &Table, source: &str, conflict: Conflict) -> String {
    let (names, key) = (table.column_names(), table.key());
    let action = match conflict {
        // `INSERT IGNORE` would hide wrong values too.
        Conflict::Keep | Conflict::Touch => format!("{key} = {}.{key}", table.name),
        Conflict::Replace => {
            let others = names[1..].iter().map(|name| format!("{name} = VALUES({name})"));
            others.collect::<Vec<_>>().join(", ")
        }
    };
    format!("INSERT INTO {} ({}) {source} ON DUPLICATE KEY UPDATE {action}", table.name, names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_powers_of_two() {
        let lengths = |count: usize| parts(&vec![0; count]).map(<[i32]>::len).collect::<Vec<_>>();
        assert_eq!(lengths(0), [0; 0]);
        assert_eq!(lengths(1), [1]);
        assert_eq!(lengths(523), [256, 256, 8, 2, 1]);
    }
}
