//! `error-codes`: what the vendor's codes of a stop mean.

use axum::body::Body;
use axum::extract::RawQuery;
use axum::http::Response;

use super::openapi::answers;
use super::page::Page;
use super::parameters::Parameters;
use super::{json, text_of};
use crate::admin::problem::Problem;
use crate::callback::{Interruption, Reason};

/// What the vendor's codes mean.
///
/// Each `errcode` of a stop, and each sub code where there are any: what it means, who has to act, and what to check first.
#[utoipa::path(
    get,
    path = "/api/v1/error-codes",
    operation_id = "list_error_codes",
    tag = "service",
    responses(
        (status = 200, body = Page<Reason>, description = "All of them, in order; there is no further page"),
        answers::Refused,
    )
)]
pub(super) async fn list(RawQuery(query): RawQuery) -> Result<Response<Body>, Problem> {
    Parameters::of(query.as_deref()).finish()?;
    let items: Vec<Reason> = Interruption::all().map(Reason::from).collect();
    Ok(json(text_of(&Page { items, next: None }), "application/json", Some("private, max-age=3600")))
}
