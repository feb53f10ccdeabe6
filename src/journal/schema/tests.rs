use super::*;
use crate::storage::testing::schema;

/// A journal of an earlier version, with a dead letter and a consumer.
fn version(version: usize, directory: &Path) {
    let connection = Connection::open(path(directory)).unwrap();
    connection.execute_batch("CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID").unwrap();
    connection.execute_batch(TABLES).unwrap();
    connection.pragma_update(None, "application_id", DATABASE.application_id).unwrap();
    connection
        .execute_batch(
            "INSERT INTO meta VALUES ('journal_id', 'x'), ('first_offset', 1);
             INSERT INTO consumers VALUES ('archive', 4, x'07', 0);
             INSERT INTO dead_letters VALUES (7, 'archive', 3, 'poison', 11, 5, x'00', 1, 10, '{}')",
        )
        .unwrap();
    for migration in &DATABASE.migrations[..version - 1] {
        connection.execute_batch(migration).unwrap();
    }
    connection.pragma_update(None, "user_version", version as i64).unwrap();
}

#[test]
fn every_earlier_version_is_upgraded() {
    let new = tempfile::tempdir().unwrap();
    let expected = schema(&open(new.path()).unwrap());
    for earlier in 1..DATABASE.version() as usize {
        let old = tempfile::tempdir().unwrap();
        version(earlier, old.path());
        let connection = open(old.path()).unwrap();
        let query = "SELECT number, consumer, attempts, reason, redriven_ms, redriven_attempts FROM dead_letters";
        let dead_letter = connection.query_row(query, [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
        });
        assert_eq!(dead_letter.unwrap(), (7, "archive".to_owned(), 3, "poison".to_owned(), None::<i64>, 0));
        let query = "SELECT cursor, state, position, pending, held FROM consumers";
        let consumer = connection
            .query_row(query, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)));
        assert_eq!(consumer.unwrap(), (4, vec![7_u8], 0, "[]".to_owned(), "[]".to_owned()));
        assert_eq!(schema(&connection), expected);
    }
}

#[test]
fn errors_name_the_file_and_the_cure() {
    let directory = tempfile::tempdir().unwrap();
    let at = path(directory.path()).display().to_string();
    let says = |error: JournalError, text: &str| {
        let error = error.to_string();
        assert!(error.starts_with(&at) && error.contains(text), "{error}");
    };
    says(open_to_read(directory.path()).unwrap_err(), "start `livehook serve`");
    version(2, directory.path());
    let older = DATABASE.check_is_current(&open_to_read(directory.path()).unwrap()).unwrap_err();
    says(older.into(), "start `livehook serve`");
    open(directory.path()).unwrap().pragma_update(None, "user_version", DATABASE.version() + 1).unwrap();
    says(open(directory.path()).unwrap_err(), "version 6, made by a newer livehook");
    says(open_to_read(directory.path()).unwrap_err(), "version 6, made by a newer livehook");
    Connection::open(path(directory.path())).unwrap().pragma_update(None, "application_id", 1).unwrap();
    says(open(directory.path()).unwrap_err(), "not a livehook journal");
}

/// If this fails, you changed the tables of a version that has been used. Undo that, and add a migration for a new version.
#[test]
fn tables_of_each_version_never_change() {
    assert_eq!(
        DATABASE.fingerprints(),
        ["4349da0acd79cbd6", "e6e67de9e5a20df9", "a21bb2fb38701df3", "26157ccdda30b603", "26157ccdda30b603"]
    );
}

#[test]
fn tables_of_another_state_are_left_alone() {
    for (sql, difference) in [
        ("DROP TABLE replays", "`replays` is missing"),
        ("DROP INDEX dead_letters_of_event", "`dead_letters_of_event` is missing"),
        ("ALTER TABLE records ADD COLUMN x", "`records` differs"),
        ("ALTER TABLE consumers DROP COLUMN pending", "`consumers` differs"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        open(directory.path()).unwrap().execute_batch(sql).unwrap();
        let before = std::fs::read(path(directory.path())).unwrap();
        for error in [open(directory.path()).unwrap_err(), open_to_read(directory.path()).unwrap_err()] {
            let error = error.to_string();
            let at = path(directory.path()).display().to_string();
            assert!(error.starts_with(&at) && error.contains(difference) && error.contains("backup"), "{error}");
        }
        assert_eq!(std::fs::read(path(directory.path())).unwrap(), before);
    }
}

/// Durability rests on these settings.
#[test]
fn writer_syncs_each_commit_to_the_wal() {
    let directory = tempfile::tempdir().unwrap();
    let connection = open(directory.path()).unwrap();
    let setting =
        |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0)).unwrap();
    assert_eq!(setting("journal_mode"), "wal".to_owned().into());
    assert_eq!(setting("synchronous"), 2.into(), "FULL");
    assert_eq!((setting("page_size"), setting("auto_vacuum")), (4096.into(), 2.into()));
    assert_eq!(setting("busy_timeout"), (wal::BUSY_TIMEOUT.as_millis() as i64).into());
}

/// Without a row of `batches`, a start would read the ids of all records.
#[test]
fn upgrade_marks_where_ids_are_in_records() {
    for (batches, expected) in [("", vec![(3, 0)]), ("INSERT INTO batches VALUES (2, zeroblob(32))", vec![(2, 32)])] {
        let old = tempfile::tempdir().unwrap();
        version(4, old.path());
        let connection = Connection::open(path(old.path())).unwrap();
        connection.execute_batch("INSERT INTO records VALUES (2, x'02', 1, 0, '{}'), (3, x'03', 1, 0, '{}')").unwrap();
        connection.execute_batch(batches).unwrap();
        drop(connection);
        let connection = open(old.path()).unwrap();
        let mut rows = connection.prepare("SELECT last_offset, length(ids) FROM batches").unwrap();
        let found: Vec<(i64, i64)> =
            rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().collect::<Result<_, _>>().unwrap();
        assert_eq!(found, expected);
    }
}
