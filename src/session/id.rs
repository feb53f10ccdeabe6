//! The id of a session, such as `2210464508206756938-5d0c1f7a`.
//!
//! The first part is the vendor's `sequence`, which the push and the stop share. The second part is the first 32 bits of a SHA-256
//! digest of the stream's key, because two streams might have the same sequence.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

use crate::callback::{InvalidText, StreamKey};

/// The most characters of a sequence. The vendor's have 19 digits.
const SEQUENCE_CHARACTERS_MAX: usize = 64;

impl StreamKey {
    /// Returns the id of the session with this sequence on this stream.
    pub fn session(&self, sequence: &str) -> SessionId {
        let digest = Sha256::digest(self.as_str().as_bytes());
        let head = [digest[0], digest[1], digest[2], digest[3]];
        SessionId { sequence: sequence.to_owned(), stream: u32::from_be_bytes(head) }
    }
}

/// Returns whether a text can be the sequence of a push: 1 to 64 ASCII letters, digits, `.`, `_` or `-`. The vendor's are digits.
pub(super) fn is_sequence(text: &str) -> bool {
    (1..=SEQUENCE_CHARACTERS_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// The id of a session, such as `2210464508206756938-5d0c1f7a`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId {
    sequence: String,
    stream: u32,
}

impl SessionId {
    /// The vendor's number of the push.
    pub fn sequence(&self) -> &str {
        &self.sequence
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{:08x}", self.sequence, self.stream)
    }
}

impl utoipa::ToSchema for SessionId {}

impl utoipa::PartialSchema for SessionId {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("Identifies a session: the vendor's `sequence`, a hyphen and a digest of the stream."))
            .pattern(Some("^[A-Za-z0-9._-]{1,64}-[0-9a-f]{8}$"))
            .examples([serde_json::json!("2210464508206756938-5d0c1f7a")])
            .into()
    }
}

impl serde::Serialize for SessionId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for SessionId {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<SessionId, InvalidText> {
        let invalid = || InvalidText::new(text, "a session id", "one such as 2210464508206756938-5d0c1f7a");
        // From the right, because a sequence may contain a hyphen.
        let (sequence, stream) = text.rsplit_once('-').ok_or_else(invalid)?;
        // `from_str_radix` would also accept a sign.
        let is_digest = stream.len() == 8 && stream.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_digest || !is_sequence(sequence) {
            return Err(invalid());
        }
        let stream = u32::from_str_radix(stream, 16).map_err(|_| invalid())?;
        Ok(SessionId { sequence: sequence.to_owned(), stream })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ_by_stream_and_are_read_back() {
        let [first, second] = ["d/a/s", "e/a/s"].map(|key| StreamKey::from_text(key).session("6674468118806626493"));
        assert_ne!(first, second);
        // The first 32 bits of SHA-256 of `d/a/s`.
        assert_eq!(first.to_string(), "6674468118806626493-1ec18d8e");
        for id in [first, second, StreamKey::from_text("//").session("a-b.c_D")] {
            assert_eq!(id.to_string().parse(), Ok(id));
        }
    }

    #[test]
    fn malformed_id_is_named_in_the_error() {
        for text in ["", "1", "1-", "1-5d0c1f7", "1-5d0c1f7g", "1-+d0c1f7a", "-5d0c1f7a", "a b-5d0c1f7a", "直-5d0c1f7a"]
        {
            assert!(
                text.parse::<SessionId>()
                    .unwrap_err()
                    .to_string()
                    .starts_with(&format!("`{text}` is not a session id"))
            );
        }
        assert!(format!("{}-5d0c1f7a", "1".repeat(65)).parse::<SessionId>().is_err());
    }
}
