//! `events`: what the journal holds, each event as every sink gets it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, Response};

use super::openapi::answers;
use super::openapi::parameters::{Chosen, During, EventParameters, Known, Part};
use super::page::{Page, Place};
use super::parameters::{Parameters, word};
use super::readers::{Failure, Reader};
use super::streams::selection;
use super::tag::tagged;
use super::{Api, id_of, json};
use crate::callback::{Event, EventId, EventType};
use crate::index::{Order, Selection};
use crate::journal::{self, JournalError, Offset, Record};
use crate::server::problem::Problem;

/// How many records one request looks at, at most: a filter that nothing passes must not read the whole journal at once.
const RECORDS_MAX: usize = 20_000;

/// How many records are read at a time.
const READ_RECORDS: usize = 1000;

/// How far a clock that was set back may have displaced the times of records. The journal's reader reckons with the same.
const CLOCK_SLACK_MS: i64 = 3_600_000;

/// Which events are wanted.
struct Query {
    selection: Selection,
    types: Vec<EventType>,
    since_ms: Option<i64>,
    until_ms: Option<i64>,
    order: Order,
    limit: usize,
    after: Option<Offset>,
}

impl Query {
    fn takes(&self, event: &Event) -> bool {
        let key = event.partition_key();
        let received_ms = event.received_ms();
        (self.types.is_empty() || self.types.contains(&event.event_type()))
            && self.since_ms.is_none_or(|since_ms| received_ms >= since_ms)
            && self.until_ms.is_none_or(|until_ms| received_ms < until_ms)
            && self.selection.takes(&key.domain(), &key.app_name(), &key.stream())
    }

    /// Whether no event that comes after this one, in the order that is asked for, can be wanted.
    fn ends_at(&self, event: &Event) -> bool {
        let received_ms = event.received_ms();
        match self.order {
            Order::Ascending => {
                self.until_ms.is_some_and(|until_ms| received_ms >= until_ms.saturating_add(CLOCK_SLACK_MS))
            }
            Order::Descending => {
                self.since_ms.is_some_and(|since_ms| received_ms < since_ms.saturating_sub(CLOCK_SLACK_MS))
            }
        }
    }

    /// Where to begin.
    fn start(&self, journal: &journal::Reader) -> Result<Offset, JournalError> {
        match (self.after, self.order) {
            (Some(after), _) => Ok(after),
            (None, Order::Ascending) => match self.since_ms {
                Some(since_ms) => journal.offset_before(since_ms),
                None => Ok(Offset::default()),
            },
            (None, Order::Descending) => match self.until_ms {
                Some(until_ms) => {
                    let before = journal.offset_before(until_ms.saturating_add(2 * CLOCK_SLACK_MS))?;
                    Ok(Offset(before.0.saturating_add(1)))
                }
                None => Ok(Offset(i64::MAX)),
            },
        }
    }
}

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
    let orders = [("descending", Order::Descending), ("ascending", Order::Ascending)];
    let query = Query {
        selection: selection(&mut parameters)?,
        types: parameters.list("type", str::parse::<EventType>)?,
        since_ms: parameters.moment("since", now_ms)?,
        until_ms: parameters.moment("until", now_ms)?,
        order: parameters.one("order", |text| word(text, &orders))?.unwrap_or_default(),
        limit: parameters.limit()?,
        after: parameters.page("events")?.map(|Place(offset, _)| Offset(offset)),
    };
    parameters.finish()?;
    let question = parameters.question("events");
    let text = api.readers.ask(move |reader| {
        let (lines, next) = page(reader, &query)?;
        let next = next.map_or("null".to_owned(), |next| format!("\"{}\"", Place(next.0, 0).token(question)));
        Ok(format!(r#"{{"items":[{}],"next":{next}}}"#, lines.join(",")))
    });
    Ok(json(text.await?, "application/json", None))
}

/// The lines of a page, and the offset after which the next begins.
fn page(reader: &Reader, query: &Query) -> Result<(Vec<String>, Option<Offset>), Failure> {
    let mut place = query.start(&reader.journal)?;
    let mut lines = Vec::new();
    let mut looked_at = 0;
    loop {
        let records = next_records(reader, query, place)?;
        if records.is_empty() {
            return Ok((lines, None));
        }
        for Record { offset, event } in records {
            if query.ends_at(&event) {
                return Ok((lines, None));
            }
            if query.takes(&event) {
                // One more than wanted shows that there is more.
                if lines.len() == query.limit {
                    return Ok((lines, Some(place)));
                }
                lines.push(event.line().to_owned());
            }
            place = offset;
            looked_at += 1;
        }
        if looked_at >= RECORDS_MAX {
            return Ok((lines, Some(place)));
        }
    }
}

/// The next records that may be wanted: by way of the index as far as it knows where they are, else in turn.
fn next_records(reader: &Reader, query: &Query, place: Offset) -> Result<Vec<Record>, Failure> {
    let journal = &reader.journal;
    let in_turn = || match query.order {
        Order::Ascending => journal.read(place, READ_RECORDS),
        Order::Descending => journal.read_back(place, READ_RECORDS),
    };
    let Some(index) = reader.index.as_ref().filter(|_| query.selection.names_streams()) else { return Ok(in_turn()?) };
    let cursor = index.cursor()?;
    if query.order == Order::Descending && place.before() > cursor {
        let mut newest = journal.read(cursor, READ_RECORDS)?;
        if newest.len() == READ_RECORDS {
            return Ok(in_turn()?);
        }
        newest.retain(|record| record.offset < place);
        newest.reverse();
        if !newest.is_empty() {
            return Ok(newest);
        }
    }
    if query.order == Order::Ascending && place >= cursor {
        return Ok(in_turn()?);
    }
    let from = if query.order == Order::Descending { place.min(Offset(cursor.0.saturating_add(1))) } else { place };
    let mut from = from;
    loop {
        let Some(offsets) = index.events_of_streams(&query.selection, from, query.order, query.limit + 1)? else {
            return Ok(in_turn()?);
        };
        let Some(last) = offsets.last().copied() else { break };
        let mut records = Vec::new();
        for offset in offsets {
            records.extend(journal.get(offset)?);
        }
        if !records.is_empty() {
            return Ok(records);
        }
        // The journal has none of these any more, but it may have later ones.
        from = last;
    }
    match query.order {
        Order::Ascending => Ok(journal.read(cursor, READ_RECORDS)?),
        Order::Descending => Ok(Vec::new()),
    }
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
        let offset = reader.index()?.event(id)?;
        let record = offset.map(|offset| reader.journal.get(offset)).transpose()?.flatten();
        match record.filter(|record| record.event.id() == id) {
            Some(record) => Ok(record.event.line().to_owned()),
            None => Err(Problem::not_found(format!("there is no event `{id}`, or no longer")).into()),
        }
    });
    let text = text.await?;
    Ok(tagged(&headers, &id.to_string(), "private, max-age=86400, immutable", || {
        json(text, "application/cloudevents+json", None)
    }))
}

/// The lines of the records at some offsets, those that the journal still has.
pub(super) fn lines_at(journal: &journal::Reader, offsets: &[Offset]) -> Result<Vec<String>, JournalError> {
    let mut lines = Vec::new();
    for offset in offsets {
        lines.extend(journal.get(*offset)?.map(|record| record.event.line().to_owned()));
    }
    Ok(lines)
}
