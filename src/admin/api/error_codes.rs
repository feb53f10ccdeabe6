//! `error-codes`: the meaning of the vendor's codes in a stop.

use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;

use super::json::{Answer, answer, json};
use super::page::Page;
use super::query::NoParameters;
use crate::callback::{Interruption, Reason};

/// List the vendor's error codes.
///
/// Each `errcode` of a stop, and each of its sub-codes, with its meaning, the party that must act, and the first thing to check.
#[utoipa::path(
    get, path = "/error-codes", tag = "service",
    responses((status = 200, body = Page<Reason>, description = "All codes in order, on one page"))
)]
pub(super) async fn list_error_codes(_: NoParameters) -> Answer {
    let codes = Interruption::all().map(Reason::from).collect();
    let mut response = answer(json(&Page::only(codes)));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("private, max-age=3600"));
    Ok(response)
}
