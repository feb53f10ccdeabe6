//! `sinks`: the state of each sink.

use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

use super::json::{Answer, answer, json};
use super::page::Page;
use super::query::NoParameters;
use super::state::Api;
use crate::admin::sources::lag;
use crate::http::words;
use crate::moment::Moment;
use crate::sink;

/// The state of a sink.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Sink)]
pub(super) struct SinkView {
    /// Its configured name.
    name: String,
    /// Its kind.
    #[serde(rename = "type")]
    #[schema(value_type = SinkType)]
    type_name: &'static str,
    /// The record up to which the sink has everything.
    cursor: i64,
    /// How many records come after `cursor`.
    lag: i64,
    /// When the oldest event that it has not taken was received.
    oldest_pending: Option<Moment>,
    /// The current or next attempt at the pending events; 1 if all is well.
    attempt: u32,
    /// Why the last attempt failed; `null` if it did not.
    last_error: Option<String>,
    /// How many dead letters it has.
    dead_letters: i64,
}

/// The kinds of sinks, for the OpenAPI document.
struct SinkType;

impl ToSchema for SinkType {}

impl utoipa::PartialSchema for SinkType {
    fn schema() -> RefOr<Schema> {
        words(sink::Options::TYPES, "The kind of a sink.")
    }
}

/// List sinks.
///
/// The state of each sink, in the order of the configuration.
#[utoipa::path(
    get, path = "/sinks", tag = "service",
    responses((status = 200, body = Page<SinkView>, description = "All sinks, on one page"))
)]
pub(super) async fn list_sinks(State(api): State<Arc<Api>>, _: NoParameters) -> Answer {
    let head = api.journal.health().head.0;
    let sinks = api.sinks.iter().map(|status| {
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
    Ok(answer(json(&Page::only(sinks.collect()))))
}
