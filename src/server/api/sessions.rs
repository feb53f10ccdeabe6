//! `sessions` and `broadcasts`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::Response;

use super::events::lines_at;
use super::page::{Page, Place};
use super::parameters::{Parameters, word};
use super::problem::Problem;
use super::streams::selection;
use super::{Api, json, text_of};
use crate::callback::ReasonCategory;
use crate::index::{BroadcastQuery, Order, SessionQuery, Sort};
use crate::session::{SessionId, State as SessionState};

/// How many of a session's events are told with it.
const EVENTS_MAX: usize = 1000;

/// Sessions, by default those that started last first.
pub(super) async fn list(State(api): State<Arc<Api>>, RawQuery(query): RawQuery) -> Result<Response<Body>, Problem> {
    let now_ms = (api.clock)();
    let mut parameters = Parameters::of(query.as_deref());
    let sorts = [("started", Sort::Started), ("ended", Sort::Ended), ("duration", Sort::Duration)];
    let orders = [("descending", Order::Descending), ("ascending", Order::Ascending)];
    let query = SessionQuery {
        selection: selection(&mut parameters)?,
        states: parameters.list("state", str::parse::<SessionState>)?,
        since_ms: parameters.moment("since", now_ms)?,
        until_ms: parameters.moment("until", now_ms)?,
        categories: parameters.list("reason", str::parse::<ReasonCategory>)?,
        sort: parameters.one("sort", |text| word(text, &sorts))?.unwrap_or_default(),
        order: parameters.one("order", |text| word(text, &orders))?.unwrap_or_default(),
        limit: parameters.limit()?,
        after: parameters.page("sessions")?.map(|Place(value, number)| (value, number)),
    };
    parameters.finish()?;
    let question = parameters.question("sessions");
    let text = api.readers.ask(move |reader| {
        let limit = query.limit;
        let mut items = reader.index()?.sessions(&SessionQuery { limit: limit + 1, ..query }, now_ms)?;
        let has_more = items.len() > limit;
        items.truncate(limit);
        let last = items.last().map(|item| Place(item.place.0, item.place.1).token(question));
        Ok(text_of(&Page { items, next: last.filter(|_| has_more) }))
    });
    Ok(json(text.await?, "application/json", None))
}

/// One session, with its events that the journal still has.
pub(super) async fn one(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    Parameters::of(query.as_deref()).finish()?;
    let id: SessionId = id.parse().map_err(|error| Problem::parameter("id", error))?;
    let now_ms = (api.clock)();
    let text = api.readers.ask(move |reader| {
        let index = reader.index()?;
        let Some(session) = index.session(&id, now_ms)? else {
            return Err(Problem::not_found(format!("there is no session `{id}`")).into());
        };
        let offsets = index.session_events(&id)?;
        let events = lines_at(&reader.journal, &offsets[..offsets.len().min(EVENTS_MAX)])?;
        let mut text = text_of(&session);
        text.pop();
        Ok(format!(r#"{text},"events":[{}]}}"#, events.join(",")))
    });
    Ok(json(text.await?, "application/json", None))
}

/// Broadcasts, those that began last first.
pub(super) async fn broadcasts(
    State(api): State<Arc<Api>>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    let now_ms = (api.clock)();
    let mut parameters = Parameters::of(query.as_deref());
    let query = BroadcastQuery {
        selection: selection(&mut parameters)?,
        is_live: parameters.one("state", |text| word(text, &[("live", true), ("ended", false)]))?,
        since_ms: parameters.moment("since", now_ms)?,
        until_ms: parameters.moment("until", now_ms)?,
        limit: parameters.limit()?,
        after: parameters.page("broadcasts")?.map(|Place(value, number)| (value, number)),
    };
    parameters.finish()?;
    let question = parameters.question("broadcasts");
    let text = api.readers.ask(move |reader| {
        let limit = query.limit;
        let mut items = reader.index()?.broadcasts(&BroadcastQuery { limit: limit + 1, ..query }, now_ms)?;
        let has_more = items.len() > limit;
        items.truncate(limit);
        let last = items.last().map(|item| Place(item.place.0, item.place.1).token(question));
        Ok(text_of(&Page { items, next: last.filter(|_| has_more) }))
    });
    Ok(json(text.await?, "application/json", None))
}
