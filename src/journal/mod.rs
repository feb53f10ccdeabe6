//! The durable journal of events, with dead letters, replays and the cursors of consumers. Nothing outside knows its storage.
//!
//! The journal has two halves. `writer/` commits. The rest reads: the tables, the tail in memory, the readers and the consumers.
//! They stay apart, so that a replicated committer can take the place of `writer/` without a change to the other half. Only
//! `sqlite.rs` and `unserved.rs` know both.

mod consumer;
mod consumer_view;
mod contract;
mod cursors;
mod dead_letters;
mod error;
mod inspection;
mod options;
mod pending_append;
mod reader;
mod record;
mod replays;
mod salvage;
mod schema;
mod sqlite;
mod step;
mod tail;
#[cfg(test)]
pub(crate) mod testing;
mod unserved;
mod writer;

pub use consumer_view::ConsumerView;
pub use contract::{Ahead, Consumer, Health, Journal, Progress, Records, Start};
pub use dead_letters::{
    ChangedDeadLetters, DeadLetter, DeadLetterAction, DeadLetterPage, DeadLetterSelection, NewDeadLetter,
    RedriveAttempt, RedriveOutcome,
};
pub use error::{AppendError, JournalError};
pub use inspection::Inspection;
pub use options::Options;
pub use pending_append::{Appended, PendingAppend};
pub use reader::Reader;
pub use record::{CLOCK_SLACK_MS, Offset, Record};
pub use replays::{NewReplay, Replay, ReplayProgress};
pub use salvage::{LostRow, Salvaged, salvage};
pub use sqlite::{Opened, SqliteJournal};
pub use step::Step;
pub use unserved::{append_unserved_event, change_unserved_dead_letters};
pub use writer::{Wakeups, WriterDied};
