//! Callbacks and events: from the bytes that CSS sends to verified events.
//!
//! [`Callback::parse`] checks the form of a body, and nothing else. [`Verifier::verify`] turns the callback into an [`Event`]. A
//! [`SessionEnd`] that was checked becomes an event of livehook's own. Otherwise only the journal can make events, from the ones
//! that it stored. So every `Event` is verified.
//!
//! Nothing here does I/O, reads a clock, or is async. The time is an argument.

mod catalogue;
mod earlier_line;
mod event;
mod event_id;
mod event_line;
mod event_type;
mod event_type_names;
mod flat_object;
mod instance_name;
mod interruption;
mod invalid_text;
mod json;
mod key;
mod members;
mod name_start;
mod parse;
mod partition_key;
mod pattern;
mod redact;
mod refusal;
mod selection;
mod session_end;
mod stream_event;
mod stream_key;
mod stream_members;
#[cfg(test)]
pub(crate) mod testing;
mod time_text;
mod vendor_members;
mod verify;

pub use catalogue::{KnownType, Names, Signed, TimeMember, TimeUnit};
pub use event::Event;
pub use event_id::EventId;
pub use event_type::EventType;
pub(crate) use instance_name::is_name;
pub use instance_name::{InstanceName, InvalidInstanceName};
pub use interruption::{CauseName, Interruption, Reason, ReasonCategory};
pub use invalid_text::InvalidText;
pub use key::{CallbackKey, KeyError};
pub use parse::{Callback, Malformed, NESTING_MAX};
pub use partition_key::PartitionKey;
pub use pattern::{DomainPattern, NamePattern, PatternError};
pub use redact::Redactor;
pub use refusal::Refusal;
pub use selection::{EventSelection, StreamSelection};
pub use session_end::{EndReason, EndTimes, InvalidEndReason, SessionEnd, SessionEndError};
pub use stream_event::{StreamEvent, end_reason, media_url, recording_started_ms};
pub use stream_key::StreamKey;
pub use verify::{KeyOptions, Verified, Verifier, VerifierError, VerifierOptions};
