//! `sinks`: the state of each sink, and the requests to its worker.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

use super::body::{EmptyBody, JsonBody, Nothing};
use super::json::{Answer, answer, json};
use super::page::Page;
use super::path::PathParameter;
use super::query::NoParameters;
use super::responses;
use super::state::Api;
use crate::admin::problem::Problem;
use crate::admin::sources::lag;
use crate::callback::{EventId, NamePattern};
use crate::delivery::{FailingEvent, SkipSelection};
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
    /// When it last took an event; `null` if it has taken none since the start of the service.
    last_delivered: Option<Moment>,
    /// The current or next attempt at the pending events; 1 if all is well.
    attempt: u32,
    /// Why the last attempt failed; `null` if it did not.
    last_error: Option<String>,
    /// How many dead letters it has.
    dead_letters: i64,
    /// The oldest event that has failed and waits for its next attempt; `null` if there is none.
    failing: Option<FailingView>,
    /// How many streams wait in the journal, because one of their events has failed.
    held_streams: usize,
    /// Whether it reads no more events, because too many have failed or wait behind one that failed.
    blocked: bool,
    /// How long it takes to catch up at the present speed, in seconds; `null` if that is unknown or it is not behind.
    catch_up_secs: Option<i64>,
}

/// An event that has failed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FailingEvent)]
struct FailingView {
    /// Its id.
    id: EventId,
    /// The name of its stream; empty if it has none.
    stream: String,
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
    let sinks = api.sinks.all();
    let sinks = sinks.iter().map(|status| {
        let view = status.view();
        SinkView {
            name: status.sink.clone(),
            type_name: status.type_name,
            cursor: view.cursor,
            lag: lag(head, view.cursor),
            oldest_pending: view.oldest_pending_ms.map(Moment),
            last_delivered: view.last_delivered_ms.map(Moment),
            attempt: view.attempt,
            last_error: view.last_error,
            dead_letters: view.dead_letters,
            failing: view.failing.map(|FailingEvent { id, stream }| FailingView { id, stream }),
            held_streams: view.held_streams,
            blocked: view.is_blocked,
            catch_up_secs: view.catch_up_secs,
        }
    });
    Ok(answer(json(&Page::only(sinks.collect()))))
}

/// The most ids and streams of a request.
const NAMED_MAX: usize = 1000;

/// The sink will try again.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SinkRetry)]
struct RetryView {
    /// Always true.
    retrying: bool,
}

/// Let a sink try again now.
///
/// Every pause of the sink ends, so it tries its pending events without waiting for the backoff.
#[utoipa::path(
    post, path = "/sinks/{name}/retry", tag = "deliveries",
    params(("name" = String, Path, description = "Its name")),
    request_body(content = Option<Nothing>, description = "Empty, or an empty object. `Content-Type` is needed in any case"),
    responses((status = 202, body = RetryView, description = "The sink will try again"), responses::NotFound)
)]
pub(super) async fn retry_sink(
    State(api): State<Arc<Api>>,
    PathParameter(name): PathParameter<String>,
    _: EmptyBody,
) -> Answer {
    api.retry_sink(&name)?;
    Ok((StatusCode::ACCEPTED, answer(json(&RetryView { retrying: true }))).into_response())
}

/// Selects the events to give up on: an event must match one of the members.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = SkipRequest)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SkipRequest {
    /// Events with these ids; with `streams` at most 1000.
    #[schema(max_items = 1000)]
    ids: Vec<String>,
    /// Events of these streams. `*` stands for any characters.
    #[schema(max_items = 1000)]
    streams: Vec<String>,
}

/// The result of giving up on events.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Skipped)]
struct SkippedView {
    /// How many events became dead letters.
    count: u64,
}

/// Give up on events of a sink.
///
/// The selected events that the sink has read and not delivered become dead letters, so the events behind them can pass. Events
/// that it has not read yet stay.
#[utoipa::path(
    post, path = "/sinks/{name}/skip", tag = "deliveries",
    params(("name" = String, Path, description = "Its name")),
    request_body = SkipRequest,
    responses((status = 200, body = SkippedView, description = "How many became dead letters"), responses::NotFound)
)]
pub(super) async fn skip_events(
    State(api): State<Arc<Api>>,
    PathParameter(name): PathParameter<String>,
    JsonBody(request): JsonBody<SkipRequest>,
) -> Answer {
    // An unknown sink is reported before a mistake in the body.
    api.sink_of_path(&name)?;
    let count = api.skip_events(&name, request.selection()?).await?;
    Ok(answer(json(&SkippedView { count })))
}

impl SkipRequest {
    fn selection(self) -> Result<SkipSelection, Problem> {
        let SkipRequest { ids, streams } = self;
        if ids.is_empty() && streams.is_empty() {
            return Err(Problem::parameter("ids", "nothing is selected: send ids or streams"));
        }
        if ids.len() + streams.len() > NAMED_MAX {
            let rule = format!("more than {NAMED_MAX} ids and streams: split the request into several");
            return Err(Problem::parameter("ids", rule));
        }
        let ids = ids.iter().map(|id| id.parse().map_err(|error| Problem::parameter("ids", error)));
        let streams =
            streams.iter().map(|name| NamePattern::new(name).map_err(|error| Problem::parameter("streams", error)));
        Ok(SkipSelection { ids: ids.collect::<Result<_, _>>()?, streams: streams.collect::<Result<_, _>>()? })
    }
}
