//! The bearer token of the admin endpoint.

use std::fmt;

use axum::http::HeaderValue;
use axum::http::header::InvalidHeaderValue;
use serde::Deserialize;
use subtle::ConstantTimeEq;

/// The placeholder in `config.example.toml`. It is refused, because everybody can read it.
const PLACEHOLDER: &str = "a-token-of-your-own";

/// A secret that cannot be printed and is compared in constant time.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Box<str>);

impl Token {
    /// Makes a token of a text.
    ///
    /// # Errors
    /// The text is empty, is the placeholder of the example file, or has characters other than visible ASCII.
    pub fn new(text: &str) -> Result<Token, String> {
        if text.is_empty() {
            return Err("the token is empty: make one with `livehook keygen`".to_owned());
        }
        if text == PLACEHOLDER {
            return Err("the token is the placeholder of the example file: make one with `livehook keygen`".to_owned());
        }
        // Clients could not send other characters in a header.
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(
                "the token holds characters other than visible ASCII: make one with `livehook keygen`".to_owned()
            );
        }
        Ok(Token(text.into()))
    }

    /// Whether the token has fewer than 16 characters, and so is easy to guess.
    pub fn is_short(&self) -> bool {
        self.0.len() < 16
    }

    /// Returns the `Authorization` header with the token, for a client. Debug output hides its value.
    ///
    /// # Errors
    /// None: a token has only characters that a header can have.
    pub fn authorization(&self) -> Result<HeaderValue, InvalidHeaderValue> {
        let mut header = HeaderValue::try_from(format!("Bearer {}", self.0))?;
        header.set_sensitive(true);
        Ok(header)
    }

    /// Whether the text is the token. Takes the same time for every text of the token's length.
    pub fn matches(&self, given: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(given).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(REDACTED)")
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Token, D::Error> {
        Token::new(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_hides_the_token() {
        let header = Token::new("a-long-token").unwrap().authorization().unwrap();
        assert_eq!(header, "Bearer a-long-token");
        assert!(!format!("{header:?}").contains("a-long-token"));
    }
}
