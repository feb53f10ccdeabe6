use std::collections::BTreeMap;
use std::path::PathBuf;

use rusqlite::Connection;

use super::*;
use crate::journal::testing::{Running, offsets};
use crate::journal::{Appended, DeadLetterSelection, Journal, NewReplay, Offset, Progress, Reader};

const PAGE_BYTES: usize = 4096;

/// The files of a directory and their bytes.
fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = std::fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().path()).map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

/// A journal with 100 records, two dead letters, a replay and two consumers, closed.
async fn journal() -> tempfile::TempDir {
    let mut running = Running::start(&["a", "b"]);
    running.append(0..98).await;
    running.give_up(0, 98..100).await;
    let replay =
        NewReplay { sink: "b".into(), selection: "{}".into(), first: Offset(0), last: Offset(50), counted: None };
    running.journal.begin_replay(replay).await.unwrap();
    running.advance(1, Progress { cursor: Offset(60), ..Progress::default() }).await;
    running.stop().await
}

/// Salvages a journal, and checks that its own files stay as they are.
fn salvaged(damaged: &Path) -> (tempfile::TempDir, Salvaged, Vec<LostRow>) {
    let (target, before) = (tempfile::tempdir().unwrap(), files(damaged));
    let mut lost = Vec::new();
    let saved = salvage(damaged, target.path(), |row| lost.push(row.clone())).unwrap();
    assert!(files(damaged) == before, "a file of the damaged journal has changed");
    assert_eq!(saved.lost, lost.len() as u64);
    let made: Vec<_> = files(target.path()).into_keys().collect();
    let names: Vec<_> = made.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    assert!(!names.iter().any(|name| name.starts_with("damaged")), "{names:?}");
    (target, saved, lost)
}

/// Fills the page of a record with other bytes. Returns the offsets of all records on it.
fn damage_page_of(directory: &Path, offset: i64) -> Vec<i64> {
    let path = directory.join("journal.db");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let line: String =
        connection.query_row("SELECT line FROM records WHERE offset = ?1", [offset], |row| row.get(0)).unwrap();
    let mut rows = connection.prepare("SELECT offset, line FROM records").unwrap();
    let lines: Vec<(i64, String)> =
        rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect();
    drop(rows);
    drop(connection);
    let mut bytes = std::fs::read(&path).unwrap();
    let find = |bytes: &[u8], line: &str| bytes.windows(line.len()).position(|part| part == line.as_bytes()).unwrap();
    // A record with a dead letter has its line twice, so only others are asked for.
    let page = find(&bytes, &line) / PAGE_BYTES;
    let on_page = lines.iter().filter(|(_, line)| find(&bytes, line) / PAGE_BYTES == page);
    let on_page = on_page.map(|(offset, _)| *offset).collect();
    bytes[page * PAGE_BYTES..(page + 1) * PAGE_BYTES].fill(0xa5);
    std::fs::write(path, bytes).unwrap();
    on_page
}

#[tokio::test]
async fn intact_journal_is_saved_whole() {
    let directory = journal().await;
    let (target, saved, lost) = salvaged(directory.path());
    assert_eq!(lost, []);
    assert_eq!(saved, Salvaged { records: 100, dead_letters: 2, replays: 1, consumers: 2, lost: 0 });
    let [old, new] = [directory.path(), target.path()].map(|path| Reader::open(path).unwrap());
    assert_eq!(old.read(Offset(0), 1000).unwrap(), new.read(Offset(0), 1000).unwrap());
    assert_eq!(old.consumers().unwrap(), new.consumers().unwrap());
    assert_eq!(old.replays(i64::MAX, 10).unwrap(), new.replays(i64::MAX, 10).unwrap());
    let dead_letters = |reader: &Reader| reader.dead_letters(&DeadLetterSelection::default(), 0, 10).unwrap();
    assert_eq!(dead_letters(&old), dead_letters(&new));
    assert_eq!(old.journal_id().unwrap(), new.journal_id().unwrap());
    assert_ne!(old.generation().unwrap(), new.generation().unwrap());
}

/// The service goes on with it, and knows which events it has.
#[tokio::test]
async fn saved_journal_knows_its_events() {
    let (target, ..) = salvaged(journal().await.path());
    let running = Running::open(target, &crate::journal::testing::options(), &["a", "b"]);
    let results = running.append(98..102).await;
    assert!(matches!(results[..2], [Ok(Appended::Duplicate), Ok(Appended::Duplicate)]), "{results:?}");
    assert_eq!(offsets(running.directory.path()), (1..=102).collect::<Vec<_>>());
    running.stop().await;
}

#[tokio::test]
async fn damaged_page_costs_only_its_records() {
    let directory = journal().await;
    let on_page = damage_page_of(directory.path(), 40);
    assert!((2..20).contains(&on_page.len()), "{on_page:?}");
    let (target, saved, lost) = salvaged(directory.path());
    assert_eq!(saved.records, 100 - on_page.len() as u64);
    let numbers: Vec<i64> = lost.iter().map(|row| row.number.parse().unwrap()).collect();
    assert_eq!(numbers, on_page);
    assert!(lost.iter().all(|row| row.kind == "record" && row.cause.contains("malformed")), "{lost:?}");
    let expected: Vec<i64> = (1..=100).filter(|offset| !on_page.contains(offset)).collect();
    assert_eq!(offsets(target.path()), expected);
    assert!(Reader::open(target.path()).unwrap().inspect().faults.is_empty());
}

/// Ids of lost records would keep their offsets from being used again, and events that come again from being stored.
#[tokio::test]
async fn journal_without_a_saved_record_goes_on() {
    for (damage, next) in [
        ("UPDATE records SET line = 'x'", 1),
        ("UPDATE records SET line = 'x'; INSERT INTO batches VALUES (-9223372036854775808, x'00')", 1),
        ("UPDATE records SET line = 'x'; UPDATE meta SET value = 40 WHERE name = 'first_offset'", 40),
        ("DELETE FROM records; DELETE FROM meta WHERE name = 'first_offset'", 101),
    ] {
        let directory = journal().await;
        let connection = Connection::open(directory.path().join("journal.db")).unwrap();
        let ids = Reader::open(directory.path()).unwrap().read(Offset(0), 100).unwrap();
        let ids: Vec<_> = ids.iter().map(|record| record.event.id().to_bytes()).collect();
        connection.execute("INSERT INTO batches VALUES (100, ?1)", [ids.as_flattened()]).unwrap();
        connection.execute_batch(damage).unwrap();
        drop(connection);
        let (target, saved, _) = salvaged(directory.path());
        assert_eq!(saved.records, 0);
        let running = Running::open(target, &crate::journal::testing::options(), &["a", "b"]);
        let results = running.append(0..300).await;
        // The ids of records that were pruned before are known.
        let stored = 300 - (next - 1) as usize;
        assert_eq!(results.iter().filter(|result| **result == Ok(Appended::Stored)).count(), stored, "{damage}");
        assert_eq!(offsets(running.directory.path()), (next..next + stored as i64).collect::<Vec<_>>(), "{damage}");
        let directory = running.stop().await;
        let running = Running::open(directory, &crate::journal::testing::options(), &["a", "b"]);
        let results = running.append(0..300).await;
        assert!(results.iter().all(|result| *result == Ok(Appended::Duplicate)), "{damage}");
        running.stop().await;
    }
}

/// Cursors after the last saved record would keep the journal from opening.
#[tokio::test]
async fn damaged_end_pulls_cursors_back() {
    let directory = journal().await;
    let connection = Connection::open(directory.path().join("journal.db")).unwrap();
    connection.execute_batch("UPDATE records SET line = 'x' WHERE offset > 50").unwrap();
    connection
        .execute_batch("UPDATE consumers SET position = 99, pending = '[[40,1],[70,2]]' WHERE name = 'b'")
        .unwrap();
    drop(connection);
    let (target, saved, lost) = salvaged(directory.path());
    assert_eq!((saved.records, lost.len(), lost[0].number.as_str()), (50, 50, "51"));
    let places = Reader::open(target.path()).unwrap().consumers().unwrap();
    assert!(places.iter().all(|place| place.cursor == Offset(50)), "{places:?}");
    let pending = "SELECT pending FROM consumers WHERE name = 'b'";
    let connection = Connection::open(target.path().join("journal.db")).unwrap();
    let pending: String = connection.query_row(pending, [], |row| row.get(0)).unwrap();
    assert_eq!(pending, "[[40,1]]");
    Running::open(target, &crate::journal::testing::options(), &["a", "b"]).stop().await;
}

/// The service was killed, so its last commits are in the WAL.
#[tokio::test]
async fn commits_in_the_wal_are_saved() {
    let running = Running::start(&["a"]);
    running.append(0..10).await;
    let killed = tempfile::tempdir().unwrap();
    for name in ["journal.db", "journal.db-wal"] {
        std::fs::copy(running.directory.path().join(name), killed.path().join(name)).unwrap();
    }
    running.stop().await;
    let (target, saved, _) = salvaged(killed.path());
    assert_eq!((saved.records, offsets(target.path())), (10, (1..=10).collect()));
}

#[tokio::test]
async fn missing_tables_are_no_obstacle() {
    let directory = journal().await;
    let connection = Connection::open(directory.path().join("journal.db")).unwrap();
    connection.execute_batch("DROP TABLE replays; DROP TABLE consumers; DROP TABLE batches").unwrap();
    drop(connection);
    let (_target, saved, lost) = salvaged(directory.path());
    assert_eq!(saved, Salvaged { records: 100, dead_letters: 2, ..Salvaged::default() });
    assert_eq!(lost, []);
}

#[tokio::test]
async fn unusable_directories_are_refused() {
    let directory = journal().await;
    let refused = |damaged: &Path, target: &Path| salvage(damaged, target, |_| {}).unwrap_err().to_string();
    let target = tempfile::tempdir().unwrap();
    std::fs::write(target.path().join("file"), "x").unwrap();
    assert!(refused(directory.path(), target.path()).contains("not empty"));
    assert!(refused(target.path(), &target.path().join("new")).contains("no journal here"));
    let path = directory.path().join("journal.db");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[..PAGE_BYTES].fill(0);
    std::fs::write(&path, bytes).unwrap();
    let error = refused(directory.path(), &target.path().join("other"));
    assert!(error.contains("journal.db"), "{error}");
    let running = Running::start(&[]);
    assert!(refused(running.directory.path(), &target.path().join("third")).contains("another livehook"));
    running.stop().await;
}
