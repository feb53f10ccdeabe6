//! The statements of PostgreSQL. The rows of a statement are one array for each column, so its text doesn't depend on their number.

use async_trait::async_trait;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Row as _};

use super::database::{Conflict, Database};
use super::kind::Kind;
use super::options::Options;
use super::server_warnings::ServerWarnings;
use super::tables::{Row, Table};
use super::tls_mode::TlsMode;
use crate::sink::server::{Credentials, Pem};

/// A connection to PostgreSQL.
pub(super) struct Postgres {
    connection: PgConnection,
    warnings: ServerWarnings,
}

impl Postgres {
    /// Connects and logs in. The caller limits the time.
    ///
    /// # Errors
    /// The server can't be reached, or refuses the login.
    pub(super) async fn open(options: &Options, tls: TlsMode, pem: Pem) -> Result<Postgres, sqlx::Error> {
        let Credentials { user, password } = options.credentials();
        let mode = match tls {
            TlsMode::Off => PgSslMode::Disable,
            TlsMode::Unchecked => PgSslMode::Require,
            TlsMode::Authority => PgSslMode::VerifyCa,
            TlsMode::Full => PgSslMode::VerifyFull,
        };
        let mut settings = PgConnectOptions::new_without_pgpass()
            .host(options.url.host())
            .port(options.url.port(Kind::Postgres.port()))
            .database(&options.database())
            .password(password.as_ref().map(|password| password.reveal()).unwrap_or_default())
            .application_name("livehook")
            .ssl_mode(mode)
            .disable_statement_logging();
        if let Some(user) = user {
            settings = settings.username(&user);
        }
        if let Some(ca) = pem.ca {
            settings = settings.ssl_root_cert_from_pem(ca);
        }
        if let (Some(certificates), Some(key)) = (pem.certificates, pem.key) {
            settings = settings.ssl_client_cert_from_pem(certificates).ssl_client_key_from_pem(key);
        }
        let connection = settings.connect().await?;
        let mut postgres = Postgres { connection, warnings: ServerWarnings::new() };
        // If livehook gives up on a statement, the server does too, so that no connection is left behind that waits for a lock.
        // Without `synchronous_commit`, the answer to a commit proves nothing.
        let timeout_ms = 1000 * options.timeout_secs;
        let settings = format!(
            "SET statement_timeout = {timeout_ms}; SET lock_timeout = {timeout_ms}; \
             SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
        );
        postgres.run(&settings).await?;
        Ok(postgres)
    }
}

#[async_trait]
impl Database for Postgres {
    async fn run(&mut self, statement: &str) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut self.connection).await.map(drop)
    }

    async fn insert(&mut self, table: &Table, rows: &[Row], conflict: Conflict) -> Result<(), sqlx::Error> {
        let mut query = sqlx::query(AssertSqlSafe(insertion(table, conflict)));
        for position in 0..table.columns.len() {
            query = query.bind(rows.iter().map(|row| row[position].clone()).collect::<Vec<Option<String>>>());
        }
        // A prepared statement with a name fails behind a pooler that shares connections.
        query.persistent(false).execute(&mut self.connection).await.map(drop)
    }

    async fn lock_facts(&mut self, table: &Table, keys: &[String]) -> Result<Vec<(String, String)>, sqlx::Error> {
        let (name, key) = (&table.name, table.key());
        let facts = table.kind.quoted("facts");
        let statement = format!("SELECT {key}, {facts} FROM {name} WHERE {key} = ANY($1) ORDER BY {key} FOR UPDATE");
        let query = sqlx::query(AssertSqlSafe(statement)).bind(keys).persistent(false);
        let rows = query.fetch_all(&mut self.connection).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }

    async fn commit(&mut self) -> Result<Option<String>, sqlx::Error> {
        let commit = sqlx::raw_sql("COMMIT").execute(&mut self.connection);
        let (result, warning) = self.warnings.catch(commit).await;
        result.map(|_| warning)
    }
}

/// The statement that adds rows.
fn insertion(table: &Table, conflict: Conflict) -> String {
    let (names, key) = (table.column_names(), table.key());
    let numbers = 1..=names.len();
    let values: Vec<String> = numbers
        .clone()
        .zip(table.columns)
        .map(|(number, column)| format!("v.c{number}::{}", table.kind.type_text(column.column_type)))
        .collect();
    let arrays: Vec<String> = numbers.clone().map(|number| format!("${number}::text[]")).collect();
    let aliases: Vec<String> = numbers.map(|number| format!("c{number}")).collect();
    let action = match conflict {
        Conflict::Keep => "NOTHING".to_owned(),
        Conflict::Touch => format!("UPDATE SET {key} = EXCLUDED.{key}"),
        Conflict::Replace => {
            let others = names[1..].iter().map(|name| format!("{name} = EXCLUDED.{name}"));
            format!("UPDATE SET {}", others.collect::<Vec<_>>().join(", "))
        }
    };
    format!(
        "INSERT INTO {} ({}) SELECT {} FROM UNNEST({}) WITH ORDINALITY AS v({}, n) ORDER BY v.n ON CONFLICT ({key}) DO {action}",
        table.name,
        names.join(", "),
        values.join(", "),
        arrays.join(", "),
        aliases.join(", "),
    )
}
