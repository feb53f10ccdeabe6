//! Dead letters: events that a sink gave up, copied so that a person can see them, redrive them or drop them.

mod dead_letter;
mod selection;
pub(super) mod table;
#[cfg(test)]
mod tests;

pub use dead_letter::{
    ChangedDeadLetters, DeadLetter, DeadLetterAction, NewDeadLetter, RedriveAttempt, RedriveOutcome,
};
pub use selection::{DeadLetterPage, DeadLetterSelection};
