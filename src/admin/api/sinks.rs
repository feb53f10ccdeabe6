//! `sinks`: how each sink is doing.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::Response;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

use super::openapi::answers;
use super::page::Page;
use super::parameters::Parameters;
use super::{Api, json, text_of};
use crate::admin::problem::Problem;
use crate::admin::sources::lag;
use crate::http::words;
use crate::moment::Moment;
use crate::sink;

/// How one sink is doing.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Sink)]
pub(super) struct SinkView {
    /// Its configured name.
    name: String,
    /// Its kind.
    #[serde(rename = "type")]
    #[schema(value_type = SinkType)]
    type_name: &'static str,
    /// The record up to which it has everything.
    cursor: i64,
    /// How many records it has not passed.
    lag: i64,
    /// When the oldest event was received that it has not taken.
    oldest_pending: Option<Moment>,
    /// The attempt that is under way or waited for; 1 when all is well.
    attempt: u32,
    /// Why it failed last; `null` while it takes all that it is given.
    last_error: Option<String>,
    /// How many events it has given up on.
    dead_letters: i64,
}

/// The kind of a sink, as the description of the API tells it.
struct SinkType;

impl ToSchema for SinkType {}

impl utoipa::PartialSchema for SinkType {
    fn schema() -> RefOr<Schema> {
        words(sink::Options::TYPES, "The kind of a sink.")
    }
}

/// How each sink is doing.
///
/// In the order of the configuration.
#[utoipa::path(
    get,
    path = "/api/v1/sinks",
    operation_id = "list_sinks",
    tag = "service",
    responses(
        (status = 200, body = Page<SinkView>, description = "All of them; there is no further page"),
        answers::Refused,
    )
)]
pub(super) async fn list(State(api): State<Arc<Api>>, RawQuery(query): RawQuery) -> Result<Response<Body>, Problem> {
    Parameters::of(query.as_deref()).finish()?;
    let head = api.journal.health().head.0;
    let items = api.sinks.iter().map(|status| {
        let view = status.view();
        SinkView {
            name: status.sink.clone(),
            type_name: status.type_name,
            cursor: view.cursor,
            lag: lag(head, view.cursor),
            oldest_pending: view.oldest_pending_ms.map(Moment),
            attempt: view.attempt,
            last_error: view.last_error,
            dead_letters: view.dead_letters,
        }
    });
    Ok(json(text_of(&Page { items: items.collect(), next: None }), "application/json", None))
}
