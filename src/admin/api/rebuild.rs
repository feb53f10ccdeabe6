//! `index/rebuild`: rebuilds the index from the journal.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::body::{EmptyBody, Nothing};
use super::json::{Answer, answer, json};
use super::state::Api;
use crate::admin::problem::Problem;

/// The index is being rebuilt.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Rebuild)]
struct RebuildView {
    /// Always true.
    rebuilding: bool,
}

/// Rebuild the index.
///
/// Streams, sessions and broadcasts are built from the journal's events again. This takes a while, and until then a session can
/// lack some of its events, such as its stop. `index.rebuilding` in `/readyz` shows when it is done. Sessions that are older than
/// the journal stay as they are.
#[utoipa::path(
    post, path = "/index/rebuild", tag = "service",
    request_body(content = Option<Nothing>, description = "Empty, or an empty object. `Content-Type` is needed in any case"),
    responses((status = 202, body = RebuildView, description = "The rebuild will begin"))
)]
pub(super) async fn rebuild_index(State(api): State<Arc<Api>>, _: EmptyBody) -> Answer {
    let index = api.index.as_ref().ok_or_else(Problem::no_index)?;
    // The worker of the index rebuilds it in the background, so the answer has no result.
    index.request_rebuild();
    Ok((StatusCode::ACCEPTED, answer(json(&RebuildView { rebuilding: true }))).into_response())
}
