//! `events`: the events that the journal holds, as every sink gets them.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use serde::Deserialize;

use super::etag::with_etag;
use super::json::{Answer, json, raws, typed_answer};
use super::page::{Page, PageParameters, Place};
use super::parameters::{KnownCopy, StreamParameters, TimeParameters};
use super::path::PathParameter;
use super::query::{Query, values};
use super::responses;
use super::state::Api;
use crate::admin::problem::Problem;
use crate::callback::{EventId, EventSelection, EventType};
use crate::history::{EventQuery, SCAN_RECORDS_MAX};
use crate::index::Order;
use crate::journal::Offset;

type EventsQuery = Query<(StreamParameters, TimeParameters, EventParameters, PageParameters)>;

/// Only these events, in this order.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(super) struct EventParameters {
    /// Events of this type: its short name, such as `push`, its number, such as `321`, or its full name, such as
    /// `tencent.css.push`. Repeat the parameter for several types.
    #[serde(rename = "type", deserialize_with = "values")]
    #[param(value_type = Vec<String>, required = false, example = json!(["push", "stop"]), max_items = 50)]
    types: Vec<EventType>,
    /// Whether the newest or the oldest comes first.
    #[param(required = false, inline)]
    order: Order,
}

/// List events.
///
/// Events are listed in the order in which they were received, by default the newest first. `since` and `until` apply to
/// `receivedtime`. A page can have few or no events and still have a `next`, if few of many events match.
#[utoipa::path(
    get, path = "/events", tag = "events", params(EventsQuery),
    responses((status = 200, body = Page<responses::Event>, description = "A page of events"))
)]
pub(super) async fn list_events(State(api): State<Arc<Api>>, query: EventsQuery) -> Answer {
    let digest = query.digest(api.journal.generation());
    let (streams, time, events, page) = query.parameters;
    let received = time.range((api.clock)())?;
    let page = page.request(digest)?;
    let query = EventQuery {
        selection: EventSelection { types: events.types, streams: streams.selection(), received },
        order: events.order,
        after: page.after.map(|Place(offset, _)| Offset(offset)),
        limit: page.limit,
    };
    api.answer(move |reader| {
        let found = reader.events().page(&query)?;
        let events = raws(found.records.iter().map(|record| &record.event));
        let next = found.has_more.then_some(Place(found.place.0, 0));
        Ok(json(&page.page(events, next)))
    })
    .await
}

/// Read an event.
///
/// It never changes, so you can keep it.
#[utoipa::path(
    get, path = "/events/{id}", tag = "events",
    params(("id" = EventId, Path, description = "The event's `id`"), KnownCopy),
    responses(
        (
            status = 200,
            body = responses::Event,
            content_type = "application/cloudevents+json",
            description = "The event",
            headers(
                ("ETag" = String, description = "Send it back as `If-None-Match`"),
                ("Cache-Control" = String, description = "How long the copy can be used without a new request"),
            )
        ),
        responses::Unchanged,
        responses::NotFound,
    )
)]
pub(super) async fn read_event(
    State(api): State<Arc<Api>>,
    PathParameter(id): PathParameter<EventId>,
    headers: HeaderMap,
) -> Answer {
    let json = api.readers.run(move |reader| {
        // Without the index only the newest records are searched, and an older event would seem not to exist.
        reader.index()?;
        match reader.events().find(id, SCAN_RECORDS_MAX)? {
            Some(record) => Ok(record.event.line().to_owned()),
            None => Err(Problem::not_found(format!("there is no event `{id}`; it may have been pruned")).into()),
        }
    });
    let json = json.await?;
    // An event never changes. Reading it can need the token, so shared caches must not keep it.
    Ok(with_etag(&headers, &id.to_string(), "private, max-age=86400, immutable", || {
        typed_answer(json, "application/cloudevents+json")
    }))
}
