use rusqlite::Connection;

use super::*;
use crate::journal::testing::Running;

/// Changes the journal behind livehook's back.
async fn inspected(sql: &str) -> Inspection {
    let running = Running::start(&["a"]);
    running.append(0..20).await;
    let directory = running.stop().await;
    Connection::open(directory.path().join("journal.db")).unwrap().execute_batch(sql).unwrap();
    Reader::open(directory.path()).unwrap().inspect()
}

#[tokio::test]
async fn intact_journal_has_no_fault() {
    assert_eq!(inspected("").await, Inspection { records: 20, ..Inspection::default() });
}

#[tokio::test]
async fn faults_of_records_are_found() {
    for (sql, fault) in [
        ("UPDATE records SET line = replace(line, '\"data\":{', '\"data\":') WHERE offset = 7", "is not an event"),
        ("UPDATE records SET id = (SELECT id FROM records WHERE offset = 8) WHERE offset = 7", "the id of another"),
        ("UPDATE records SET event_type = 0 WHERE offset = 7", "the type of another"),
        ("UPDATE records SET id = x'00' WHERE offset = 7", "its columns are not those of an event"),
        ("UPDATE records SET line = 'nothing' WHERE offset = 7", "its columns are not those of an event"),
    ] {
        let found = inspected(sql).await;
        assert_eq!((found.records, found.faults_count, found.faults[0].0), (20, 1, Offset(7)), "{sql}");
        assert!(found.faults[0].1.contains(fault), "{sql}: {found:?}");
    }
}

#[tokio::test]
async fn places_of_consumers() {
    let mut running = Running::start(&["a", "b"]);
    running.append(0..3).await;
    running.advance(0, crate::journal::Progress { cursor: Offset(2), ..Default::default() }).await;
    let running = running.restart(&["a"]).await;
    let places: Vec<_> = running.reader().consumers().unwrap();
    let place = |at: usize| (places[at].name.as_str(), places[at].cursor, places[at].position, places[at].is_retired);
    assert_eq!((places.len(), place(0)), (2, ("a", Offset(2), Offset(0), false)));
    assert_eq!(place(1), ("b", Offset(0), Offset(0), true));
    assert_eq!(running.reader().offsets(Offset(1), 1).unwrap(), [Offset(2)]);
}
