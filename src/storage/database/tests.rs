//! Versions, layouts and links of real files.

use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};

use super::super::testing::schema;
use super::*;

const DATABASE: Database = Database {
    file_name: "things.db",
    application_id: 7,
    tables: &["CREATE TABLE things (name TEXT)"],
    migrations: &["ALTER TABLE things ADD COLUMN size INTEGER", "CREATE INDEX by_size ON things (size)"],
    followers: &["derived.db"],
    page_bytes: 4096,
    settings: &[("synchronous", 2)],
};

fn open(directory: &Path) -> Result<Connection, StorageError> {
    DATABASE.open(directory, |_| Ok(()))
}

/// A database as version 1 left it.
fn version_1(directory: &Path) -> Connection {
    let connection = Connection::open(DATABASE.path(directory)).unwrap();
    DATABASE.create(&connection, |_| Ok(())).unwrap();
    connection.execute("INSERT INTO things VALUES ('kept')", []).unwrap();
    connection
}

#[test]
fn newer_version_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    open(directory.path()).unwrap().pragma_update(None, "user_version", DATABASE.version() + 1).unwrap();
    for error in [open(directory.path()).unwrap_err(), DATABASE.open_to_read(directory.path()).unwrap_err()] {
        assert!(matches!(error, StorageError::Newer { found: 4, known: 3, .. }), "{error}");
    }
}

/// A reader sees the version and the tables of the same moment, while a writer goes from one version to another.
#[test]
fn migration_is_seen_as_a_whole() {
    let directory = tempfile::tempdir().unwrap();
    let writer = open(directory.path()).unwrap();
    let is_done = &AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while !is_done.load(Ordering::Relaxed) {
                for sql in [
                    "DROP INDEX by_size; PRAGMA user_version = 2",
                    "CREATE INDEX by_size ON things (size); PRAGMA user_version = 3",
                ] {
                    writer.execute_batch(&format!("BEGIN IMMEDIATE; {sql}; COMMIT")).unwrap();
                }
            }
        });
        let opened: Vec<_> = (0..300).map(|_| DATABASE.open_to_read(directory.path()).map(drop)).collect();
        is_done.store(true, Ordering::Relaxed);
        opened.into_iter().for_each(Result::unwrap);
    });
}

#[test]
fn foreign_file_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = DATABASE.path(directory.path());
    std::fs::write(&path, "a text of another program, long enough to have a header of its own").unwrap();
    assert!(matches!(open(directory.path()), Err(StorageError::Foreign(_))));
    std::fs::remove_file(&path).unwrap();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (a)").unwrap();
    assert!(matches!(open(directory.path()), Err(StorageError::Foreign(_))));
    assert!(matches!(DATABASE.open_to_read(directory.path()), Err(StorageError::Foreign(_))));
}

#[test]
fn file_without_tables_counts_as_absent() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(DATABASE.path(directory.path()), "").unwrap();
    assert!(matches!(DATABASE.open_to_read(directory.path()), Err(StorageError::Absent(_))));
}

/// Opens a database with these files, which hold so many bytes, and expects the error and all files as they were.
fn assert_lost(files: &[(&str, usize)], trace: &str) {
    let directory = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        std::fs::write(directory.path().join(name), vec![1; *bytes]).unwrap();
    }
    for error in [open(directory.path()).unwrap_err(), DATABASE.open_to_read(directory.path()).unwrap_err()] {
        let StorageError::Lost { path, trace: found } = &error else { panic!("{files:?}: {error}") };
        assert_eq!((path, found), (&DATABASE.path(directory.path()), &directory.path().join(trace)));
    }
    let left = std::fs::read_dir(directory.path()).unwrap().map(|file| file.unwrap().metadata().unwrap().len());
    let (mut left, mut written): (Vec<_>, Vec<_>) = (left.collect(), files.iter().map(|file| file.1 as u64).collect());
    left.sort();
    written.sort();
    assert_eq!(left, written, "{files:?}");
}

#[test]
fn empty_file_with_traces_is_lost() {
    assert_lost(&[("things.db", 0), ("derived.db", 0)], "derived.db");
    assert_lost(&[("derived.db", 100)], "derived.db");
    assert_lost(&[("things.db", 0), ("things.db-wal", 100)], "things.db-wal");
    assert_lost(&[("things.db-wal", 100)], "things.db-wal");
    // The start was killed before it wrote.
    let directory = tempfile::tempdir().unwrap();
    for file in ["things.db", "things.db-wal", "livehook.lock"] {
        std::fs::write(directory.path().join(file), "").unwrap();
    }
    open(directory.path()).unwrap();
    std::fs::write(directory.path().join("derived.db"), "").unwrap();
    open(directory.path()).unwrap();
}

#[test]
fn database_without_tables_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let connection = Connection::open(DATABASE.path(directory.path())).unwrap();
    connection.execute_batch("CREATE TABLE one (a); DROP TABLE one").unwrap();
    drop(connection);
    std::fs::write(directory.path().join("derived.db"), "").unwrap();
    assert!(matches!(open(directory.path()), Err(StorageError::Lost { .. })));
    std::fs::remove_file(directory.path().join("derived.db")).unwrap();
    open(directory.path()).unwrap();
}

#[test]
fn older_version_is_upgraded_by_writer_only() {
    let directory = tempfile::tempdir().unwrap();
    drop(version_1(directory.path()));
    let reader = DATABASE.open_to_read(directory.path()).unwrap();
    assert!(matches!(DATABASE.check_is_current(&reader), Err(StorageError::Older { known: 3, .. })));
    drop(reader);
    for _ in 0..2 {
        let connection = open(directory.path()).unwrap();
        let row = connection.query_row("SELECT name, size FROM things", [], |row| Ok((row.get(0)?, row.get(1)?)));
        assert_eq!(row.unwrap(), ("kept".to_owned(), None::<i64>));
    }
    let new = tempfile::tempdir().unwrap();
    assert_eq!(schema(&open(directory.path()).unwrap()), schema(&open(new.path()).unwrap()));
    DATABASE.check_is_current(&DATABASE.open_to_read(directory.path()).unwrap()).unwrap();
}

#[test]
fn failed_migration_changes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let connection = version_1(directory.path());
    // The second migration finds its name taken.
    connection.execute_batch("CREATE TABLE by_size (theirs)").unwrap();
    let before = schema(&connection);
    drop(connection);
    open(directory.path()).unwrap_err();
    let connection = Connection::open(DATABASE.path(directory.path())).unwrap();
    assert_eq!((schema(&connection), version_of(&connection).unwrap()), (before, 1));
    connection.execute_batch("DROP TABLE by_size").unwrap();
    open(directory.path()).unwrap();
}

/// A database whose writer was killed, with the layout of an earlier version: larger pages, and no way to shrink.
fn earlier_layout(directory: &Path) -> PathBuf {
    let (made, path) = (tempfile::tempdir().unwrap(), DATABASE.path(directory));
    let connection = Connection::open(DATABASE.path(made.path())).unwrap();
    connection.pragma_update(None, "page_size", 16_384).unwrap();
    wal::switch_on(&connection, &path).unwrap();
    DATABASE.create(&connection, |_| Ok(())).unwrap();
    connection.execute("INSERT INTO things VALUES ('in the WAL')", []).unwrap();
    for name in ["things.db", "things.db-wal"] {
        std::fs::copy(made.path().join(name), directory.join(name)).unwrap();
    }
    path
}

fn names(connection: &Connection) -> String {
    connection.query_row("SELECT group_concat(name) FROM things", [], |row| row.get(0)).unwrap()
}

#[test]
fn earlier_layout_is_renewed() {
    let directory = tempfile::tempdir().unwrap();
    let path = earlier_layout(directory.path());
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    // A kill left a part of a copy.
    std::fs::write(directory.path().join("things.db.new"), "cut short").unwrap();
    let connection = open(directory.path()).unwrap();
    assert!(layout::is_current(&connection, DATABASE.page_bytes).unwrap());
    assert_eq!(names(&connection), "in the WAL");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o640);
    assert!(!directory.path().join("things.db.new").exists());
}

/// A start doesn't take the file from a reader, and doesn't wait for it.
#[test]
fn earlier_layout_in_use_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    earlier_layout(directory.path());
    let reader = DATABASE.open_to_read(directory.path()).unwrap();
    let connection = open(directory.path()).unwrap();
    assert!(!layout::is_current(&connection, DATABASE.page_bytes).unwrap());
    connection.execute("INSERT INTO things (name) VALUES ('later')", []).unwrap();
    assert_eq!(names(&reader), "in the WAL,later");
    drop((connection, reader));
    let connection = open(directory.path()).unwrap();
    assert!(layout::is_current(&connection, DATABASE.page_bytes).unwrap());
    assert_eq!(names(&connection), "in the WAL,later");
}

#[test]
fn linked_files_are_not_followed() {
    for name in ["things.db", "things.db-wal", "things.db-shm", "things.db-journal"] {
        let directory = tempfile::tempdir().unwrap();
        drop(open(directory.path()).unwrap());
        let (link, victim) = (directory.path().join(name), directory.path().join("victim"));
        // SQLite takes an empty file for a new database.
        std::fs::write(&victim, "").unwrap();
        let _ = std::fs::remove_file(&link);
        std::os::unix::fs::symlink(&victim, &link).unwrap();
        for error in [open(directory.path()), DATABASE.open_to_read(directory.path())].map(Result::unwrap_err) {
            let said = error.to_string();
            assert!(said.contains(&format!("{name}: this is a symbolic link")), "{said}");
        }
        assert_eq!(victim.metadata().unwrap().len(), 0, "{name}");
        // Another user may put the link there after the check.
        if name == "things.db" {
            assert!(connect_to_write(&link).and_then(|opened| Ok(version_of(&opened)?)).is_err());
        }
    }
}

#[test]
fn linked_directory_is_followed() {
    let parent = tempfile::tempdir().unwrap();
    let (real, link) = (parent.path().join("real"), parent.path().join("a link?#"));
    std::fs::create_dir(&real).unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    earlier_layout(&link);
    for _ in 0..2 {
        assert_eq!(names(&open(&link).unwrap()), "in the WAL");
        assert_eq!(names(&DATABASE.open_to_read(&link).unwrap()), "in the WAL");
    }
}

#[test]
fn linked_copy_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    earlier_layout(directory.path());
    let victim = directory.path().join("victim");
    std::os::unix::fs::symlink(&victim, directory.path().join("things.db.new")).unwrap();
    assert!(layout::is_current(&open(directory.path()).unwrap(), DATABASE.page_bytes).unwrap());
    assert!(!victim.exists());
}

#[test]
fn database_without_wal_is_refused() {
    // Like a file on a network file system, a database in memory has no WAL.
    let error = wal::switch_on(&Connection::open_in_memory().unwrap(), Path::new("data/x.db")).unwrap_err();
    assert!(error.to_string().starts_with("data/x.db: ") && error.to_string().contains("local"), "{error}");
}
