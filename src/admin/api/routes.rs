//! Every route of the API. The path, the method and the description of a route stand at its handler.

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::{Extension, Router};
use tokio::sync::Semaphore;
use utoipa::openapi::OpenApi as Description;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};
use utoipa_axum::routes;

use super::body::{BODY_BYTES_MAX, body_budget, read_whole_body};
use super::concurrency_limit::{self, REQUESTS_MAX};
use super::openapi::{self, Document};
use super::state::Api;
use super::{
    dead_letters, error_codes, events, follow, rebuild, refusals, reload, replays, session_end, sessions, sinks, stats,
    streams,
};
use crate::admin::guard::{Guard, check_change};
use crate::admin::problem::API_PREFIX;

/// Returns the router of the API. `guard` checks the requests that change something.
pub(in crate::admin) fn router(api: Arc<Api>, guard: Arc<Guard>) -> Router {
    let (router, _) = routes(Arc::clone(&guard), false).split_for_parts();
    router.layer(Extension(Document::new(|| describe(guard)))).with_state(api)
}

/// Returns the description of all routes.
pub(super) fn describe(guard: Arc<Guard>) -> Description {
    routes(guard, true).into_openapi()
}

/// Collects routes, and their descriptions only if they are wanted: all of them take 2 MiB, which the allocator would keep.
struct Collected {
    router: OpenApiRouter<Arc<Api>>,
    is_described: bool,
}

impl Collected {
    fn new(is_described: bool) -> Collected {
        Collected { router: OpenApiRouter::default(), is_described }
    }

    fn routes(mut self, routes: UtoipaMethodRouter<Arc<Api>>) -> Collected {
        self.router = self.router.routes(routes);
        if !self.is_described {
            self.router.to_openapi();
        }
        self
    }
}

fn routes(guard: Arc<Guard>, is_described: bool) -> OpenApiRouter<Arc<Api>> {
    let mut of_index = Collected::new(is_described)
        .routes(routes!(streams::list_streams))
        .routes(routes!(streams::read_stream))
        .routes(routes!(sessions::list_sessions))
        .routes(routes!(sessions::read_session))
        .routes(routes!(sessions::list_broadcasts))
        .routes(routes!(stats::read_stats));
    openapi::describe_index_lag(of_index.router.get_openapi_mut());
    let reads = of_index
        .routes(routes!(events::list_events))
        .routes(routes!(events::read_event))
        .routes(routes!(follow::follow_feed))
        .routes(routes!(sinks::list_sinks))
        .routes(routes!(dead_letters::list_dead_letters))
        .routes(routes!(dead_letters::read_dead_letter))
        .routes(routes!(replays::list_replays))
        .routes(routes!(replays::read_replay))
        .routes(routes!(error_codes::list_error_codes))
        .routes(routes!(refusals::list_refusals))
        .routes(routes!(openapi::read_openapi));
    let limit = from_fn_with_state(Arc::new(Semaphore::new(REQUESTS_MAX)), concurrency_limit::limit);
    let changes = Collected::new(is_described)
        .routes(routes!(dead_letters::redrive_dead_letters))
        .routes(routes!(dead_letters::drop_dead_letters))
        .routes(routes!(replays::begin_replay))
        .routes(routes!(replays::cancel_replay))
        .routes(routes!(sinks::retry_sink))
        .routes(routes!(sinks::skip_events))
        .routes(routes!(rebuild::rebuild_index))
        .routes(routes!(reload::reload_configuration))
        .routes(routes!(session_end::end_session));
    let mut changes = changes
        .router
        .route_layer(limit.clone())
        .route_layer(from_fn_with_state(body_budget(), read_whole_body))
        // The last layer is the outermost one: a body is read if the client may change something.
        .route_layer(from_fn_with_state(guard, check_change));
    openapi::describe_changes(changes.get_openapi_mut());
    let all = reads.router.route_layer(limit).merge(changes).layer(DefaultBodyLimit::max(BODY_BYTES_MAX));
    OpenApiRouter::with_openapi(openapi::introduction()).nest(API_PREFIX, all)
}
