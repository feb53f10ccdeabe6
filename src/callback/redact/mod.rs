//! Removes credentials from a callback before livehook stores or shows it.
//!
//! The pusher's URL carries `txSecret`. CSS repeats this URL in `stream_param` and in other members: plain, percent-encoded, or
//! in a string that holds JSON. So every string of the callback is searched, behind several layers of percent-encoding, JSON
//! escapes and HTML entities. A string with more layers is replaced from its first such escape on. Everything around a secret
//! stays as it was received. The time grows with the length of the text and no faster, whatever a sender writes.

mod credentials;
mod edits;
mod escapes;
mod json_strings;
mod layers;
mod names;
mod own_sign;
mod pairs;
mod redaction;
mod redactor;
mod search;
mod secrets;
#[cfg(test)]
mod tests;
mod unit;
mod value;
mod work;

pub(super) use credentials::without_credentials;
pub(super) use redaction::{REDACTED_STRING, Redaction};
pub use redactor::Redactor;
pub(super) use search::names_a_value;
