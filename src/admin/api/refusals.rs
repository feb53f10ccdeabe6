//! `refusals`: the last callbacks that were refused.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::Response;
use serde::Serialize;
use utoipa::ToSchema;

use super::openapi::answers;
use super::openapi::parameters::{Part, RefusalParameters};
use super::page::Place;
use super::parameters::{Parameters, word};
use super::{Api, json, text_of};
use crate::admin::problem::Problem;
use crate::http::Network;
use crate::moment::Moment;
use crate::receiver::{ERRORS, Refusal};

/// Some refused callbacks.
#[derive(Debug, Serialize, ToSchema)]
struct RefusalPage<'a> {
    /// When the service started. What was refused before is not known.
    since: Moment,
    /// The newest first.
    items: Vec<&'a Refusal>,
    /// The token for what comes after them, as the parameter `page`; `null` where nothing does.
    next: Option<String>,
}

/// List refused callbacks.
///
/// Those that were answered with 4xx, as far as they are the 256 newest of their `error` since the service started: the newest first. What was
/// sent is told without `sign`, `t` and secrets; of a body that is no callback, only how long it is and where its fault.
#[utoipa::path(
    get,
    path = "/api/v1/refusals",
    operation_id = "list_refusals",
    tag = "service",
    params(RefusalParameters, Part),
    responses(
        (status = 200, body = RefusalPage, description = "A page of refused callbacks"),
        answers::Refused,
    )
)]
pub(super) async fn list(State(api): State<Arc<Api>>, RawQuery(query): RawQuery) -> Result<Response<Body>, Problem> {
    let mut parameters = Parameters::of(query.as_deref());
    // They are numbered anew with each start.
    let question = parameters.question("refusals", &api.refusals.since().0.to_string());
    let known = ERRORS.map(|error| (error, error));
    let errors = parameters.list("error", |text| word(text, &known))?;
    let clients = parameters.list("client", |text| {
        text.parse::<Network>()
            .map_err(|_| format!("`{text}` is neither an address (192.0.2.1) nor a network (192.0.2.0/24)"))
    })?;
    let since_ms = parameters.moment("since", (api.clock)())?;
    let limit = parameters.limit()?;
    let before = parameters.page(question)?.map(|Place(number, _)| number);
    parameters.finish()?;

    let is_client = |address: IpAddr| clients.is_empty() || clients.iter().any(|network| network.contains(address));
    let is_wanted = |refusal: &Refusal| {
        (errors.is_empty() || errors.contains(&refusal.error))
            && is_client(refusal.client)
            && since_ms.is_none_or(|since_ms| refusal.received.0 >= since_ms)
    };
    // One more than wanted shows that there is more.
    let found = api.refusals.page(is_wanted, before, limit + 1);
    let items: Vec<&Refusal> = found.iter().take(limit).map(AsRef::as_ref).collect();
    let last = items.last().map(|refusal| Place(refusal.number, 0).token(question));
    let next = last.filter(|_| found.len() > limit);
    Ok(json(text_of(&RefusalPage { since: api.refusals.since(), items, next }), "application/json", None))
}
