//! Compresses pages and their files with gzip, for browsers that take it. The feed is not among them: it must not wait.

use std::io::Write as _;

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, HeaderValue, Response};
use axum::middleware::Next;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::admin::accept::{split, thousandths};

/// Shorter texts are sent as they are, because they fit into one packet anyway.
const BYTES_MIN: u64 = 1400;

/// Compresses the answer of a route, if it is a text and the browser takes gzip.
///
/// A page holds both the form token and text from its address, so its compressed length could betray the token to an
/// eavesdropper who chooses the address. A browser that follows a link from elsewhere sends no cookie, so that page has no token.
pub(super) async fn compress(request: Request, next: Next) -> Response<Body> {
    let takes_gzip = takes_gzip(request.headers());
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let is_text = headers.get(CONTENT_TYPE).is_some_and(|media_type| media_type.as_bytes().starts_with(b"text/"));
    if !is_text {
        return response;
    }
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    let is_compressed = headers.contains_key(CONTENT_ENCODING);
    let bytes = response.body().size_hint().exact().filter(|bytes| *bytes >= BYTES_MIN);
    if !takes_gzip || is_compressed || bytes.is_none() {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    // The whole body is here already, so this neither waits nor fails.
    let Ok(text) = axum::body::to_bytes(body, usize::MAX).await else { return Response::new(Body::empty()) };
    let body = match gzipped(&text, Compression::fast()) {
        Some(compressed) => {
            parts.headers.insert(CONTENT_ENCODING, GZIP);
            parts.headers.remove(CONTENT_LENGTH);
            Body::from(compressed)
        }
        None => Body::from(text),
    };
    Response::from_parts(parts, body)
}

/// The value of `Content-Encoding`.
pub(super) const GZIP: HeaderValue = HeaderValue::from_static("gzip");

/// Returns the text, compressed; `None` if there is no memory for it.
pub(super) fn gzipped(text: &[u8], level: Compression) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(text.len() / 4), level);
    encoder.write_all(text).ok()?;
    encoder.finish().ok()
}

/// Whether the sender of a request takes gzip (RFC 9110).
pub(super) fn takes_gzip(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let mut by_star = false;
    for coding in lines.flat_map(|line| split(line, ',')) {
        let mut parts = split(coding, ';');
        let name = parts.next().unwrap_or_default();
        let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1000), thousandths);
        let is_taken = quality.is_some_and(|quality| quality > 0);
        if name.eq_ignore_ascii_case("gzip") {
            return is_taken;
        }
        by_star |= name == "*" && is_taken;
    }
    by_star
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_taken_if_named() {
        for (header, expected) in [
            ("gzip, deflate, br, zstd", true),
            ("br;q=1.0, GZIP;q=0.2", true),
            ("*", true),
            ("gzip;q=0, *", false),
            ("gzip;q=0", false),
            ("identity", false),
            ("gzip;q=x", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(header));
            assert_eq!(takes_gzip(&headers), expected, "{header}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
