//! `feed`: the request that follows new events and changes of sessions.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, State};
use axum::http::HeaderMap;
use serde::Deserialize;

use super::feed::{Beginning, Filter, InvalidPoint, MessageKind, Start, Subscriber};
use super::json::Answer;
use super::parameters::{StreamParameters, url_moment};
use super::query::{Query, parsed, values};
use super::state::Api;
use crate::admin::event_stream::{HEARTBEAT, event_stream};
use crate::admin::problem::Problem;
use crate::callback::{EventSelection, EventType};
use crate::moment::TimeRange;

/// The header in which a client that reconnects sends the last `id` that it received.
const LAST_EVENT_ID: &str = "last-event-id";

type FeedQuery = Query<(StreamParameters, FeedParameters)>;

/// Which messages to send, and where to begin.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(super) struct FeedParameters {
    /// Messages of this kind. Repeat the parameter for both, which is the default.
    #[param(required = false, inline, max_items = 50)]
    kind: Vec<MessageKind>,
    /// Events of this type, named as for the list of events. Sessions are sent regardless of it. Repeat the parameter for several
    /// types.
    #[serde(rename = "type", deserialize_with = "values")]
    #[param(value_type = Vec<String>, required = false, example = json!(["push", "stop"]), max_items = 50)]
    types: Vec<EventType>,
    /// Begin with events received at this moment or later: RFC 3339, a date, Unix seconds, or a span back from now. If the moment
    /// is in the future, nothing is sent before it. An `id` has precedence.
    #[param(value_type = String, required = false, example = "2h")]
    since: Option<String>,
    /// The same as the header `Last-Event-ID`, which has precedence.
    #[param(
        value_type = String,
        required = false,
        pattern = "^[0-9a-f]{16}-[0-9]+$",
        example = "5d0c1f7a9be2440d-4711"
    )]
    last_event_id: Option<String>,
}

impl FeedParameters {
    /// Returns the filter for messages about these streams. `since_ms` is the receipt time of the first event, in Unix ms.
    pub(super) fn filter(self, streams: StreamParameters, since_ms: Option<i64>) -> Filter {
        let received = TimeRange { since_ms, until_ms: None };
        Filter::new(self.kind, EventSelection { types: self.types, streams: streams.selection(), received })
    }
}

/// Where a client that reconnects goes on.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it describes the header that `beginning` reads")]
pub(super) struct FeedHeaders {
    /// The last `id` that you received. The feed goes on after it.
    #[param(
        required = false,
        rename = "Last-Event-ID",
        pattern = "^[0-9a-f]{16}-[0-9]+$",
        example = "5d0c1f7a9be2440d-4711"
    )]
    last_event_id: String,
}

/// Follow events and changes of sessions.
///
/// Server-sent events without end, sent when the events are stored. `data` is one line of JSON: an `Event` with `event: event`, the
/// `Session` that an event has changed with `event: session`, a `Gap` with `event: gap`. If sessions follow their event, the `id` of
/// all these messages is in the last one.
///
/// Send the last `id` that you received, and you get everything after it, also after a restart of livehook. After a restored backup
/// you get a `Gap`. Without `id` and `since` the feed begins now. At least every 15 s an `id` is sent, if only with a comment. A
/// client that reads too slowly is disconnected, and can reconnect at once.
#[utoipa::path(
    get, path = "/feed", tag = "events", params(FeedQuery, FeedHeaders),
    responses((status = 200, body = String, content_type = "text/event-stream", description = "The messages"))
)]
pub(super) async fn follow_feed(
    State(api): State<Arc<Api>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    query: FeedQuery,
) -> Answer {
    let feed = &api.feed;
    let (streams, parameters) = query.parameters;
    let beginning = beginning(&headers, &parameters, (api.clock)())?;
    let seat = feed.take_seat()?;
    let since_ms = if let Beginning::Since(since_ms) = beginning { Some(since_ms) } else { None };
    let filter = parameters.filter(streams, since_ms);
    // The head is read before the beginning is looked up, so that no event in between is missed.
    let head = feed.head();
    let needs_index = filter.wants_sessions_alone();
    // The number of subscribers is limited, and after a restart all of them reconnect at once: they wait for each other.
    let start = feed.readers().run_in_turn(move |reader| {
        if needs_index {
            reader.index()?;
        }
        Start::find(reader, beginning, head)
    });
    let subscriber = Subscriber::new(Arc::clone(feed), seat, peer, filter, start.await?, HEARTBEAT);
    Ok(event_stream(subscriber.into_stream()))
}

/// Returns where to begin. An `id` has precedence over `since`: a client that reconnects by itself sends the same parameters
/// as the first time.
fn beginning(headers: &HeaderMap, parameters: &FeedParameters, now_ms: i64) -> Result<Beginning, Problem> {
    let since_ms = url_moment("since", parameters.since.as_deref(), now_ms)?;
    let in_query = parameters
        .last_event_id
        .as_deref()
        .map(|text| parsed(text).map_err(|rule| Problem::parameter("last_event_id", rule)));
    let in_query = in_query.transpose()?;
    let in_header = headers.get(LAST_EVENT_ID).map(|value| {
        let point = value.to_str().map_err(|_| InvalidPoint).and_then(str::parse);
        point.map_err(|error| Problem::parameter("Last-Event-ID", error))
    });
    Ok(match (in_header.transpose()?.or(in_query), since_ms) {
        (Some(point), _) => Beginning::After(point),
        (None, Some(since_ms)) => Beginning::Since(since_ms),
        (None, None) => Beginning::Now,
    })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const KNOWN: &str = "5d0c1f7a9be2440d-4711";

    fn read(header: Option<&str>, query: &str) -> Result<Beginning, String> {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert(LAST_EVENT_ID, HeaderValue::from_bytes(header.as_bytes()).unwrap());
        }
        let query = FeedQuery::read("/feed", query).unwrap();
        beginning(&headers, &query.parameters.1, 1_777_636_800_000)
            .map_err(|problem| serde_json::to_value(&problem).unwrap()["detail"].as_str().unwrap().to_owned())
    }

    #[test]
    fn id_precedes_since() {
        let after = |text: &str| Ok(Beginning::After(text.parse().unwrap()));
        assert_eq!(read(None, ""), Ok(Beginning::Now));
        assert_eq!(read(None, "since=15m"), Ok(Beginning::Since(1_777_636_800_000 - 900_000)));
        assert_eq!(read(None, &format!("since=15m&last_event_id={KNOWN}")), after(KNOWN));
        let newer = "5d0c1f7a9be2440d-4712";
        assert_eq!(read(Some(newer), &format!("last_event_id={KNOWN}&since=1h")), after(newer));
    }

    #[test]
    fn wrong_id_is_named() {
        for header in ["", "4711", "5d0c1f7a9be2440d-x", "5d0c1f7a9be2440d-1 ", "直"] {
            let detail = read(Some(header), "").unwrap_err();
            assert!(detail.starts_with("`Last-Event-ID`: is not an id of this feed"), "{header:?}: {detail}");
        }
        for query in ["last_event_id=", "last_event_id=4711", "last_event_id=%0a"] {
            assert!(read(None, query).unwrap_err().starts_with("`last_event_id`: is not an id"), "{query}");
            assert!(read(Some(KNOWN), query).is_err(), "{query}");
        }
        assert!(read(None, "since=yesterday").is_err());
    }
}
