//! Every route of the API. The path, the method and the description of a route stand at its handler.

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::{Extension, Router};
use tokio::sync::Semaphore;
use utoipa_axum::router::OpenApiRouter;
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
    let (router, description) = described_router(guard).split_for_parts();
    router.layer(Extension(Document::of(description))).with_state(api)
}

pub(super) fn described_router(guard: Arc<Guard>) -> OpenApiRouter<Arc<Api>> {
    let mut of_index = OpenApiRouter::default()
        .routes(routes!(streams::list_streams))
        .routes(routes!(streams::read_stream))
        .routes(routes!(sessions::list_sessions))
        .routes(routes!(sessions::read_session))
        .routes(routes!(sessions::list_broadcasts))
        .routes(routes!(stats::read_stats));
    openapi::describe_index_lag(of_index.get_openapi_mut());
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
    let mut changes = OpenApiRouter::default()
        .routes(routes!(dead_letters::redrive_dead_letters))
        .routes(routes!(dead_letters::drop_dead_letters))
        .routes(routes!(replays::begin_replay))
        .routes(routes!(replays::cancel_replay))
        .routes(routes!(sinks::retry_sink))
        .routes(routes!(sinks::skip_events))
        .routes(routes!(rebuild::rebuild_index))
        .routes(routes!(reload::reload_configuration))
        .routes(routes!(session_end::end_session))
        .route_layer(limit.clone())
        .route_layer(from_fn_with_state(body_budget(), read_whole_body))
        // The last layer is the outermost one: a body is read if the client may change something.
        .route_layer(from_fn_with_state(guard, check_change));
    openapi::describe_changes(changes.get_openapi_mut());
    let all = reads.route_layer(limit).merge(changes).layer(DefaultBodyLimit::max(BODY_BYTES_MAX));
    OpenApiRouter::with_openapi(openapi::introduction()).nest(API_PREFIX, all)
}
