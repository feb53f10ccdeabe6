//! Answers to browsers: pages, and redirects to them.

use axum::body::Body;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY};
use axum::http::{HeaderValue, Response, StatusCode, Uri};
use maud::Markup;

/// Nothing comes from elsewhere, and no text of a page can become a script or a style.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
);

/// Returns markup with the headers that every page has.
pub(super) fn html_response(markup: Markup) -> Response<Body> {
    let mut response = Response::new(Body::from(markup.into_string()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    // Other sites get no referrer. With `no-referrer` alone, browsers would hide the origin of our own forms too, which
    // `Form` checks. The last policy that a browser knows counts.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer, same-origin"));
    response
}

/// Whether an address is a path on this site. Browsers read `//host` and `/\host` as other sites.
pub(super) fn is_local(path: &str) -> bool {
    path.starts_with('/')
        && !path[1..].starts_with(['/', '\\'])
        && path.bytes().all(|byte| byte.is_ascii_graphic())
        && path.parse::<Uri>().is_ok()
}

/// Sends the browser to a page with GET.
pub(super) fn see_other(path: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    response.headers_mut().insert(LOCATION, HeaderValue::try_from(path).unwrap_or(HeaderValue::from_static("/")));
    response
}

/// A text as the value of a parameter in an address.
pub(super) fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_elsewhere_is_not_local() {
        for (path, expected) in [
            ("/", true),
            ("/events?type=push", true),
            ("//evil.example", false),
            ("/\\evil.example", false),
            ("https://evil.example", false),
            ("", false),
            ("/a\r\nb", false),
            ("/a b", false),
        ] {
            assert_eq!(is_local(path), expected, "{path:?}");
        }
    }
}
