//! `sessions` and `broadcasts`.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::json::{Answer, json, raws};
use super::page::{Page, PageParameters, Place};
use super::parameters::{StreamParameters, TimeParameters};
use super::path::PathParameter;
use super::query::{Query, values};
use super::responses;
use super::state::Api;
use crate::admin::problem::Problem;
use crate::callback::ReasonCategory;
use crate::history::{PAGE_BYTES_MAX, SessionEvents};
use crate::index::{BroadcastQuery, BroadcastView, Order, SessionQuery, SessionView, Sort};
use crate::session::{SessionId, State as SessionState};

/// How many events of a session are shown.
const EVENTS_MAX: usize = 1000;

type SessionsQuery = Query<(StreamParameters, TimeParameters, SessionParameters, PageParameters)>;

/// Only these sessions, in this order.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(super) struct SessionParameters {
    /// Sessions in this state. Repeat the parameter for several states.
    #[serde(deserialize_with = "values")]
    #[param(required = false, inline, max_items = 50)]
    state: Vec<SessionState>,
    /// Sessions that stopped for a reason of this category. Repeat the parameter for several categories.
    #[serde(deserialize_with = "values")]
    #[param(required = false, inline, max_items = 50)]
    reason: Vec<ReasonCategory>,
    /// The value to sort by. Sessions that have not ended count as the last to end. Live sessions count as the longest.
    #[param(required = false, inline)]
    sort: Sort,
    /// Whether the largest or the smallest value comes first.
    #[param(required = false, inline)]
    order: Order,
}

/// List sessions.
///
/// A session is one push, from its start to its stop. By default the newest comes first. `since` and `until` apply to `started`.
#[utoipa::path(
    get, path = "/sessions", tag = "streams", params(SessionsQuery),
    responses((status = 200, body = Page<SessionView>, description = "A page of sessions"))
)]
pub(super) async fn list_sessions(State(api): State<Arc<Api>>, query: SessionsQuery) -> Answer {
    let digest = query.digest(api.journal.generation());
    let (streams, time, sessions, page) = query.parameters;
    let now_ms = (api.clock)();
    let started = time.range(now_ms)?;
    let page = page.request(digest)?;
    let query = SessionQuery {
        selection: streams.selection(),
        states: sessions.state,
        started,
        categories: sessions.reason,
        sort: sessions.sort,
        order: sessions.order,
        after: page.after.map(|Place(value, number)| (value, number)),
        limit: page.limit + 1,
    };
    api.answer_from_index(move |reader| {
        let sessions = reader.index()?.sessions(&query, now_ms)?;
        Ok(json(&page.cut(sessions, |session| Place(session.place.0, session.place.1))))
    })
    .await
}

/// A session, and its events that the journal still has.
#[derive(Serialize, ToSchema)]
pub(super) struct SessionDetail<'a> {
    #[serde(flatten)]
    session: SessionView,
    /// The events, in the order of their times.
    #[schema(value_type = Vec<responses::Event>)]
    events: Vec<&'a RawValue>,
    /// How many more events the journal has. They are left out to keep the answer small.
    #[schema(value_type = u64)]
    events_left_out: usize,
}

/// Read a session with its events.
///
/// The events have the session's `sequence`, or are recordings and screenshots of its stream from its time, if the journal still
/// has them. They come in the order of their times. At most 1000 events of about 4 MiB are shown, and always the push and the stop.
#[utoipa::path(
    get, path = "/sessions/{id}", tag = "streams",
    params(("id" = SessionId, Path, description = "The session's `id`")),
    responses((status = 200, body = SessionDetail, description = "The session"), responses::NotFound)
)]
pub(super) async fn read_session(State(api): State<Arc<Api>>, PathParameter(id): PathParameter<SessionId>) -> Answer {
    let now_ms = (api.clock)();
    api.answer_from_index(move |reader| {
        let index = reader.index()?;
        let Some(session) = index.session(&id, now_ms)? else {
            return Err(Problem::not_found(format!("there is no session `{id}`")).into());
        };
        let events = SessionEvents::of(&session, index, &reader.journal, now_ms)?;
        let (records, events_left_out) = events.bounded(EVENTS_MAX, PAGE_BYTES_MAX)?;
        let events = raws(records.iter().map(|record| &record.event));
        Ok(json(&SessionDetail { session, events, events_left_out }))
    })
    .await
}

type BroadcastsQuery = Query<(StreamParameters, TimeParameters, BroadcastParameters, PageParameters)>;

/// Only these broadcasts.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(super) struct BroadcastParameters {
    /// Broadcasts in this state. Repeat the parameter for several states.
    #[serde(deserialize_with = "values")]
    #[param(required = false, inline, max_items = 50)]
    state: Vec<SessionState>,
}

/// List broadcasts.
///
/// A broadcast joins the sessions of a stream with only short gaps between them (`index.bridge_gap_secs`), as viewers see it. The
/// newest comes first. `since` and `until` apply to `started`.
#[utoipa::path(
    get, path = "/broadcasts", tag = "streams", params(BroadcastsQuery),
    responses((status = 200, body = Page<BroadcastView>, description = "A page of broadcasts"))
)]
pub(super) async fn list_broadcasts(State(api): State<Arc<Api>>, query: BroadcastsQuery) -> Answer {
    let digest = query.digest(api.journal.generation());
    let (streams, time, broadcasts, page) = query.parameters;
    let now_ms = (api.clock)();
    let started = time.range(now_ms)?;
    let page = page.request(digest)?;
    let query = BroadcastQuery {
        selection: streams.selection(),
        states: broadcasts.state,
        started,
        after: page.after.map(|Place(value, number)| (value, number)),
        limit: page.limit + 1,
    };
    api.answer_from_index(move |reader| {
        let broadcasts = reader.index()?.broadcasts(&query, now_ms)?;
        Ok(json(&page.cut(broadcasts, |broadcast| Place(broadcast.place.0, broadcast.place.1))))
    })
    .await
}
