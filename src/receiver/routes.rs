//! The routes of the callback endpoint, and their handlers.
//!
//! `POST <receiver.path>` takes callbacks. `GET <receiver.health_path>` shows load balancers whether to send any.
//! Every other path is answered with 404.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::Method;
use axum::response::{IntoResponse, Response};

use super::answers::{self, NotStored};
use super::callback_receiver::{Arrival, CallbackReceiver};
use super::rules::Purpose;
use crate::http::{CLOSE, Endpoint, ErrorBody, PendingAnswer};

// Without axum's router: a reload changes the paths together with the other rules, so the router would know no path. It would also
// make several allocations for each request.
impl Endpoint for Arc<CallbackReceiver> {
    fn answer(&self, request: Request, peer: SocketAddr) -> PendingAnswer {
        let receiver = Arc::clone(self);
        Box::pin(async move { route(&receiver, request, peer).await })
    }
}

/// Finds the handler of a request by the rules of its beginning. Paths are compared as text, as the client sent them.
async fn route(receiver: &CallbackReceiver, request: Request, peer: SocketAddr) -> Response {
    let (arrival, body) = Arrival::split(receiver, request, peer);
    match arrival.purpose() {
        Some(Purpose::Callbacks) => callback(receiver, &arrival, body).await,
        Some(Purpose::Health) => health(receiver, &arrival, &body),
        None => not_found(receiver, &arrival, &body),
    }
}

/// Takes a callback, and answers once its event is durable.
async fn callback(receiver: &CallbackReceiver, arrival: &Arrival, body: Body) -> Response {
    match receiver.store_callback(arrival, body).await {
        Ok(stored) => receiver.answer_stored(arrival, &stored),
        Err(not_stored) => receiver.answer_not_stored(arrival, not_stored),
    }
}

/// Answers a request to any other path.
fn not_found(receiver: &CallbackReceiver, arrival: &Arrival, body: &Body) -> Response {
    let not_stored = NotStored::from(ErrorBody::not_found(arrival.parts.uri.path()));
    let hint = arrival.path_hint().into();
    receiver.answer_not_stored(arrival, NotStored { hint, close: !body.is_end_stream(), ..not_stored })
}

/// Shows a load balancer whether to send callbacks here.
fn health(receiver: &CallbackReceiver, arrival: &Arrival, body: &Body) -> Response {
    let is_read = matches!(arrival.parts.method, Method::GET | Method::HEAD);
    if is_read && receiver.is_ready() {
        return Response::new(Body::from("ready\n"));
    }
    let answer = if is_read { answers::UNAVAILABLE } else { answers::HEALTH_IS_READ_ONLY };
    ((!body.is_end_stream()).then_some(CLOSE), answer).into_response()
}

#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;
