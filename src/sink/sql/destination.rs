//! The destination of a sink: connects to the server, and finds out whether the tables are as needed.

use super::database::{Conflict, Database};
use super::fault::{Missing, failure, missing, missing_object};
use super::kind::Kind;
use super::mysql::MySql;
use super::options::Options;
use super::postgres::Postgres;
use super::tables::Table;
use super::tls_mode::TlsMode;
use crate::sink::Failure;
use crate::sink::server::{Pem, ShownServer};

/// The destination of a sink.
pub(super) struct Destination {
    /// The keys of the sink.
    pub(super) options: Options,
    /// The server, as messages show it.
    pub(super) server: ShownServer,
}

impl Destination {
    /// Makes the destination. It touches nothing until it connects.
    pub(super) fn new(options: Options) -> Destination {
        let secrets = options.credentials().own_secrets();
        let server = ShownServer { shown: options.url.shown(), secrets, timeout: options.limits().timeout() };
        Destination { options, server }
    }

    /// Connects, and finds out whether the tables are as needed. Makes missing ones if `creates`.
    ///
    /// # Errors
    /// The server can't be reached, or a table isn't as needed.
    pub(super) async fn open(&self, creates: bool) -> Result<Box<dyn Database>, Failure> {
        let opened = tokio::time::timeout(self.server.timeout, async {
            let mut database = self.connect().await?;
            for table in self.tables() {
                self.check_table(&mut *database, &table, creates).await?;
            }
            Ok(database)
        });
        opened.await.unwrap_or_else(|_| Err(self.server.no_connection()))
    }

    async fn connect(&self) -> Result<Box<dyn Database>, Failure> {
        let mode = self.options.tls_mode();
        let pem = if mode == TlsMode::Off { Pem::default() } else { self.options.tls_files().pem().await? };
        let database: Result<Box<dyn Database>, sqlx::Error> = match self.options.kind {
            Kind::Postgres => Postgres::open(&self.options, mode, pem).await.map(|database| Box::new(database) as _),
            Kind::MySql => MySql::open(&self.options, mode, pem).await.map(|database| Box::new(database) as _),
        };
        database.map_err(|error| failure(&self.server, &error))
    }

    fn tables(&self) -> Vec<Table> {
        std::iter::once(self.options.events()).chain(self.options.sessions()).collect()
    }

    /// Adds no row, which shows whether a row could be added.
    async fn check_table(&self, database: &mut dyn Database, table: &Table, creates: bool) -> Result<(), Failure> {
        let Err(error) = find(database, table).await else { return Ok(()) };
        match missing_object(&error) {
            Some(Missing::Table) if creates => {
                for statement in table.creation() {
                    database.run(&statement).await.map_err(|error| failure(&self.server, &error))?;
                }
                find(database, table).await.map_err(|error| failure(&self.server, &error))
            }
            Some(object) => Err(missing(&self.server, &error, object, table)),
            None => Err(failure(&self.server, &error)),
        }
    }

    /// Connects, and describes what it found. Changes nothing.
    ///
    /// # Errors
    /// Events could not be delivered.
    pub(super) async fn probe(&self) -> Result<String, Failure> {
        let shown = &self.server.shown;
        match self.open(false).await {
            Ok(_) => Ok(format!("{shown} can be reached, and has the tables; livehook sent no event")),
            Err(failure) if self.options.create_tables => self.probe_without_tables(failure).await,
            Err(failure) => Err(failure),
        }
    }

    /// Finds out whether only a table is missing, which livehook will make.
    async fn probe_without_tables(&self, failure: Failure) -> Result<String, Failure> {
        let mut database = self.connect().await?;
        for table in self.tables() {
            match find(&mut *database, &table).await {
                Err(error) if missing_object(&error) != Some(Missing::Table) => return Err(failure),
                _ => {}
            }
        }
        let shown = &self.server.shown;
        Ok(format!(
            "{shown} can be reached; it lacks a table, which livehook makes when it starts, and livehook sent no event"
        ))
    }
}

async fn find(database: &mut dyn Database, table: &Table) -> Result<(), sqlx::Error> {
    database.insert(table, &[], Conflict::Touch).await?;
    if table.columns.iter().any(|column| column.name == "facts") {
        database.lock_facts(table, &[]).await?;
    }
    Ok(())
}
