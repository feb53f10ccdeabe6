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
use super::readers::{Failure, Reader};
use super::streams::selection;
use super::{Api, id_of, json};
use crate::admin::problem::Problem;
use crate::callback::{Event, EventId, EventType};
use crate::index::{Order, Selection};
use crate::journal::{self, CLOCK_SLACK_MS, JournalError, Offset, Record};

/// How many records one request looks at, at most: a filter that nothing passes must not read the whole journal at once.
const RECORDS_MAX: usize = 20_000;

/// How many bytes of them, at most: they may be large.
const LOOKED_AT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// After how many bytes of events a page ends.
pub(super) const PAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How many records are read at a time.
const READ_RECORDS: usize = 1000;

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
    let question = parameters.question("events", api.journal.generation());
    let orders = [("descending", Order::Descending), ("ascending", Order::Ascending)];
    let (since_ms, until_ms) = parameters.during(now_ms)?;
    let query = Query {
        selection: selection(&mut parameters)?,
        types: parameters.list("type", str::parse::<EventType>)?,
        since_ms,
        until_ms,
        order: parameters.one("order", |text| word(text, &orders))?.unwrap_or_default(),
        limit: parameters.limit()?,
        after: parameters.page(question)?.map(|Place(offset, _)| Offset(offset)),
    };
    parameters.finish()?;
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
    let mut bytes = 0;
    let (mut looked_at, mut looked_at_bytes) = (0, 0);
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
                if lines.len() == query.limit || bytes >= PAGE_BYTES_MAX {
                    return Ok((lines, Some(place)));
                }
                bytes += event.line().len();
                lines.push(event.line().to_owned());
            }
            place = offset;
            looked_at += 1;
            looked_at_bytes += event.line().len();
        }
        if looked_at >= RECORDS_MAX || looked_at_bytes >= LOOKED_AT_BYTES_MAX {
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
        // A read is bounded in bytes too: only where it has come to the end are these all that the index does not know.
        let end = journal.head()?.unwrap_or_default().min(place.before());
        if newest.last().is_some_and(|last| last.offset < end) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::api::sessions::lines_of;
    use crate::callback::{Callback, NamePattern, Options as VerifierOptions, Verifier};
    use crate::index::{Options, Reader as IndexReader, Store};
    use crate::journal::{Journal, Opened, SqliteJournal};

    /// A journal of so many large events of one stream, of which an index knows none yet.
    async fn filled(directory: &std::path::Path, count: usize) -> Reader {
        // The times are long ago, and must not be pruned for it.
        let options = journal::Options { retention_days: 1_000_000, ..journal::Options::default() };
        let opened = SqliteJournal::open(directory, &options, &[], Arc::default()).unwrap();
        let Opened { journal, exchange, .. } = opened;
        let running = tokio::spawn(exchange.run());
        let verifier = Verifier::new(VerifierOptions { allow_unsigned: true, ..VerifierOptions::default() }).unwrap();
        for sequence in 0..count {
            let body = format!(
                r#"{{"event_type":1,"app":"d.com","appname":"live","stream_id":"a","event_time":1700000000,"sequence":"{sequence}","x":"{}"}}"#,
                "x".repeat(200_000)
            );
            let event = verifier.verify(&Callback::parse(body.as_bytes()).unwrap(), 1_700_000_000_000).unwrap();
            journal.append(event).await.unwrap();
        }
        journal.close();
        running.await.unwrap().unwrap();
        journal.join();
        drop(Store::open(directory, &Options::default()).unwrap());
        let index = Some(IndexReader::open(directory).unwrap());
        Reader { index, journal: journal::Reader::open(directory).unwrap() }
    }

    #[tokio::test]
    async fn large_events_come_in_small_pages_and_the_newest_first_though_the_index_is_behind() {
        let directory = tempfile::tempdir().unwrap();
        let reader = filled(directory.path(), 30).await;
        let offsets: Vec<Offset> =
            reader.journal.read_back(Offset(i64::MAX), 1).unwrap().iter().map(|r| r.offset).collect();
        let newest = reader.journal.get(offsets[0]).unwrap().unwrap();
        let mut query = Query {
            selection: Selection { streams: vec![NamePattern::new("a").unwrap()], ..Selection::default() },
            types: Vec::new(),
            since_ms: None,
            until_ms: None,
            order: Order::Descending,
            limit: 100,
            after: None,
        };
        let (mut all, mut pages) = (Vec::new(), 0);
        loop {
            let (lines, next) = page(&reader, &query).unwrap_or_else(|_| panic!("it cannot be read"));
            let bytes: usize = lines.iter().map(String::len).sum();
            assert!(bytes < PAGE_BYTES_MAX + 300_000, "{bytes}");
            all.extend(lines);
            pages += 1;
            query.after = next;
            if next.is_none() {
                break;
            }
        }
        assert_eq!(all[0], newest.event.line(), "nothing newer is passed over");
        let distinct: std::collections::HashSet<&String> = all.iter().collect();
        assert_eq!((all.len(), distinct.len(), pages), (30, 30, 2));
    }

    #[tokio::test]
    async fn of_a_large_session_the_ends_are_told_and_how_much_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let reader = filled(directory.path(), 30).await;
        let mut offsets = Vec::new();
        while let Some(record) = reader.journal.read(offsets.last().copied().unwrap_or_default(), 1).unwrap().pop() {
            offsets.push(record.offset);
        }
        let (lines, left_out) = lines_of(&reader.journal, &offsets, &[offsets[0], offsets[29]]).unwrap();
        assert_eq!(lines.len() + left_out, 30);
        assert!(left_out > 5, "{left_out}");
        assert_eq!(lines.last().unwrap(), reader.journal.get(offsets[29]).unwrap().unwrap().event.line());
    }
}
