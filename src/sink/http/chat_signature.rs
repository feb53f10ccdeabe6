//! The signatures of chat tools whose webhooks can demand one: an HMAC-SHA256 over the time, keyed with a secret.
//!
//! DingTalk takes `timestamp` in ms and `sign` in the query; Feishu takes `timestamp` in s and `sign` in the body, with the key and the
//! text the other way round. Sources: the vendors' sample programs, as articles of users quote them (binkzhou.github.io for DingTalk,
//! m.down10s.com for Feishu).

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Url;
use serde::Deserialize;
use sha2::Sha256;

/// `sign`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChatSignature {
    /// DingTalk's, in the query of the URL.
    DingTalk,
    /// Feishu's and Lark's, in the body.
    Feishu,
}

/// The secret of a chat tool. It can't be printed: `Debug` shows `REDACTED`.
#[derive(Clone, PartialEq, Eq)]
pub struct ChatSecret(String);

impl ChatSecret {
    /// Makes a secret of its text.
    pub(super) fn new(text: &str) -> ChatSecret {
        ChatSecret(text.to_owned())
    }

    /// Returns the text, so that it can be removed from the texts of others.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ChatSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ChatSecret(REDACTED)")
    }
}

/// Returns the URL with the time and the signature of DingTalk.
pub(super) fn with_query(url: &Url, ChatSecret(secret): &ChatSecret, now_ms: i64) -> Url {
    let mut url = url.clone();
    let signature = signature(secret, &format!("{now_ms}\n{secret}"));
    url.query_pairs_mut().append_pair("timestamp", &now_ms.to_string()).append_pair("sign", &signature);
    url
}

/// Returns the body, a JSON object, with the time and the signature of Feishu. Any other body stays as it is.
pub(super) fn with_members(body: String, ChatSecret(secret): &ChatSecret, now_ms: i64) -> String {
    let Some(members) = body.trim_start().strip_prefix('{') else { return body };
    let timestamp = now_ms.div_euclid(1000);
    let signature = signature(&format!("{timestamp}\n{secret}"), "");
    let comma = if members.trim_start().starts_with('}') { "" } else { "," };
    format!(r#"{{"timestamp":"{timestamp}","sign":"{signature}"{comma}{members}"#)
}

fn signature(key: &str, text: &str) -> String {
    // Never fails: HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.as_bytes()) else { return String::new() };
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    // Computed with Python's `hmac`, as the sample programs do it.
    const DINGTALK: &str = "V9VP5gL2WDsEZvZQHnbd9k4n+p56ibcLMh+WKMZRQas=";
    const FEISHU: &str = "PiO7POLlSx/DM2qf8Dy/XCWeJK3exVnevp5G99LEN2M=";

    #[test]
    fn signatures_equal_the_vendors() {
        let secret = ChatSecret::new("SEC0123456789abcdef");
        let url = with_query(&Url::parse("https://a.example/send?access_token=x").unwrap(), &secret, 1_700_000_000_123);
        let query: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        assert_eq!(
            query[1..],
            [("timestamp", "1700000000123"), ("sign", DINGTALK)].map(|(name, value)| (name.into(), value.into()))
        );
        for (body, members) in [("{}", ""), (" {\"a\": 1}", ",\"a\": 1")] {
            let signed = with_members(body.to_owned(), &secret, 1_700_000_000_123);
            assert_eq!(signed, format!(r#"{{"timestamp":"1700000000","sign":"{FEISHU}"{members}}}"#));
            assert!(serde_json::from_str::<serde_json::Value>(&signed).is_ok());
        }
        assert_eq!(format!("{secret:?}"), "ChatSecret(REDACTED)");
    }
}
