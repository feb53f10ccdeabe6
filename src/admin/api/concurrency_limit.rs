//! How many questions the API has in hand at once, from the first look at one until its answer is taken whole.
//!
//! A connection is held that long, and the answer's memory with it. So there are fewer than the listener has connections,
//! and the rest is there for those who ask how the service is. Subscribers of the feed have places of their own.

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

/// How many there are at most.
pub(super) const QUESTIONS_MAX: usize = 64;

/// Answers a question if there is room for it.
pub(super) async fn within(State(room): State<Arc<Semaphore>>, request: Request, next: Next) -> Response<Body> {
    if request.uri().path() == "/feed" {
        return next.run(request).await;
    }
    match room.try_acquire_owned() {
        Ok(place) => next.run(request).await.map(|body| Body::new(Held { body, _place: place })),
        Err(_) => Problem::busy().into_response(),
    }
}

/// An answer that holds its place until it is taken.
struct Held {
    body: Body,
    _place: OwnedSemaphorePermit,
}

impl HttpBody for Held {
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
    use axum::Router;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use tower::Service;

    use super::*;

    #[tokio::test]
    async fn an_answer_keeps_its_place_until_it_is_taken() {
        let room = Arc::new(Semaphore::new(1));
        let router = Router::new().route("/a", get(|| async { "answer" })).route("/feed", get(|| async { "feed" }));
        let router = router.layer(from_fn_with_state(room, within));
        let ask = async |path: &str| {
            router.clone().call(Request::builder().uri(path).body(Body::empty()).unwrap()).await.unwrap()
        };
        let first = ask("/a").await;
        assert_eq!((first.status().as_u16(), first.body().size_hint().exact()), (200, Some(6)));
        let second = ask("/a").await;
        assert_eq!((second.status().as_u16(), &second.headers()["retry-after"]), (503, &"10".parse().unwrap()));
        assert_eq!(ask("/feed").await.status(), 200);
        drop(first);
        assert_eq!(ask("/a").await.status(), 200);
    }
}
