//! The part of a refused callback's body that is kept. It has no secret, and nothing that harms a reader of JSON.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::callback::{Callback, Malformed, Verifier};
use crate::printable::printable;

/// Members that take more bytes than this are not kept.
const MEMBERS_BYTES_MAX: usize = 4096;

/// The most characters of a stream's name in the log.
const STREAM_CHARACTERS_MAX: usize = 128;

/// The part of a refused callback's body that is kept. Everything is `null` if the body was not read to its end.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct RefusedBody {
    /// How many seconds after the expiry of its signature the callback came.
    pub(crate) late_secs: Option<i64>,
    /// The length of the body, in bytes.
    body_bytes: Option<usize>,
    /// The message to keep if the answer quotes the body, which must not be kept.
    #[serde(skip)]
    message: Option<&'static str>,
    /// The place of the error in a malformed body, if the error has a place.
    fault: Option<BodyFault>,
    /// The length of the members as JSON without white space, in bytes.
    members_bytes: Option<usize>,
    /// The members as received, without `sign` and `t`, and with secrets replaced by `REDACTED`. Secrets are also
    /// members named `sign` or `t` in another case or at any depth, and signatures within strings. `null` if the
    /// members take more than 4096 bytes, or if many programs could not read them (half of a surrogate pair, a number
    /// beyond all floats).
    #[schema(value_type = Option<Object>)]
    members: Option<Box<RawValue>>,
}

/// The place of the error in a malformed body.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
enum BodyFault {
    /// The body is not UTF-8.
    Byte {
        /// The first wrong byte, counted from 0.
        byte: usize,
    },
    /// The body is not JSON, or not an object.
    Place {
        /// Counted from 1.
        line: usize,
        /// Counted from 1; 0 is the end of the line before.
        column: usize,
    },
}

impl RefusedBody {
    /// Keeps the length of a malformed body, and the place of the error.
    pub(super) fn malformed(malformed: &Malformed, body_bytes: usize) -> RefusedBody {
        let fault = match malformed {
            Malformed::NotUtf8 { position } => Some(BodyFault::Byte { byte: *position }),
            Malformed::NotAnObject { line, column } => Some(BodyFault::Place { line: *line, column: *column }),
            _ => None,
        };
        // This message names the member, and an unverified sender chose the name.
        let is_twice = matches!(malformed, Malformed::Twice { .. });
        let message = is_twice.then_some("a member appears twice");
        RefusedBody { body_bytes: Some(body_bytes), fault, message, ..RefusedBody::default() }
    }

    /// Keeps the members of a callback. The verifier knows which parameters to redact.
    pub(super) fn parsed(callback: &Callback<'_>, verifier: &Verifier, body_bytes: usize) -> RefusedBody {
        let members_bytes = callback.members_bytes();
        // The length is checked before anything is redacted, so that a flood of large bodies costs little.
        let members = (members_bytes <= MEMBERS_BYTES_MAX).then(|| verifier.redacted_members(callback));
        let members = members.filter(|members| members.len() <= MEMBERS_BYTES_MAX && is_readable(members));
        RefusedBody {
            body_bytes: Some(body_bytes),
            members_bytes: Some(members_bytes),
            members: members.and_then(|members| RawValue::from_string(members).ok()),
            ..RefusedBody::default()
        }
    }

    /// The stream that the callback names, if its members are kept.
    pub(super) fn stream(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Named {
            stream_id: String,
        }
        let named: Named = serde_json::from_str(self.members()?).ok()?;
        Some(printable(&named.stream_id, STREAM_CHARACTERS_MAX).to_string())
    }

    /// The members as JSON, if they are kept.
    pub(super) fn members(&self) -> Option<&str> {
        self.members.as_deref().map(RawValue::get)
    }

    /// The message to keep instead of `answered`, the message that the sender got.
    pub(super) fn message<'a>(&self, answered: &'a str) -> &'a str {
        self.message.unwrap_or(answered)
    }
}

/// Whether every program can read it. Half of a surrogate pair, or a number beyond all floats, would make the whole
/// list of refusals unreadable for many.
fn is_readable(json: &str) -> bool {
    serde_json::from_str::<serde_json::Value>(json).is_ok()
}

#[cfg(test)]
mod tests;
