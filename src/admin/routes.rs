//! The admin endpoint, on a listener of its own:
//!
//! - `/livez` and `/readyz`: see [`health`]
//! - `/metrics`: see [`metrics`](mod@super::metrics)
//! - `/api/v1`: see [`api`](mod@super::api)
//! - `/` and all other paths: the [`pages`](mod@super::pages)
//!
//! [`guard`] decides which requests get to them. Nothing here reads the journal's files, except the API.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{OriginalUri, Request};
use axum::http::Response;
use axum::middleware::from_fn_with_state;
use axum::routing::get;

use super::access::{Access, SharedAccess};
use super::api::{self, Api};
use super::guard::{self, Guard};
use super::lag_history::LagHistory;
use super::logins::Logins;
use super::metrics::metrics;
use super::pages::{self, Pages};
use super::problem::refusal_response;
use super::to_login::is_wanted;
use super::updates::Updates;
use super::{Options, Sources, health};
use crate::http::ErrorBody;

const METHOD_NOT_ALLOWED: ErrorBody =
    ErrorBody::method_not_allowed("this path does not support this method: see the `Allow` header");

/// The admin endpoint.
pub struct Admin {
    access: SharedAccess,
    sources: Arc<Sources>,
    api: Arc<Api>,
    logins: Arc<Logins>,
    lag_history: Arc<LagHistory>,
    updates: Arc<Updates>,
}

impl Admin {
    /// Makes the endpoint.
    pub fn new(options: &Options, sources: Sources) -> Admin {
        let api = Arc::new(Api::new(&sources, options.subscribers_max));
        let logins = Arc::new(Logins::new(sources.clock));
        let access = Access::shared(options);
        Admin { access, sources: Arc::new(sources), api, logins, lag_history: Arc::default(), updates: Arc::default() }
    }

    /// Takes another token, other host names and another number of subscribers, for every later request. If the token differs, every
    /// browser must log in again.
    pub fn take_over(&self, options: &Options) {
        self.api.feed().set_subscribers_max(options.subscribers_max);
        let earlier = self.access.swap(Arc::new(Access::of(options)));
        if earlier.token != options.token {
            self.logins.end_all();
        }
    }

    /// Sends new events to the subscribers of the feed and updates to open pages, and notes how far the sinks are behind, until
    /// the service is stopping.
    /// Run it next to the listener, on the same runtime.
    pub async fn run(self: Arc<Admin>) {
        tokio::join!(self.api.feed().run(), self.updates.run(&self.api), self.lag_history.run(&self.sources));
    }

    /// Lets the API's queries finish, or ends them after a while, and closes the files that they read. Other paths, such as
    /// `/readyz`, still answer.
    pub async fn close(&self) {
        self.api.close().await;
    }

    /// Returns the routes of a listener that is bound to `local`, for [`crate::http::serve`].
    pub fn router(self: Arc<Admin>, local: SocketAddr) -> Router {
        let guard = Arc::new(Guard::new(Arc::clone(&self.access), local, Arc::clone(&self.logins)));
        let api = api::router(Arc::clone(&self.api), Arc::clone(&guard));
        let pages = Arc::new(Pages::new(
            Arc::clone(&self.access),
            Arc::clone(&self.api),
            Arc::clone(&self.sources),
            Arc::clone(&self.logins),
            Arc::clone(&self.lag_history),
            Arc::clone(&self.updates),
        ));
        let metrics_state = (Arc::clone(&self.sources), Arc::clone(self.api.feed()));
        Router::new()
            .route("/livez", get(health::livez))
            .route("/readyz", get(health::readyz))
            .with_state(Arc::clone(&self.sources))
            .merge(Router::new().route("/metrics", get(metrics)).with_state(metrics_state))
            .merge(pages::router(Arc::clone(&pages)))
            .fallback(move |uri, request| not_found(pages, uri, request))
            .merge(api)
            .method_not_allowed_fallback(method_not_allowed)
            // The last layer is the outermost one, so the guard sees a request before any route or fallback does.
            .layer(from_fn_with_state(guard, guard::check))
    }
}

async fn not_found(pages: Arc<Pages>, OriginalUri(uri): OriginalUri, request: Request) -> Response<Body> {
    if is_wanted(&request) {
        return pages::not_found(&pages, request);
    }
    refusal_response(ErrorBody::not_found(uri.path()), uri.path(), !request.body().is_end_stream())
}

async fn method_not_allowed(OriginalUri(uri): OriginalUri, request: Request) -> Response<Body> {
    refusal_response(METHOD_NOT_ALLOWED, uri.path(), !request.body().is_end_stream())
}

#[cfg(test)]
mod tests;
