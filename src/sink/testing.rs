//! Helpers for the tests of the sinks: records, a journal in memory, and outcomes by name.

use async_trait::async_trait;

use super::Outcome;
use crate::callback::testing::event;
use crate::journal::{JournalError, Offset, Record, Records};

/// Records with distinct events. Offsets have gaps, and lines differ in length.
pub(super) fn records(count: usize) -> Vec<Record> {
    let event = |number: usize| event("push").member("n", number).member("x", "x".repeat(7 * number % 5)).build();
    (1..=count).map(|number| Record { offset: Offset(3 * number as i64), event: event(number) }).collect()
}

/// A record for each of these streams. The vendor's sequence numbers them from 0.
pub(super) fn records_of_streams(streams: &[impl AsRef<str>]) -> Vec<Record> {
    let numbered = (0_u32..).zip(streams);
    numbered
        .map(|(number, stream)| {
            let stream_key = format!("d.com/live/{}", stream.as_ref());
            let event = event("push").stream_key(&stream_key).sequence(number).build();
            Record { offset: Offset(i64::from(number) + 1), event }
        })
        .collect()
}

/// The lines of these records, as a file holds them.
pub(super) fn lines(records: &[Record]) -> String {
    records.iter().map(|record| format!("{}\n", record.event.line())).collect()
}

pub(super) fn all_delivered(outcomes: &[Outcome], batch: &[Record]) -> bool {
    outcomes.len() == batch.len() && outcomes.iter().all(|outcome| *outcome == Outcome::Delivered)
}

/// The outcomes as words: `delivered`, `retry`, `held`, `rejected`.
pub(super) fn names(outcomes: &[Outcome]) -> Vec<&'static str> {
    let name = |outcome: &Outcome| match outcome {
        Outcome::Delivered => "delivered",
        Outcome::Retry(_) => "retry",
        Outcome::Held => "held",
        Outcome::Rejected { .. } => "rejected",
    };
    outcomes.iter().map(name).collect()
}

/// The reason of a failed attempt.
pub(super) fn reason(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Retry(failure) => failure.reason.clone(),
        Outcome::Rejected { reason } => reason.clone(),
        Outcome::Delivered | Outcome::Held => panic!("{outcome:?} has no reason"),
    }
}

/// A journal in memory.
pub(super) struct Stored(pub(super) Vec<Record>);

#[async_trait]
impl Records for Stored {
    async fn read(&self, after: Offset, limit: usize) -> Result<Vec<Record>, JournalError> {
        Ok(self.0.iter().filter(|record| record.offset > after).take(limit).cloned().collect())
    }
}
