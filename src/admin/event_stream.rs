//! An answer of server-sent events.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue, Response};
use bytes::Bytes;
use futures_util::Stream;

/// How often something is sent even if nothing happens. Proxies end connections that are silent for longer.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(15);

/// After how many ms a client reconnects that has lost its connection.
pub(super) const RETRY_MS: u32 = 3000;

/// Returns an answer that sends the pieces of text as they come. A piece that is an error breaks the connection.
pub(super) fn event_stream<E>(pieces: impl Stream<Item = Result<Bytes, E>> + Send + 'static) -> Response<Body>
where
    E: std::error::Error + Send + Sync + 'static,
{
    let mut response = Response::new(Body::from_stream(pieces));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Otherwise nginx holds messages back until its buffer is full.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}
