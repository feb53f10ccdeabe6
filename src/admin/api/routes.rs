//! Every route of the API. The path, the method and the description of a route stand at its handler.

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::{Extension, Router};
use tokio::sync::Semaphore;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::BODY_BYTES_MAX;
use super::concurrency_limit::{self, REQUESTS_MAX};
use super::openapi::{self, Document};
use super::state::Api;
use super::{dead_letters, error_codes, events, follow, rebuild, refusals, replays, sessions, sinks, stats, streams};
use crate::admin::guard::{Guard, check_change};
use crate::admin::problem::API_PREFIX;

/// Returns the router of the API. `guard` checks the requests that change something.
pub(in crate::admin) fn router(api: Arc<Api>, guard: Arc<Guard>) -> Router {
    let (router, description) = described_router(guard).split_for_parts();
    router.layer(Extension(Document::of(description))).with_state(api)
}

pub(super) fn described_router(guard: Arc<Guard>) -> OpenApiRouter<Arc<Api>> {
    let reads = OpenApiRouter::default()
        .routes(routes!(streams::list))
        .routes(routes!(streams::one))
        .routes(routes!(sessions::list))
        .routes(routes!(sessions::one))
        .routes(routes!(sessions::broadcasts))
        .routes(routes!(events::list))
        .routes(routes!(events::one))
        .routes(routes!(follow::follow))
        .routes(routes!(sinks::list))
        .routes(routes!(dead_letters::list))
        .routes(routes!(dead_letters::one))
        .routes(routes!(replays::list))
        .routes(routes!(replays::one))
        .routes(routes!(error_codes::list))
        .routes(routes!(refusals::list))
        .routes(routes!(stats::read))
        .routes(routes!(openapi::document));
    let changes = OpenApiRouter::default()
        .routes(routes!(dead_letters::redrive))
        .routes(routes!(dead_letters::drop))
        .routes(routes!(replays::begin))
        .routes(routes!(replays::cancel))
        .routes(routes!(rebuild::rebuild))
        .route_layer(from_fn_with_state(guard, check_change));
    let permits = Arc::new(Semaphore::new(REQUESTS_MAX));
    let all = reads
        .merge(changes)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn_with_state(permits, concurrency_limit::limit));
    OpenApiRouter::with_openapi(openapi::introduction()).nest(API_PREFIX, all)
}
