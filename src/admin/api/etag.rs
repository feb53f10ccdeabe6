//! Answers that a client may keep, and ask for again only where they have changed (`ETag`, `If-None-Match`).

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use futures_util::stream;
use sha2::{Digest, Sha256};

/// The tag of a text, from what it says.
pub(super) fn digest_tag(text: &str) -> String {
    hex::encode(&Sha256::digest(text)[..16])
}

/// The answer that `make` gives, with its tag (less the quotes) and for how long it may be kept; or, to a client that has it
/// already, that it still holds.
pub(super) fn tagged(
    headers: &HeaderMap,
    tag: &str,
    cache: &'static str,
    make: impl FnOnce() -> Response<Body>,
) -> Response<Body> {
    let tag = format!("\"{tag}\"");
    let mut response = if is_known(headers, &tag) {
        // Of a body whose length is known it would be told, and be taken for that of the answer that still holds.
        let mut response = Response::new(Body::from_stream(stream::empty::<Result<Bytes, Infallible>>()));
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        make()
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(ETAG, tag);
    }
    response
}

/// Whether a client says that it has what bears the tag. A proxy that packs answers makes a tag weak; it is the same here.
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let given = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    given
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_known_alone_among_others_and_weak() {
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
