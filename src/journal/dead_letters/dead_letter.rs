//! A dead letter, and the values that create and change it.

use std::collections::BTreeMap;

use super::super::{Offset, Record};
use crate::callback::Event;

/// An event that a sink gave up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The number of the dead letter. Numbers grow, and are never used again.
    pub number: i64,
    /// The name of the sink.
    pub sink: String,
    /// The event.
    pub event: Event,
    /// The place of the event in the journal, which may have pruned it since.
    pub offset: Offset,
    /// How often the event was tried, redrives included.
    pub attempts: u32,
    /// Why the sink gave the event up last.
    pub failure: String,
    /// When the sink gave the event up last, in Unix ms.
    pub failed_at_ms: i64,
    /// When the dead letter was redriven, in Unix ms; `None` if it is not to be sent again.
    pub redriven_at_ms: Option<i64>,
    /// How often the event was tried since the redrive.
    pub redriven_attempts: u32,
}

/// A record that a consumer gives up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDeadLetter {
    /// The record.
    pub record: Record,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it is given up.
    pub failure: String,
    /// When it is given up, in Unix ms.
    pub failed_at_ms: i64,
}

/// An attempt to deliver a redriven dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedriveAttempt {
    /// The number of the dead letter.
    pub number: i64,
    /// How the attempt ended.
    pub outcome: RedriveOutcome,
}

/// How an attempt to deliver a redriven dead letter ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedriveOutcome {
    /// The sink has the event, so the dead letter is removed.
    Delivered,
    /// The dead letter is to be tried again.
    Retry,
    /// The sink gave the event up again. The dead letter stays until a person redrives or drops it.
    GivenUp {
        /// Why.
        failure: String,
        /// When, in Unix ms.
        failed_at_ms: i64,
    },
}

/// A change to dead letters that a person can make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadLetterAction {
    /// Their sink gets them again.
    Redrive,
    /// They are removed.
    Drop,
}

/// The result of a change to dead letters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangedDeadLetters {
    /// How many dead letters changed. One that was redriven before does not count.
    pub count: u64,
    /// How many dead letters could not be redriven because their sink is not configured, by sink.
    pub without_sink: BTreeMap<String, u64>,
}

impl ChangedDeadLetters {
    /// Adds the result of a later part of the change.
    pub(in super::super) fn add(&mut self, later: ChangedDeadLetters) {
        self.count += later.count;
        for (sink, count) in later.without_sink {
            *self.without_sink.entry(sink).or_default() += count;
        }
    }
}
