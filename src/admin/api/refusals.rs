//! `refusals`: the newest refusals.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::json::{Answer, answer, json};
use super::page::{Page, PageParameters, Place};
use super::parameters::url_moment;
use super::query::{Query, values};
use super::state::Api;
use crate::http::Network;
use crate::moment::Moment;
use crate::receiver::{ERRORS, KeptRefusal, RefusalWord};

type RefusalsQuery = Query<(RefusalParameters, PageParameters)>;

/// Only these refusals.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(super) struct RefusalParameters {
    /// Refusals with this `error`. Repeat the parameter for several.
    #[serde(deserialize_with = "values")]
    #[param(value_type = Vec<RefusalWord>, required = false, inline, max_items = 50)]
    error: Vec<ErrorWord>,
    /// Refusals of this address, or of an address in this network. Repeat the parameter for several.
    #[serde(deserialize_with = "values")]
    #[param(value_type = Vec<String>, required = false, example = json!(["192.0.2.0/24"]), max_items = 50)]
    client: Vec<Network>,
    /// At this moment or later: RFC 3339, a date, Unix seconds, or a span back from now.
    #[param(value_type = String, required = false, example = "2h")]
    since: Option<String>,
}

/// One of [`ERRORS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ErrorWord(&'static str);

impl FromStr for ErrorWord {
    type Err = String;

    fn from_str(text: &str) -> Result<ErrorWord, String> {
        let word = ERRORS.into_iter().find(|word| *word == text);
        word.map(ErrorWord).ok_or_else(|| format!("`{text}` is not one of {}", ERRORS.join(", ")))
    }
}

/// Some refusals.
#[derive(Debug, Serialize, ToSchema)]
struct RefusalPage<'a> {
    /// When the service started. Earlier refusals are not known.
    since: Moment,
    /// The refusals, newest first.
    items: Vec<&'a KeptRefusal>,
    /// The token of the next page, for the parameter `page`; `null` on the last page.
    next: Option<String>,
}

/// List refusals.
///
/// Callbacks that were answered with 4xx, newest first. livehook keeps the 256 newest of each `error` since the service started.
/// A callback is shown without `sign`, `t` and secrets. If the body is not a callback, only its length and the place of the error
/// are shown.
#[utoipa::path(
    get, path = "/refusals", tag = "service", params(RefusalsQuery),
    responses((status = 200, body = RefusalPage, description = "A page of refusals"))
)]
pub(super) async fn list_refusals(State(api): State<Arc<Api>>, query: RefusalsQuery) -> Answer {
    let since = api.refusals.since();
    // Each start of the service numbers refusals from 1.
    let digest = query.digest(&since.0.to_string());
    let (wanted, page) = query.parameters;
    let since_ms = url_moment("since", wanted.since.as_deref(), (api.clock)())?;
    let page = page.request(digest)?;
    let is_client =
        |client: IpAddr| wanted.client.is_empty() || wanted.client.iter().any(|network| network.contains(client));
    let is_wanted = |refusal: &KeptRefusal| {
        (wanted.error.is_empty() || wanted.error.contains(&ErrorWord(refusal.error)))
            && is_client(refusal.client)
            && since_ms.is_none_or(|since_ms| refusal.received.0 >= since_ms)
    };
    let before = page.after.map(|Place(number, _)| number);
    let found = api.refusals.page(is_wanted, before, page.limit + 1);
    let Page { items, next } = page.cut(found.iter().map(AsRef::as_ref).collect(), |refusal| Place(refusal.number, 0));
    Ok(answer(json(&RefusalPage { since, items, next })))
}
