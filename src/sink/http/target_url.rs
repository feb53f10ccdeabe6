//! The URL of the receiver. A wrong URL keeps no text of its own, because that could hold a password.

use std::fmt;

use reqwest::Url;
use serde::{Deserialize, Deserializer};

use crate::http_client;

const MISSING: &str = "is missing: set `url`, `url_file` or the variable LIVEHOOK_SINK_<NAME>_URL";

/// The URL that events are posted to. A wrong URL is kept as the rule that it breaks, without its text, because that may hold
/// a password.
#[derive(Clone, PartialEq, Eq)]
pub struct TargetUrl {
    pub(super) url: Result<Url, &'static str>,
}

impl TargetUrl {
    /// Parses the URL.
    pub fn new(text: &str) -> TargetUrl {
        let url = match Url::parse(text) {
            Ok(url) if !url.username().is_empty() || url.password().is_some() => Err(
                "contains a user name or a password, which the logs of other programs could show: put a token into \
                 `bearer_token_file`, or an Authorization into `headers`",
            ),
            Ok(mut url) if http_client::is_callable(&url) => {
                // HTTP sends no fragment.
                url.set_fragment(None);
                Ok(url)
            }
            _ => Err("must be a URL that begins with http:// or https://, such as \"https://example.com/events\""),
        };
        TargetUrl { url }
    }

    /// Whether there is no URL, not even a wrong one.
    pub(super) fn is_missing(&self) -> bool {
        self.url == Err(MISSING)
    }

    /// Scheme and host of the URL. Many services identify the caller by the path alone, so it's a secret like the query.
    pub fn shown(&self) -> String {
        self.url.as_ref().map_or_else(|_| "no URL".to_owned(), shown)
    }
}

impl Default for TargetUrl {
    fn default() -> TargetUrl {
        TargetUrl { url: Err(MISSING) }
    }
}

/// Scheme, host and port of a URL.
pub(super) fn shown(url: &Url) -> String {
    url.origin().ascii_serialization()
}

impl fmt::Debug for TargetUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "TargetUrl({})", self.shown())
    }
}

impl<'de> Deserialize<'de> for TargetUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<TargetUrl, D::Error> {
        Ok(TargetUrl::new(&String::deserialize(deserializer)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_urls_are_refused_and_not_shown() {
        for text in [
            "",
            "example.com",
            "ftp://a/b",
            "http://",
            "https://user:hunter2@example.com/",
            "http://:hunter2@a/",
            "http://hunter2@a",
        ] {
            let url = TargetUrl::new(text);
            let rule = url.url.clone().unwrap_err();
            assert!(!format!("{rule}{url:?}").contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn path_and_query_are_sent_and_not_shown() {
        let url = TargetUrl::new("https://example.com:8443/hook?token=hunter2#part");
        assert_eq!(url.shown(), "https://example.com:8443");
        assert_eq!(format!("{url:?}"), "TargetUrl(https://example.com:8443)");
        assert_eq!(url.url.unwrap().as_str(), "https://example.com:8443/hook?token=hunter2");
    }
}
