//! The headers that the user adds to every request. Their values may be secrets, so none is shown.

use std::collections::BTreeMap;
use std::fmt;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;

use crate::sink::{Mistake, member_path};

/// The headers that the sink or HTTP itself sets.
const RESERVED: [&str; 11] = [
    "connection",
    "content-encoding",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// The sink or HTTP itself sets every header with one of these prefixes.
const RESERVED_PREFIXES: [&str; 2] = ["webhook-", "proxy-"];

/// Headers of every request. `Debug` shows names only.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Headers(BTreeMap<String, String>);

impl Headers {
    /// The headers as they are sent. Invalid ones are left out, because they are reported as mistakes.
    pub(super) fn map(&self) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in &self.0 {
            // Sensitive values are hidden in the debug output of the HTTP client.
            if let (Ok(name), Ok(mut value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                value.set_sensitive(true);
                map.insert(name, value);
            }
        }
        map
    }

    /// Every value.
    pub(super) fn values(&self) -> impl Iterator<Item = &str> {
        self.0.values().map(String::as_str)
    }

    /// Returns the headers that can't be sent. With `has_token`, `bearer_token_file` sets `Authorization`.
    pub(super) fn mistakes(&self, has_token: bool) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        let mut seen: Vec<String> = Vec::new();
        for (name, value) in &self.0 {
            // HTTP ignores the case of names, and TOML keys have one.
            let lower = name.to_ascii_lowercase();
            let rule = if HeaderName::try_from(name).is_err() {
                "is not a valid name of an HTTP header"
            } else if HeaderValue::try_from(value).is_err() {
                "must be a text of one line"
            } else if lower == "content-type" {
                "is the key `content_type` of the sink: set that"
            } else if RESERVED.contains(&lower.as_str()) || RESERVED_PREFIXES.iter().any(|with| lower.starts_with(with))
            {
                "is set by livehook or by HTTP itself: remove it"
            } else if has_token && lower == "authorization" {
                "is set by `bearer_token_file` too: keep one of the two"
            } else if seen.contains(&lower) {
                "is set twice: the names of headers ignore case"
            } else {
                seen.push(lower);
                continue;
            };
            mistakes.push(Mistake { key: member_path("headers", name), value: None, rule: rule.to_owned() });
        }
        mistakes
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistakes(toml: &str, has_token: bool) -> Vec<Mistake> {
        toml::from_str::<Headers>(toml).unwrap().mistakes(has_token)
    }

    #[test]
    fn reserved_headers_are_refused_unprinted() {
        for name in ["Content-Type", "HOST", "webhook-id", "Webhook-Anything", "Proxy-Authorization", "a b", "", "ä"] {
            let headers: Headers = toml::from_str(&format!("{name:?} = \"hunter2\"")).unwrap();
            let mistakes = headers.mistakes(false);
            assert_eq!(mistakes.len(), 1, "{name}");
            assert!(!format!("{headers:?}{mistakes:?}").contains("hunter2"));
        }
    }

    #[test]
    fn a_header_has_one_line_and_one_source() {
        let basic = "Authorization = \"Basic eDp5\"\nX-Team = \"live\"";
        assert_eq!(mistakes(basic, false), []);
        assert_eq!(mistakes(basic, true)[0].key, "headers.Authorization");
        assert_eq!(mistakes("X-Team = \"a\"\nx-team = \"b\"", false).len(), 1);
        assert_eq!(mistakes("X-Team = \"a\\nHost: b\"", false).len(), 1);
    }
}
