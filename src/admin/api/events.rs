//! `events`: the events that the journal holds, as every sink gets them.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response};
use serde::Deserialize;

use super::etag::{digest_etag, with_etag};
use super::json::{Answer, json, raws, typed_answer};
use super::page::{Page, PageParameters, Place};
use super::parameters::{KnownCopy, StreamParameters, TimeParameters};
use super::path::PathParameter;
use super::query::{Query, values};
use super::responses;
use super::state::Api;
use crate::admin::problem::Problem;
use crate::callback::{Event, EventId, EventSelection, EventType};
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
/// You can keep a verified event. An unverified one turns verified when a signed copy of its callback comes, so ask again with
/// `If-None-Match`.
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
    let event = api.readers.run(move |reader| {
        // Without the index only the newest records are searched, and an older event would seem not to exist.
        reader.index()?;
        match reader.events().find(id, SCAN_RECORDS_MAX)? {
            Some(record) => Ok(record.event),
            None => Err(Problem::not_found(format!("there is no event `{id}`; it may have been pruned")).into()),
        }
    });
    Ok(event_answer(&headers, &event.await?))
}

/// Returns the event, or 304 if the client has it as it is now.
fn event_answer(headers: &HeaderMap, event: &Event) -> Response<Body> {
    // Reading an event can need the token, so shared caches must not keep it.
    let cache_control = if event.is_verified() { "private, max-age=86400, immutable" } else { "private, no-cache" };
    // Not the id: a signed copy changes `verified`, and a later repeat has another `receivedtime`.
    with_etag(headers, &digest_etag(event.line()), cache_control, || {
        typed_answer(event.line().to_owned(), "application/cloudevents+json")
    })
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use axum::http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};

    use super::*;
    use crate::callback::testing;

    #[test]
    fn confirmed_event_is_sent_again() {
        let relay = || testing::event("relay").stream("s").happened_secs(1_700_000_000);
        let (unsigned, signed) = (relay().build(), relay().build_signed());
        let confirmed = unsigned.confirmed_by(&signed).unwrap();
        let before = event_answer(&HeaderMap::new(), &unsigned);
        assert_eq!(before.headers()[CACHE_CONTROL], "private, no-cache");
        let known = HeaderMap::from_iter([(IF_NONE_MATCH, before.headers()[ETAG].clone())]);
        assert_eq!(event_answer(&known, &unsigned).status(), StatusCode::NOT_MODIFIED);
        let after = event_answer(&known, &confirmed);
        assert_eq!(after.status(), StatusCode::OK);
        assert_eq!(after.headers()[CACHE_CONTROL], "private, max-age=86400, immutable");
    }
}
