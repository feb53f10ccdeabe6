//! Removes credentials from a callback before livehook stores or shows it.
//!
//! The pusher's URL carries `txSecret`. CSS repeats this URL in `stream_param` and in other members: plain, percent-encoded, or
//! in a string that holds JSON. So every string of the callback is searched, behind several layers of escapes and
//! percent-encoding. Everything around a secret stays as it was received. The time grows with the length of the text and no
//! faster, whatever a sender writes.

mod credentials;
mod json_strings;
mod layers;
mod redactor;
mod search;
#[cfg(test)]
mod tests;

pub(super) use credentials::without_credentials;
pub use redactor::Redactor;
