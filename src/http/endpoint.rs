//! What a listener serves: something that answers requests.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use tower::Service;

/// An answer that is being made. It is dropped if the client leaves.
pub type PendingAnswer = Pin<Box<dyn Future<Output = Response> + Send>>;

/// Answers the requests of a listener.
pub trait Endpoint: Send + Sync + 'static {
    /// Answers a request from a peer.
    fn answer(&self, request: Request, peer: SocketAddr) -> PendingAnswer;
}

/// Its handlers find the peer as `ConnectInfo<SocketAddr>`.
impl Endpoint for Router {
    fn answer(&self, mut request: Request, peer: SocketAddr) -> PendingAnswer {
        request.extensions_mut().insert(ConnectInfo(peer));
        let answer = self.clone().call(request);
        Box::pin(async { answer.await.unwrap_or_else(|never| match never {}) })
    }
}
