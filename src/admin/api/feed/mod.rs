//! `feed`: events and changes of sessions as they commit, as server-sent events.
//!
//! [`feeder`] makes records into messages once ([`batch`]) and hands them to all; a [`subscriber`] takes what its
//! [`filter`] lets pass. Ids of messages are [`point`]s: who comes back with one is given what came after it.

mod batch;
mod feeder;
mod filter;
mod point;
mod subscriber;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, RawQuery, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response};

use super::Api;
use super::openapi::answers;
use super::openapi::parameters::{Chosen, FeedParameters, Resumed};
use super::parameters::Parameters;
use super::readers::{Failure, Reader};
use crate::admin::problem::Problem;
use crate::journal::Offset;

pub(in crate::admin) use feeder::Feed;
pub(super) use point::Gap;

use filter::Filter;
use point::{GapReason, InvalidPoint, JournalMark, Point};
use subscriber::{Start, Subscriber};

/// The header in which a client that comes back says where it was.
const LAST_EVENT_ID: &str = "last-event-id";

/// How often something is sent even where there is nothing to tell: proxies end what is silent for longer.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Where a subscriber wants to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Beginning {
    Now,
    /// With what was received then or later, in Unix ms.
    Since(i64),
    /// Behind what it has.
    After(Point),
}

/// Follow events and changes of sessions.
///
/// Server-sent events as they commit, without end. `data` of a message is one line of JSON: with `event: event` an `Event`, with
/// `event: session` a `Session` as an event has changed it, with `event: gap` a `Gap`. A message of an event comes without `id`
/// where those of sessions follow that it changed, the last of which has the `id` of all.
///
/// Who comes back with the last `id` that came is given what came after it, also after a restart of livehook; after a restored backup, a `Gap`. Who gives
/// neither `id` nor `since` begins with what comes from now on. At least every 15 s an `id` comes, if only with a comment. Who reads
/// too slowly is cut off, and may come back at once.
#[utoipa::path(
    get,
    path = "/api/v1/feed",
    operation_id = "follow_feed",
    tag = "events",
    params(Chosen, FeedParameters, Resumed),
    responses(
        (status = 200, body = String, content_type = "text/event-stream", description = "The messages"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "There are as many subscribers as `admin.subscribers_max` and the limit of open files allow, or livehook is stopping: `Retry-After` says when to try again. Or nothing but sessions is wanted, and the index is switched off (`index.enabled = false`)"),
        answers::Refused,
    )
)]
pub(super) async fn open(
    State(api): State<Arc<Api>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let feed = &api.feed;
    let mut parameters = Parameters::of(query.as_deref());
    let mut filter = Filter::of(&mut parameters)?;
    let beginning = beginning(&headers, &mut parameters, (api.clock)())?;
    parameters.finish()?;
    if *feed.stopping().borrow() {
        return Err(Problem::stopping());
    }
    let Some(seat) = feed.seat() else {
        let most = feed.subscribers_max();
        return Err(Problem::unavailable(
            "unavailable",
            format!(
                "there are {most} subscribers, and `admin.subscribers_max` and the limit of open files allow no more: try again later"
            ),
        ));
    };
    if let Beginning::Since(since_ms) = beginning {
        filter = filter.since(since_ms);
    }
    // Taken first, so that nothing is missed that comes while the rest is looked at.
    let head = feed.head();
    let needs_index = filter.wants_sessions_alone();
    // Subscribers have seats of their own, and all of them may come back at once.
    let start = feed.readers().ask_in_turn(move |reader| {
        if needs_index {
            reader.index()?;
        }
        start(reader, beginning, head)
    });
    let subscriber = Subscriber::new(Arc::clone(feed), seat, peer, filter, start.await?, HEARTBEAT);
    let mut response = Response::new(Body::from_stream(subscriber.into_stream()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx would hold messages back until its buffer is full.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

/// Reads where to begin. What a client has already goes before what it asks for: one that comes back by itself gives the
/// same parameters as the first time.
fn beginning(headers: &HeaderMap, parameters: &mut Parameters, now_ms: i64) -> Result<Beginning, Problem> {
    let since_ms = parameters.moment("since", now_ms)?;
    let asked = parameters.one("last_event_id", str::parse::<Point>)?;
    let known = match headers.get(LAST_EVENT_ID) {
        Some(value) => {
            let point = value.to_str().map_err(|_| InvalidPoint).and_then(str::parse);
            Some(point.map_err(|error| Problem::parameter("Last-Event-ID", error))?)
        }
        None => asked,
    };
    Ok(match (known, since_ms) {
        (Some(point), _) => Beginning::After(point),
        (None, Some(since_ms)) => Beginning::Since(since_ms),
        (None, None) => Beginning::Now,
    })
}

/// Finds the place to begin at. `head` is the newest record. Whether records behind a point are missing shows when they
/// are read.
fn start(reader: &Reader, beginning: Beginning, head: Offset) -> Result<Start, Failure> {
    let journal = &reader.journal;
    let mark = JournalMark::of(&journal.generation()?);
    let (place, reason, from) = match beginning {
        Beginning::Now => return Ok(Start { mark, place: head, gap: None }),
        Beginning::Since(since_ms) => {
            // The place before a record that is there, so that what is no longer kept before it counts for no gap.
            let first = journal.read(journal.offset_before(since_ms)?, 1)?;
            let place = first.first().map_or(head, |record| record.offset.before());
            return Ok(Start { mark, place, gap: None });
        }
        Beginning::After(point) if point.journal != mark => (head, GapReason::OtherJournal, point),
        Beginning::After(point) if point.offset > head => (head, GapReason::BeyondEnd, point),
        Beginning::After(point) => return Ok(Start { mark, place: point.offset, gap: None }),
    };
    let gap = Gap { reason, from, to: mark.at(place) };
    Ok(Start { mark, place, gap: Some(gap) })
}
