//! The callback key, a secret shared with CSS, and the signatures that it makes.

use std::fmt;

use md5::{Digest, Md5};
use sha2::Sha256;

/// The placeholder of `config.example.toml`. It is refused, because everybody knows it.
const PLACEHOLDER: &str = "a callback key";

/// The start of each hash of a fingerprint, so that no other hash of the key has the same value.
const FINGERPRINT_PREFIX: &[u8] = b"livehook callback key fingerprint";

/// How many hashes a fingerprint takes.
const FINGERPRINT_ROUNDS: u32 = 1 << 16;

/// The callback key, as set in the CSS console (callback template) and in livehook.
///
/// It can't be printed: `Debug` shows `REDACTED`.
#[derive(Clone)]
pub struct CallbackKey {
    text: Box<str>,
    /// The digest so far, after the key. Each signature continues a copy of it.
    prefix: Md5,
}

/// Why a text can't be a callback key.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeyError {
    /// It is empty. With an empty key, anyone could sign.
    #[error("the key is empty: give the key of your callback template, or make one with `livehook keygen`")]
    Empty,
    /// It is the placeholder of the example file.
    #[error("the key is the placeholder of the example file: make one with `livehook keygen`")]
    Placeholder,
    /// It has white space or control characters. The console doesn't accept them, so they come from a mistake in copying.
    #[error("the key holds white space or a control character: remove it")]
    WhiteSpace,
}

impl CallbackKey {
    /// Takes the text of a key.
    ///
    /// # Errors
    /// The text is empty, is the placeholder of the example file, or has white space or control characters.
    pub fn new(text: &str) -> Result<CallbackKey, KeyError> {
        if text.is_empty() {
            return Err(KeyError::Empty);
        }
        if text == PLACEHOLDER {
            return Err(KeyError::Placeholder);
        }
        if text.chars().any(|character| character.is_whitespace() || character.is_control()) {
            return Err(KeyError::WhiteSpace);
        }
        Ok(CallbackKey { text: text.into(), prefix: Md5::new_with_prefix(text) })
    }

    /// Returns the signature that CSS computes: `MD5(key + t)`, over the decimal text of `t`.
    pub fn sign(&self, t: &str) -> [u8; 16] {
        // Nothing separates key and `t`, so MD5 could be extended. A `t` of digits alone, which the parser requires, prevents this.
        self.prefix.clone().chain_update(t).finalize().into()
    }

    /// Returns a name for the key that people may see: 8 hexadecimal digits, such as `3f2a91bc`.
    ///
    /// Takes some milliseconds.
    pub fn fingerprint(&self) -> String {
        // A fingerprint must not help to guess a weak key. A captured callback lets an attacker check a guess with one MD5. Here, a
        // check takes 65,536 SHA-256, and its 32 bits also fit every four billionth wrong guess.
        let first = Sha256::new_with_prefix(FINGERPRINT_PREFIX).chain_update(self.text.as_bytes()).finalize();
        let last = (1..FINGERPRINT_ROUNDS).fold(first, |digest, _| {
            Sha256::new_with_prefix(FINGERPRINT_PREFIX)
                .chain_update(digest)
                .chain_update(self.text.as_bytes())
                .finalize()
        });
        hex::encode(&last[..4])
    }

    /// Returns whether the key has fewer than 16 characters. Then it can be guessed, and the configuration warns.
    pub fn is_short(&self) -> bool {
        self.text.chars().count() < 16
    }
}

impl fmt::Debug for CallbackKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CallbackKey(REDACTED)")
    }
}

/// Finds a key that the configuration has twice. It isn't constant in time, so it must not check signatures.
impl PartialEq for CallbackKey {
    fn eq(&self, other: &CallbackKey) -> bool {
        self.text == other.text
    }
}

impl Eq for CallbackKey {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_as_the_vendors_published_sample() {
        let key = CallbackKey::new("test").unwrap();
        assert_eq!(hex::encode(key.sign("1545030873")), "ca3e25e5dc17a6f9909a9ae7281e300d");
    }

    #[test]
    fn key_is_not_printed() {
        let key = CallbackKey::new("very-secret-key-0").unwrap();
        assert!(!format!("{key:?}").contains("very"));
    }

    #[test]
    fn fingerprint_depends_on_the_key_alone() {
        let fingerprint = |text: &str| CallbackKey::new(text).unwrap().fingerprint();
        assert_eq!(fingerprint("very-secret-key-0"), "454fe826");
        assert_ne!(fingerprint("very-secret-key-1"), fingerprint("very-secret-key-0"));
    }

    #[test]
    fn unusable_key_is_refused() {
        assert_eq!(CallbackKey::new(""), Err(KeyError::Empty));
        assert_eq!(CallbackKey::new(PLACEHOLDER), Err(KeyError::Placeholder));
        for slip in ["key\n", " key", "a b", "a\u{0}b"] {
            assert_eq!(CallbackKey::new(slip), Err(KeyError::WhiteSpace), "{slip:?}");
        }
    }

    #[test]
    fn short_key_is_below_16_characters() {
        assert!(CallbackKey::new("fifteen-letters").unwrap().is_short());
        assert!(!CallbackKey::new("sixteen-letters!").unwrap().is_short());
    }
}
