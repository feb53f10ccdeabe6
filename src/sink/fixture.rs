//! What the tests of the sinks share: records made from callbacks, and a journal of them in memory.

use async_trait::async_trait;

use super::Outcome;
use crate::callback::{Callback, Event, Options, Verifier};
use crate::journal::{JournalError, Offset, Record, Records};

/// The event of a callback that nobody signed.
pub(super) fn event(body: &str) -> Event {
    let verifier = Verifier::new(Options { allow_unsigned: true, ..Options::default() }).unwrap();
    verifier.verify(&Callback::parse(body.as_bytes()).unwrap(), 1_545_030_873_120).unwrap()
}

/// So many records with distinct events; offsets have gaps, and lines differ in length.
pub(super) fn records(count: usize) -> Vec<Record> {
    (1..=count)
        .map(|number| Record {
            offset: Offset(3 * number as i64),
            event: event(&format!(r#"{{"event_type":1,"n":{number},"x":"{}"}}"#, "x".repeat(7 * number % 5))),
        })
        .collect()
}

/// The lines of these records, as a file has them.
pub(super) fn lines(records: &[Record]) -> String {
    records.iter().map(|record| format!("{}\n", record.event.line())).collect()
}

pub(super) fn all_delivered(outcomes: &[Outcome], batch: &[Record]) -> bool {
    outcomes.len() == batch.len() && outcomes.iter().all(Result::is_ok)
}

/// A journal in memory.
pub(super) struct Stored(pub(super) Vec<Record>);

#[async_trait]
impl Records for Stored {
    async fn read(&self, after: Offset, limit: usize) -> Result<Vec<Record>, JournalError> {
        Ok(self.0.iter().filter(|record| record.offset > after).take(limit).cloned().collect())
    }
}

/// A record for each of these streams, all different.
pub(super) fn records_of_streams(streams: &[&str]) -> Vec<Record> {
    let body = |number: usize, stream: &str| {
        format!(r#"{{"event_type":1,"app":"d.com","appname":"live","stream_id":"{stream}","sequence":"{number}"}}"#)
    };
    let numbered = streams.iter().enumerate();
    numbered
        .map(|(number, stream)| Record { offset: Offset(number as i64 + 1), event: event(&body(number, stream)) })
        .collect()
}
