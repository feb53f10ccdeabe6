//! The path of a URL, as the configuration gives it.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;

/// A path that a request can have, character for character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlPath(Cow<'static, str>);

impl UrlPath {
    /// The default path of callbacks.
    pub(crate) const CALLBACK: UrlPath = UrlPath(Cow::Borrowed("/callback"));

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for UrlPath {
    type Err = String;

    /// Accepts the characters of RFC 3986, in a path that begins with a slash.
    fn from_str(text: &str) -> Result<UrlPath, String> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@%".contains(&byte);
        if !text.starts_with('/') || !text.bytes().all(allowed) {
            return Err(
                "must begin with / and hold only characters that are allowed in the path of a URL, without ? and #"
                    .to_owned(),
            );
        }
        // Clients resolve these before they send a request, even if they are percent-encoded.
        let is_step = |segment: &str| matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..");
        if text.split('/').any(is_step) {
            return Err("must not have . or .. as a part, because no client would send it; remove that part".to_owned());
        }
        Ok(UrlPath(Cow::Owned(text.to_owned())))
    }
}

impl fmt::Display for UrlPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for UrlPath {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<UrlPath, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Uri;

    use super::*;

    #[test]
    fn path_is_one_that_a_request_can_have() {
        for path in ["/", "/callback", "/.well-known/a..b", "/a/b%20c/~x!$&'()*+,;=:@", "//", "/:x/*y"] {
            assert_eq!(path.parse::<UrlPath>().unwrap().as_str(), path);
            assert_eq!(path.parse::<Uri>().unwrap().path(), path);
        }
        for path in [
            "",
            "callback",
            "/a b",
            "/a?b",
            "/a#b",
            "/a\n",
            "/{x}",
            "/\u{e9}",
            "*",
            "http://x/",
            "/a/../b",
            "/.",
            "/a/%2E./b",
        ] {
            assert!(path.parse::<UrlPath>().is_err(), "{path}");
        }
    }
}
