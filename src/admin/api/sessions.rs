//! `sessions` and `broadcasts`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::Response;

use super::openapi::answers;
use super::openapi::parameters::{BroadcastParameters, Chosen, During, Part, SessionParameters};
use super::page::{Page, Place};
use super::parameters::{Parameters, word};
use super::streams::selection;
use super::{Api, id_of, json, text_of};
use crate::admin::problem::Problem;
use crate::callback::ReasonCategory;
use crate::history::{PAGE_BYTES_MAX, SessionEvents};
use crate::index::{BroadcastQuery, BroadcastView, Order, SessionQuery, SessionView, Sort};
use crate::session::{SessionId, State as SessionState};

/// How many of a session's events are told with it.
const EVENTS_MAX: usize = 1000;

/// List sessions.
///
/// A session is one push, from its start to its stop. By default those that started last come first; `since` and `until` are
/// for `started`.
#[utoipa::path(
    get,
    path = "/api/v1/sessions",
    operation_id = "list_sessions",
    tag = "streams",
    params(Chosen, During, SessionParameters, Part),
    responses(
        (status = 200, body = Page<SessionView>, description = "A page of sessions"),
        answers::Refused,
    )
)]
pub(super) async fn list(State(api): State<Arc<Api>>, RawQuery(query): RawQuery) -> Result<Response<Body>, Problem> {
    let now_ms = (api.clock)();
    let mut parameters = Parameters::of(query.as_deref());
    let question = parameters.question("sessions", api.journal.generation());
    let sorts = [("started", Sort::Started), ("ended", Sort::Ended), ("duration", Sort::Duration)];
    let orders = [("descending", Order::Descending), ("ascending", Order::Ascending)];
    let (since_ms, until_ms) = parameters.during(now_ms)?;
    let query = SessionQuery {
        selection: selection(&mut parameters)?,
        states: parameters.list("state", str::parse::<SessionState>)?,
        since_ms,
        until_ms,
        categories: parameters.list("reason", str::parse::<ReasonCategory>)?,
        sort: parameters.one("sort", |text| word(text, &sorts))?.unwrap_or_default(),
        order: parameters.one("order", |text| word(text, &orders))?.unwrap_or_default(),
        limit: parameters.limit()?,
        after: parameters.page(question)?.map(|Place(value, number)| (value, number)),
    };
    parameters.finish()?;
    let text = api.readers.ask(move |reader| {
        let limit = query.limit;
        let items = reader.index()?.sessions(&SessionQuery { limit: limit + 1, ..query }, now_ms)?;
        Ok(text_of(&Page::cut(items, limit, question, |item| item.place)))
    });
    Ok(json(text.await?, "application/json", None))
}

/// A session with its events.
///
/// The events are those of its `sequence`, and the recordings and screenshots of its stream of that time, as far as the journal
/// still has them: in the order of their times, 1000 and some 4 MiB at most, but the push and the stop in any case.
#[utoipa::path(
    get,
    path = "/api/v1/sessions/{id}",
    operation_id = "read_session",
    tag = "streams",
    params(("id" = SessionId, Path, description = "The session's `id`")),
    responses(
        (status = 200, body = answers::SessionDetail, description = "The session"),
        answers::Refused,
        answers::NotFound,
    )
)]
pub(super) async fn one(
    State(api): State<Arc<Api>>,
    id: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    Parameters::of(query.as_deref()).finish()?;
    let id: SessionId = id_of(id)?;
    let now_ms = (api.clock)();
    let text = api.readers.ask(move |reader| {
        let index = reader.index()?;
        let Some(session) = index.session(&id, now_ms)? else {
            return Err(Problem::not_found(format!("there is no session `{id}`")).into());
        };
        let events = SessionEvents::of(&session, index, &reader.journal, now_ms)?;
        let (records, left_out) = events.bounded(EVENTS_MAX, PAGE_BYTES_MAX)?;
        let lines: Vec<&str> = records.iter().map(|record| record.event.line()).collect();
        let mut text = text_of(&session);
        text.pop();
        Ok(format!(r#"{text},"events":[{}],"events_left_out":{left_out}}}"#, lines.join(",")))
    });
    Ok(json(text.await?, "application/json", None))
}

/// List broadcasts.
///
/// A broadcast is what viewers see as one: the sessions of a stream with no more than a short gap between them
/// (`index.bridge_gap_secs`). Those that began last come first; `since` and `until` are for `started`.
#[utoipa::path(
    get,
    path = "/api/v1/broadcasts",
    operation_id = "list_broadcasts",
    tag = "streams",
    params(Chosen, During, BroadcastParameters, Part),
    responses(
        (status = 200, body = Page<BroadcastView>, description = "A page of broadcasts"),
        answers::Refused,
    )
)]
pub(super) async fn broadcasts(
    State(api): State<Arc<Api>>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let now_ms = (api.clock)();
    let mut parameters = Parameters::of(query.as_deref());
    let question = parameters.question("broadcasts", api.journal.generation());
    let (since_ms, until_ms) = parameters.during(now_ms)?;
    let query = BroadcastQuery {
        selection: selection(&mut parameters)?,
        states: parameters.list("state", str::parse::<SessionState>)?,
        since_ms,
        until_ms,
        limit: parameters.limit()?,
        after: parameters.page(question)?.map(|Place(value, number)| (value, number)),
    };
    parameters.finish()?;
    let text = api.readers.ask(move |reader| {
        let limit = query.limit;
        let items = reader.index()?.broadcasts(&BroadcastQuery { limit: limit + 1, ..query }, now_ms)?;
        Ok(text_of(&Page::cut(items, limit, question, |item| item.place)))
    });
    Ok(json(text.await?, "application/json", None))
}
