//! Opens the databases of a data directory, each with one writer and any number of readers, and upgrades their tables.

use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::file::{directory_of, is_readable, is_write_protected, make_private, resolved};
use super::lock::Lock;
use super::lost::Traces;
use super::schema_check::Objects;
use super::wal::BUSY_TIMEOUT;
use super::{StorageError, disk_space, layout, meta, own_file, sort_in_files, wal};

#[cfg(test)]
mod tests;

/// After a burst, a checkpoint that empties the WAL shrinks its file to this size.
const WAL_BYTES_KEPT: i64 = 64 * 1024 * 1024;

/// How many prepared statements a writer keeps. One batch of the index runs more than 16, which is the number that rusqlite keeps.
const STATEMENTS_KEPT: usize = 64;

/// A kind of database. Its version is 1 plus the number of migrations.
#[derive(Debug)]
pub(crate) struct Database {
    /// The name of its file in the data directory.
    pub(crate) file_name: &'static str,
    /// The number in the file's header that identifies this kind, for example `lvhk` in ASCII.
    pub(crate) application_id: i64,
    /// The SQL that creates the tables of version 1, in addition to `meta`.
    pub(crate) tables: &'static [&'static str],
    /// The SQL that upgrades version 1 to 2, version 2 to 3, and so on. A new database goes through all of them too, so it
    /// equals an upgraded one.
    pub(crate) migrations: &'static [&'static str],
    /// The files of the data directory that livehook makes only when this database is there. If one exists, an empty file is a lost
    /// database and not a new one. None, if the database can be made again from others.
    pub(crate) followers: &'static [&'static str],
    /// The size of a page. A new file gets it, and a small one of an earlier version at its next start.
    pub(crate) page_bytes: i64,
    /// Settings of the writer's connection: pragmas and their values.
    pub(crate) settings: &'static [(&'static str, i64)],
}

impl Database {
    /// The version that this program writes.
    pub(crate) const fn version(&self) -> i64 {
        1 + self.migrations.len() as i64
    }

    /// The path of the database in a data directory.
    pub(crate) fn path(&self, data_dir: &Path) -> PathBuf {
        data_dir.join(self.file_name)
    }

    /// Opens the database for its one writer. Creates it if it does not exist, and then calls `fill` in the same
    /// transaction; upgrades it if it is older.
    ///
    /// # Errors
    /// The file is lost, foreign, newer or damaged, its tables don't fit its version, it cannot have a WAL, or it cannot be written.
    /// Then nothing in it has changed.
    pub(crate) fn open(
        &self,
        data_dir: &Path,
        fill: impl FnOnce(&Connection) -> Result<(), StorageError>,
    ) -> Result<Connection, StorageError> {
        let path = self.path(data_dir);
        check_files(&path)?;
        disk_space::check(&path)?;
        self.open_to_write(&path, fill).map_err(|error| error.with_path(&path))
    }

    fn open_to_write(
        &self,
        path: &Path,
        fill: impl FnOnce(&Connection) -> Result<(), StorageError>,
    ) -> Result<Connection, StorageError> {
        let traces = Traces::find(path, self.followers);
        traces.check_file(path)?;
        match make_private(path) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(StorageError::io(path)(error)),
            _ => {}
        }
        let mut connection = connect_to_write(path)?;
        let is_new = is_empty(&connection, path)?;
        if is_new {
            traces.check_tables(path)?;
            // The WAL fixes the layout, so the order matters.
            layout::set(&connection, self.page_bytes)?;
        } else {
            self.check_version(&connection, path)?;
            if !layout::is_current(&connection, self.page_bytes)? {
                layout::renew(connection, path, self.page_bytes);
                connection = connect_to_write(path)?;
            }
        }
        // SQLite does not wait for a lock if a transaction that has read something wants to write. Even a reader takes that
        // lock for a moment, to recover the WAL. So each transaction takes the lock when it begins.
        connection.set_transaction_behavior(TransactionBehavior::Immediate);
        connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
        wal::switch_on(&connection, path)?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        connection.pragma_update(None, "journal_size_limit", WAL_BYTES_KEPT)?;
        for (name, value) in self.settings {
            connection.pragma_update(None, name, value)?;
        }
        if is_new {
            self.create(&connection, fill)?;
        }
        self.migrate(&connection)?;
        // Not earlier, because SQLite makes the index with the first use of the WAL.
        disk_space::reserve_index(path)?;
        Ok(connection)
    }

    /// Opens the database for reading. A writer may have it open at the same time.
    ///
    /// # Errors
    /// The file does not exist, is lost, foreign, newer or damaged, its tables don't fit its version, or this user cannot read it.
    pub(crate) fn open_to_read(&self, data_dir: &Path) -> Result<Connection, StorageError> {
        let path = self.path(data_dir);
        check_files(&path)?;
        let is_there = self.exists(data_dir)?;
        let traces = Traces::find(&path, self.followers);
        traces.check_file(&path)?;
        if !is_there {
            return Err(StorageError::Absent(path));
        }
        self.connect_and_check(&path, &traces).map_err(|error| error.with_path(&path))
    }

    fn connect_and_check(&self, path: &Path, traces: &Traces) -> Result<Connection, StorageError> {
        let connection = connect_to_read(path)?;
        if is_empty(&connection, path)? {
            traces.check_tables(path)?;
            // The process that created it was killed before it could make the tables.
            return Err(StorageError::Absent(path.to_owned()));
        }
        self.check_version(&connection, path)?;
        Ok(connection)
    }

    /// Whether the file exists.
    ///
    /// # Errors
    /// This user cannot read it.
    pub(crate) fn exists(&self, data_dir: &Path) -> Result<bool, StorageError> {
        is_readable(&self.path(data_dir))
    }

    /// Checks that a database opened for reading has every table and column of this version.
    ///
    /// # Errors
    /// An older livehook made it, and none has upgraded it since.
    pub(crate) fn check_is_current(&self, connection: &Connection) -> Result<(), StorageError> {
        if version_of(connection)? < self.version() {
            return Err(StorageError::Older {
                path: connection.path().unwrap_or_default().into(),
                known: self.version(),
            });
        }
        Ok(())
    }

    fn create(
        &self,
        connection: &Connection,
        fill: impl FnOnce(&Connection) -> Result<(), StorageError>,
    ) -> Result<(), StorageError> {
        let transaction = connection.unchecked_transaction()?;
        transaction.execute_batch(meta::TABLE)?;
        for tables in self.tables {
            transaction.execute_batch(tables)?;
        }
        fill(&transaction)?;
        transaction.pragma_update(None, "application_id", self.application_id)?;
        transaction.pragma_update(None, "user_version", 1)?;
        Ok(transaction.commit()?)
    }

    /// Upgrades the tables, all at once or not at all.
    fn migrate(&self, connection: &Connection) -> Result<(), StorageError> {
        let found = version_of(connection)?;
        if found >= self.version() {
            return Ok(());
        }
        // A new index is a sort of its table.
        sort_in_files(connection, || {
            let transaction = connection.unchecked_transaction()?;
            for migration in self.migrations.iter().skip(usize::try_from(found - 1).unwrap_or(0)) {
                transaction.execute_batch(migration)?;
            }
            transaction.pragma_update(None, "user_version", self.version())?;
            Ok(transaction.commit()?)
        })
    }

    fn check_version(&self, connection: &Connection, path: &Path) -> Result<(), StorageError> {
        // One transaction reads the version and the tables, because another process may upgrade them between two reads.
        let connection = &connection.unchecked_transaction()?;
        let application_id: i64 = connection
            .pragma_query_value(None, "application_id", |row| row.get(0))
            .map_err(|error| foreign_or(path, error))?;
        if application_id != self.application_id {
            return Err(StorageError::Foreign(path.to_owned()));
        }
        let found = version_of(connection)?;
        if found > self.version() {
            return Err(StorageError::Newer { path: path.to_owned(), found, known: self.version() });
        }
        match self.objects_of_version(found)?.missing_in(&Objects::of(connection)?) {
            Some(difference) => Err(StorageError::Different { path: path.to_owned(), version: found, difference }),
            None => Ok(()),
        }
    }

    /// Returns the tables, indexes and triggers that a database of a version has.
    fn objects_of_version(&self, version: i64) -> Result<Objects, StorageError> {
        let connection = Connection::open_in_memory()?;
        connection.execute_batch(meta::TABLE)?;
        let migrations = self.migrations.iter().take(usize::try_from(version - 1).unwrap_or(0));
        for sql in self.tables.iter().chain(migrations) {
            connection.execute_batch(sql)?;
        }
        Ok(Objects::of(&connection)?)
    }

    /// Returns a text for each version that changes when the tables of the version do.
    #[cfg(test)]
    pub(crate) fn fingerprints(&self) -> Vec<String> {
        use sha2::Digest;
        let text = |version| self.objects_of_version(version).unwrap().text();
        (1..=self.version()).map(|version| hex::encode(&sha2::Sha256::digest(text(version))[..8])).collect()
    }
}

/// Checks the files of a database before SQLite opens them. Its own error would name neither the file nor the cause.
fn check_files(path: &Path) -> Result<(), StorageError> {
    let companions = wal::companions(path);
    let files = [path].into_iter().chain(companions.iter().map(PathBuf::as_path));
    files.into_iter().try_for_each(|file| own_file::check(file).map_err(StorageError::io(file)))
}

/// Connects to a database, also if it was replaced by a symbolic link since [`check_files`]: SQLite follows none then.
///
/// `path` is a [`resolved`] path, or a URI with one.
fn connect(path: impl AsRef<Path>, flags: OpenFlags) -> rusqlite::Result<Connection> {
    // No mutex: rusqlite already keeps a connection from being used by two threads at once.
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags)?;
    // Plans must not depend on the values of parameters: otherwise, SQLite may compile a statement again when it gets other values.
    // So a partial index serves only a condition with a literal.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(connection)
}

pub(super) fn connect_to_write(path: &Path) -> Result<Connection, StorageError> {
    let connection = connect(resolved(path)?, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(connection)
}

fn connect_to_read(path: &Path) -> Result<Connection, StorageError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let has_no_space = has_no_space(path);
    let connection = if is_at_rest(path, has_no_space)? {
        // Nothing writes to a database at rest.
        connect_immutable(path)?
    } else if has_no_space {
        connect_alone(path)?
    } else {
        connect(resolved(path)?, flags)?
    };
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // SQLite opens the file at the first read, so only that shows whether it can be read.
    let first_read = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()));
    match first_read.map_err(|error| error.sqlite_error_code()) {
        Err(Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen)) => Err(StorageError::Unwritable(path.to_owned())),
        _ => Ok(connection),
    }
}

/// Connects to a database that nothing writes to. SQLite creates files next to a database even to read it, unless it takes the
/// database for immutable.
///
/// # Errors
/// This user cannot read the file.
pub(super) fn connect_immutable(path: &Path) -> Result<Connection, StorageError> {
    // In a URI, a `?` or `#` would end the path.
    let encoded = percent_encode(resolved(path)?.as_os_str().as_bytes(), NON_ALPHANUMERIC).to_string();
    let uri = format!("file://{}?immutable=1", encoded.replace("%2F", "/"));
    Ok(connect(uri, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI)?)
}

/// Whether the disk is too full to open the database as usual. While a writer has it open, the files of a reader are there.
fn has_no_space(path: &Path) -> bool {
    !Lock::is_held(directory_of(path)).unwrap_or(true) && disk_space::check(path).is_err()
}

/// Connects to a database that its writer did not close, without new files: SQLite keeps the index of the WAL in memory if no
/// other process uses the database. That takes the right to write, for a lock.
fn connect_alone(path: &Path) -> Result<Connection, StorageError> {
    let connection = connect(resolved(path)?, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    Ok(connection)
}

/// Whether the database can be read without the files that a reader creates next to it. It can if its writer closed it,
/// since a writer that runs or was killed leaves a WAL. Only asked if this process cannot create those files.
fn is_at_rest(path: &Path, has_no_space: bool) -> Result<bool, StorageError> {
    let cannot_create = has_no_space || is_write_protected(directory_of(path));
    Ok(cannot_create && !is_readable(&wal::path(path))?)
}

fn is_empty(connection: &Connection, path: &Path) -> Result<bool, StorageError> {
    let count: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(|error| foreign_or(path, error))?;
    Ok(count == 0)
}

fn version_of(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn foreign_or(path: &Path, error: rusqlite::Error) -> StorageError {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => StorageError::Foreign(path.to_owned()),
        _ => error.into(),
    }
}
