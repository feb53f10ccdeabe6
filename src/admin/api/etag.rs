//! Answers that a client can keep, and ask for again only if they have changed (`ETag`, `If-None-Match`).

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use futures_util::stream;
use sha2::{Digest, Sha256};

/// Returns an entity tag, without quotes, that stands for a text.
pub(super) fn digest_etag(text: &str) -> String {
    // Half of the digest is enough to tell versions of one text apart.
    hex::encode(&Sha256::digest(text)[..16])
}

/// Returns the answer that `make` gives, with an entity tag (given without quotes) and a `Cache-Control` header. If the client
/// already has it, returns 304.
pub(super) fn with_etag(
    headers: &HeaderMap,
    etag: &str,
    cache_control: &'static str,
    make: impl FnOnce() -> Response<Body>,
) -> Response<Body> {
    let etag = format!("\"{etag}\"");
    let mut response = if is_known(headers, &etag) {
        // An empty body of known length would get `Content-Length: 0`, which a 304 must not have: it is about the kept answer.
        let mut response = Response::new(Body::from_stream(stream::empty::<Result<Bytes, Infallible>>()));
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        make()
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache_control));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        headers.insert(ETAG, etag);
    }
    response
}

/// Whether the client has the answer with this entity tag. A proxy that compresses answers makes a tag weak (`W/`); the
/// content is the same.
fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let given = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    given
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn etag_is_known_alone_in_a_list_and_weak() {
        for (given, known) in [
            (vec!["\"a\""], true),
            (vec!["W/\"a\""], true),
            (vec!["\"b\", \"a\""], true),
            (vec!["\"b\"", "\"a\""], true),
            (vec!["*"], true),
            (vec!["\"b\""], false),
            (vec!["a"], false),
            (vec!["\"ab\""], false),
            (vec![""], false),
            (vec![], false),
        ] {
            let mut headers = HeaderMap::new();
            for value in &given {
                headers.append(IF_NONE_MATCH, HeaderValue::from_static(value));
            }
            assert_eq!(is_known(&headers, "\"a\""), known, "{given:?}");
        }
    }
}
