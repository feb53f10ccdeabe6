//! Limits how many requests the API works on at once. A request counts from the end of its body until the connection has
//! taken the whole answer, so a slow client holds no permit.
//!
//! The limit is below the listener's limit of connections, so `/readyz` and `/metrics` always have some left. Subscribers
//! of the feed have a limit of their own.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::Response;
use axum::middleware::Next;
use axum::response::IntoResponse;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::admin::problem::Problem;

/// How many requests there can be at once.
pub(super) const REQUESTS_MAX: usize = 64;

/// Lets a request through if a permit is free, and answers that the API is busy if none is.
pub(super) async fn limit(State(permits): State<Arc<Semaphore>>, request: Request, next: Next) -> Response<Body> {
    // A subscriber stays for hours, and the feed limits subscribers itself.
    if request.uri().path() == "/feed" {
        return next.run(request).await;
    }
    match permits.try_acquire_owned() {
        Ok(permit) => next.run(request).await.map(|body| Body::new(Permitted { body, _permit: permit })),
        Err(_) => Problem::busy().into_response(),
    }
}

/// The body of an answer, which holds a permit until it is dropped.
struct Permitted {
    body: Body,
    _permit: OwnedSemaphorePermit,
}

impl HttpBody for Permitted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::time::Duration;

    use axum::Router;
    use axum::middleware::from_fn_with_state;
    use axum::routing::{get, post};
    use futures_util::StreamExt;
    use futures_util::future::join_all;
    use futures_util::stream::{self, pending};
    use http_body_util::StreamBody;
    use tokio::time::Instant;
    use tower::Service;

    use super::*;
    use crate::admin::api::body::{BODY_BYTES_MAX, body_budget, read_whole_body};

    #[tokio::test(start_paused = true)]
    async fn unfinished_body_holds_no_permit() {
        let limit = from_fn_with_state(Arc::new(Semaphore::new(1)), limit);
        let router = Router::new().route("/a", post(async |body: String| body));
        let router = router.route_layer(limit).route_layer(from_fn_with_state(body_budget(), read_whole_body));
        let call = async |body: Body| {
            let request = Request::builder().method("POST").uri("/a").body(body).unwrap();
            router.clone().call(request).await.unwrap().status().as_u16()
        };
        let unfinished = || Body::new(StreamBody::new(pending::<Result<Frame<Bytes>, Infallible>>()));
        let begun = Instant::now();
        let (first, second, whole) = tokio::join!(call(unfinished()), call(unfinished()), async {
            let status = call(Body::from("whole")).await;
            (status, begun.elapsed())
        });
        assert_eq!((first, second, whole), (408, 408, (200, Duration::ZERO)));
        assert_eq!(begun.elapsed(), Duration::from_secs(10));
        assert_eq!(call(Body::from("x".repeat(BODY_BYTES_MAX + 1))).await, 413);
        assert_eq!(call(Body::from("x".repeat(BODY_BYTES_MAX))).await, 200);
    }

    /// Bodies without an end take no more than the share of their address.
    #[tokio::test(start_paused = true)]
    async fn unfinished_bodies_share_their_memory() {
        let router = Router::new().route("/a", post(async |body: String| body.len().to_string()));
        let router = router.route_layer(from_fn_with_state(body_budget(), read_whole_body));
        let call = async |ends: bool| {
            let part = Bytes::from(vec![b'x'; BODY_BYTES_MAX / 2]);
            let parts = stream::iter([Ok::<_, Infallible>(Frame::data(part.clone())), Ok(Frame::data(part))]);
            let body = if ends { parts.boxed() } else { parts.chain(pending()).boxed() };
            let request = Request::builder().method("POST").uri("/a").body(Body::new(StreamBody::new(body))).unwrap();
            router.clone().call(request).await.unwrap().status().as_u16()
        };
        let (unfinished, whole) = tokio::join!(join_all((0..6).map(|_| call(false))), call(true));
        assert_eq!(whole, 200);
        assert_eq!(unfinished, [503, 503, 503, 408, 408, 408]);
    }

    #[tokio::test]
    async fn answer_holds_its_permit() {
        let permits = Arc::new(Semaphore::new(1));
        let router = Router::new().route("/a", get(|| async { "answer" })).route("/feed", get(|| async { "feed" }));
        let router = router.layer(from_fn_with_state(permits, limit));
        let call = async |path: &str| {
            router.clone().call(Request::builder().uri(path).body(Body::empty()).unwrap()).await.unwrap()
        };
        let first = call("/a").await;
        assert_eq!((first.status().as_u16(), first.body().size_hint().exact()), (200, Some(6)));
        let second = call("/a").await;
        assert_eq!((second.status().as_u16(), &second.headers()["retry-after"]), (503, &"10".parse().unwrap()));
        assert_eq!(call("/feed").await.status(), 200);
        drop(first);
        assert_eq!(call("/a").await.status(), 200);
    }
}
