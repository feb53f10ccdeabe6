//! `index/rebuild`: has the index made anew from the journal. That the token is asked for is the guard's business.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{Response, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::changes::{self, GivenBody, Nothing};
use super::openapi::answers;
use super::{Api, json, text_of};
use crate::admin::problem::Problem;

/// That the index is being made anew.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Rebuild)]
struct RebuildView {
    /// Whether it is; always true.
    rebuilding: bool,
}

/// Make the index anew.
///
/// Streams, sessions and broadcasts are put together again from the events that the journal has. That takes its time, in
/// which a session may show less than is known of it, such as a push without its stop: `index.rebuilding` in `/readyz` tells
/// when it is over. Sessions that are older than the journal stay as they are.
#[utoipa::path(
    post,
    path = "/api/v1/index/rebuild",
    operation_id = "rebuild_index",
    tag = "service",
    request_body(content = Option<Nothing>, description = "None, or an empty object; its type must be told all the same"),
    security(("token" = [])),
    responses(
        (status = 202, body = RebuildView, description = "It has been asked for"),
        answers::BodyNotTaken,
        answers::Refused,
    )
)]
pub(super) async fn rebuild(
    State(api): State<Arc<Api>>,
    RawQuery(query): RawQuery,
    body: GivenBody,
) -> Result<Response<Body>, Problem> {
    changes::read_nothing(query.as_deref(), body)?;
    let index = api.index.as_ref().ok_or_else(Problem::no_index)?;
    index.request_rebuild();
    let mut response = json(text_of(&RebuildView { rebuilding: true }), "application/json", None);
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}
