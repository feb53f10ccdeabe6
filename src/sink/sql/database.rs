//! The connection to a server, as the sink uses it.

use async_trait::async_trait;

use super::tables::{Row, Table};

/// What a statement does with a row whose primary key is in the table already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Conflict {
    /// Leaves the stored row.
    Keep,
    /// Writes the key of the stored row again. So the commit writes something, and PostgreSQL waits for its standbys.
    Touch,
    /// Replaces the stored row.
    Replace,
}

/// A connection to a server. Drop it after an error, and while a statement runs.
#[async_trait]
pub(super) trait Database: Send {
    /// Runs statements without values, for example `BEGIN`.
    ///
    /// # Errors
    /// The server returned an error, or the connection broke.
    async fn run(&mut self, statement: &str) -> Result<(), sqlx::Error>;

    /// Adds rows, in order. Without rows it changes nothing, and finds out whether it could add some.
    ///
    /// # Errors
    /// The server returned an error, or the connection broke.
    async fn insert(&mut self, table: &Table, rows: &[Row], conflict: Conflict) -> Result<(), sqlx::Error>;

    /// Locks the rows with these keys until the end of the transaction. Returns the key and the column `facts` of each.
    ///
    /// # Errors
    /// The server returned an error, or the connection broke.
    async fn lock_facts(&mut self, table: &Table, keys: &[String]) -> Result<Vec<(String, String)>, sqlx::Error>;

    /// Commits the transaction. Returns a warning of the server. With a warning, the commit is no proof.
    ///
    /// # Errors
    /// The server returned an error, or the connection broke.
    async fn commit(&mut self) -> Result<Option<String>, sqlx::Error>;
}
