//! The secret shared with CSS, and the signature made from it.

use std::fmt;

use md5::{Digest, Md5};

/// The placeholder of `config.example.toml`, refused so that nobody runs with a key that everybody knows.
const PLACEHOLDER: &str = "a callback key";

/// The callback key, as set in the CSS console (callback template) and in livehook.
///
/// It cannot be printed: `Debug` shows `REDACTED`. The part of the digest that covers the key is computed once.
#[derive(Clone)]
pub struct CallbackKey {
    text: Box<str>,
    prefix: Md5,
}

/// A text that cannot serve as a callback key.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeyError {
    /// The empty key would let anybody sign.
    #[error("the key is empty: give the key of your callback template, or make one with `livehook keygen`")]
    Empty,
    /// The example file's text.
    #[error("the key is the placeholder of the example file: make one with `livehook keygen`")]
    Placeholder,
    /// White space or control characters around or within: no console takes them, so they come from a slip.
    #[error("the key holds white space or a control character: remove it")]
    WhiteSpace,
}

impl CallbackKey {
    /// Takes the key as text.
    ///
    /// # Errors
    /// An empty key, the example file's placeholder, and white space or control characters are refused.
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

    /// The signature `MD5(key + t)` over the decimal text of `t`, as CSS computes it.
    pub fn sign(&self, t: &str) -> [u8; 16] {
        self.prefix.clone().chain_update(t).finalize().into()
    }

    /// Whether the key has fewer than 16 characters, which deserves a warning.
    pub fn is_short(&self) -> bool {
        self.text.chars().count() < 16
    }
}

impl fmt::Debug for CallbackKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CallbackKey(REDACTED)")
    }
}

/// Equality of the texts, for configurations that name one key twice. Not for checking signatures.
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
    fn cannot_be_printed() {
        let key = CallbackKey::new("very-secret-key-0").unwrap();
        assert!(!format!("{key:?}").contains("very"));
    }

    #[test]
    fn refuses_what_is_no_key() {
        assert_eq!(CallbackKey::new(""), Err(KeyError::Empty));
        assert_eq!(CallbackKey::new(PLACEHOLDER), Err(KeyError::Placeholder));
        for slip in ["key\n", " key", "a b", "a\u{0}b"] {
            assert_eq!(CallbackKey::new(slip), Err(KeyError::WhiteSpace), "{slip:?}");
        }
    }

    #[test]
    fn counts_characters_for_the_warning() {
        assert!(CallbackKey::new("fifteen-letters").unwrap().is_short());
        assert!(!CallbackKey::new("sixteen-letters!").unwrap().is_short());
    }
}
