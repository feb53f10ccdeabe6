//! The routes of the callback endpoint, and their handlers.
//!
//! `POST <receiver.path>` takes callbacks. `GET <receiver.health_path>` shows load balancers whether to send any.
//! Every other path is answered with 404.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{ConnectInfo, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};

use super::answers::{self, NotStored};
use super::callback_receiver::{Arrival, CallbackReceiver};
use crate::http::{CLOSE, ErrorBody};

/// Returns the routes of the callback endpoint. Every path is compared as text, as the client sent it.
pub fn router(receiver: Arc<CallbackReceiver>) -> Router {
    // Without these checks a path may begin a part with `:` or `*`, which were special in older versions of axum.
    let mut router = Router::new().without_v07_checks();
    // With `post`, the router would add `Allow` to every answer to another method, also to the 403 for a wrong address.
    router = router.route(receiver.path.as_str(), any(callback));
    if let Some(path) = &receiver.health_path {
        router = router.route(path.as_str(), get(health).fallback(health_is_read_only));
    }
    router.fallback(not_found).with_state(receiver)
}

/// Takes a callback, and answers once its event is durable.
async fn callback(
    State(receiver): State<Arc<CallbackReceiver>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let (arrival, body) = Arrival::split(&receiver, request, peer);
    match receiver.store_callback(&arrival, body).await {
        Ok(stored) => receiver.answer_stored(&arrival, &stored),
        Err(not_stored) => receiver.answer_not_stored(&arrival, not_stored),
    }
}

/// Answers a request to any other path.
async fn not_found(
    State(receiver): State<Arc<CallbackReceiver>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let (arrival, body) = Arrival::split(&receiver, request, peer);
    let hint = format!("; `receiver.path` is `{}`", receiver.path).into();
    let not_stored = NotStored::from(ErrorBody::not_found(arrival.parts.uri.path()));
    receiver.answer_not_stored(&arrival, NotStored { hint, close: !body.is_end_stream(), ..not_stored })
}

/// Shows a load balancer whether to send callbacks here.
async fn health(State(receiver): State<Arc<CallbackReceiver>>, request: Request) -> Response {
    if receiver.is_ready() {
        Response::new(Body::from("ready\n"))
    } else {
        let close = !request.body().is_end_stream();
        (close.then_some(CLOSE), answers::UNAVAILABLE).into_response()
    }
}

/// Answers a request to the health path that is not a GET or HEAD.
async fn health_is_read_only(request: Request) -> Response {
    let close = !request.body().is_end_stream();
    (close.then_some(CLOSE), answers::HEALTH_IS_READ_ONLY).into_response()
}

#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;
