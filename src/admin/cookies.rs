//! Reads and writes cookies.

use axum::http::header::COOKIE;
use axum::http::{HeaderMap, HeaderValue};

/// Returns the value of a cookie that a request carries. If it carries several of this name, the first one.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(given, _)| *given == name).map(|(_, value)| value)
}

/// Returns the header that stores a cookie in a browser for this many seconds; 0 removes it. No script reads it, and no other
/// site makes a browser send it.
pub(super) fn set_cookie(name: &str, value: &str, max_age_secs: u64, is_secure: bool) -> Option<HeaderValue> {
    let secure = if is_secure { "; Secure" } else { "" };
    // Names and values are ours, so the header is always valid.
    HeaderValue::try_from(format!("{name}={value}; Path=/; Max-Age={max_age_secs}; HttpOnly; SameSite=Strict{secure}"))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookie_is_found_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("ab=1; b=2;c"));
        headers.append(COOKIE, HeaderValue::from_static("b=3;d=x=y"));
        let found = ["a", "ab", "b", "c", "d"].map(|name| cookie(&headers, name));
        assert_eq!(found, [None, Some("1"), Some("2"), None, Some("x=y")]);
    }

    #[test]
    fn stored_cookie_is_strict() {
        let header = set_cookie("a", "b", 60, true).unwrap();
        assert_eq!(header, "a=b; Path=/; Max-Age=60; HttpOnly; SameSite=Strict; Secure");
    }
}
