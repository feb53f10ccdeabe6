//! `events`: what the journal holds, each event as every sink gets it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, Response};

use super::etag::tagged;
use super::openapi::answers;
use super::openapi::parameters::{Chosen, During, EventParameters, Known, Part};
use super::page::{Page, Place};
use super::parameters::{Parameters, word};
use super::streams::selection;
use super::{Api, id_of, json};
use crate::admin::problem::Problem;
use crate::callback::{EventId, EventSelection, EventType};
use crate::history::{EventQuery, SCAN_RECORDS_MAX};
use crate::index::Order;
use crate::journal::Offset;
use crate::moment::TimeRange;

/// List events.
///
/// In the order in which they came, by default the newest first; `since` and `until` are for `receivedtime`. A page may have
/// few or no events and still have a `next`, where the parameters take few of many.
#[utoipa::path(
    get,
    path = "/api/v1/events",
    operation_id = "list_events",
    tag = "events",
    params(Chosen, During, EventParameters, Part),
    responses(
        (status = 200, body = Page<answers::Event>, description = "A page of events"),
        answers::Refused,
    )
)]
pub(super) async fn list(State(api): State<Arc<Api>>, RawQuery(query): RawQuery) -> Result<Response<Body>, Problem> {
    let now_ms = (api.clock)();
    let mut parameters = Parameters::of(query.as_deref());
    let question = parameters.question("events", api.journal.generation());
    let orders = [("descending", Order::Descending), ("ascending", Order::Ascending)];
    let (since_ms, until_ms) = parameters.during(now_ms)?;
    let query = EventQuery {
        selection: EventSelection {
            streams: selection(&mut parameters)?,
            types: parameters.list("type", str::parse::<EventType>)?,
            received: TimeRange { since_ms, until_ms },
        },
        order: parameters.one("order", |text| word(text, &orders))?.unwrap_or_default(),
        limit: parameters.limit()?,
        after: parameters.page(question)?.map(|Place(offset, _)| Offset(offset)),
    };
    parameters.finish()?;
    let text = api.readers.ask(move |reader| {
        let page = reader.events().page(&query)?;
        let lines: Vec<&str> = page.records.iter().map(|record| record.event.line()).collect();
        let next = match page.has_more {
            true => format!("\"{}\"", Place(page.place.0, 0).token(question)),
            false => "null".to_owned(),
        };
        Ok(format!(r#"{{"items":[{}],"next":{next}}}"#, lines.join(",")))
    });
    Ok(json(text.await?, "application/json", None))
}

/// One event.
///
/// It never changes, so it may be kept.
#[utoipa::path(
    get,
    path = "/api/v1/events/{id}",
    operation_id = "read_event",
    tag = "events",
    params(("id" = EventId, Path, description = "The event's `id`"), Known),
    responses(
        (
            status = 200,
            body = answers::Event,
            content_type = "application/cloudevents+json",
            description = "The event",
            headers(
                ("ETag" = String, description = "To be given back as `If-None-Match`"),
                ("Cache-Control" = String, description = "How long it may be kept unasked"),
            )
        ),
        answers::Unchanged,
        answers::Refused,
        answers::NotFound,
    )
)]
pub(super) async fn one(
    State(api): State<Arc<Api>>,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    Parameters::of(query.as_deref()).finish()?;
    let id: EventId = id_of(id)?;
    let text = api.readers.ask(move |reader| {
        reader.index()?;
        match reader.events().find(id, SCAN_RECORDS_MAX)? {
            Some(record) => Ok(record.event.line().to_owned()),
            None => Err(Problem::not_found(format!("there is no event `{id}`, or no longer")).into()),
        }
    });
    let text = text.await?;
    Ok(tagged(&headers, &id.to_string(), "private, max-age=86400, immutable", || {
        json(text, "application/cloudevents+json", None)
    }))
}
