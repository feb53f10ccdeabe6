//! `streams`: who is live; and all about one stream.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::Response;
use serde::Serialize;

use super::page::{Page, Place};
use super::parameters::Parameters;
use super::problem::{Problem, quoted};
use super::{Api, json, text_of};
use crate::callback::{DomainPattern, NamePattern};
use crate::index::{BroadcastQuery, BroadcastView, Selection, SessionQuery, SessionView};
use crate::session::State as SessionState;

/// How many sessions are told of one stream.
const SESSIONS_MAX: usize = 20;

/// The parameters that choose streams.
pub(super) fn selection(parameters: &mut Parameters) -> Result<Selection, Problem> {
    Ok(Selection {
        domains: parameters.list("domain", DomainPattern::new)?,
        streams: parameters.list("stream", NamePattern::new)?,
        app_names: parameters.list("app_name", |name| Ok::<_, String>(name.to_owned()))?,
        key: None,
    })
}

/// The streams that are live now, those that have come last first.
pub(super) async fn list(State(api): State<Arc<Api>>, RawQuery(query): RawQuery) -> Result<Response<Body>, Problem> {
    let mut parameters = Parameters::of(query.as_deref());
    let selection = selection(&mut parameters)?;
    let limit = parameters.limit()?;
    let after = parameters.page("streams")?.map(|Place(since_ms, number)| (since_ms, number));
    parameters.finish()?;
    let question = parameters.question("streams");
    let now_ms = (api.clock)();
    let text = api.readers.ask(move |reader| {
        let mut items = reader.index()?.streams(&selection, after, limit + 1, now_ms)?;
        let has_more = items.len() > limit;
        items.truncate(limit);
        let last = items.last().map(|item| Place(item.place.0, item.place.1).token(question));
        Ok(text_of(&Page { items, next: last.filter(|_| has_more) }))
    });
    Ok(json(text.await?, "application/json", None))
}

/// All about one stream.
#[derive(Debug, Serialize)]
pub(super) struct StreamDetail {
    /// The push domain, in lower case.
    domain: String,
    /// The app name.
    app_name: String,
    /// The stream name.
    stream: String,
    /// Whether it is live.
    is_live: bool,
    /// Its broadcast that began last.
    broadcast: Option<BroadcastView>,
    /// Its newest sessions, newest first.
    sessions: Vec<SessionView>,
}

/// One stream, live or not.
pub(super) async fn one(
    State(api): State<Arc<Api>>,
    Path((domain, app_name, stream)): Path<(String, String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    Parameters::of(query.as_deref()).finish()?;
    let now_ms = (api.clock)();
    let text = api.readers.ask(move |reader| {
        let index = reader.index()?;
        let domain = domain.to_ascii_lowercase();
        let selection = Selection::of_stream(&domain, &app_name, &stream);
        let query = SessionQuery { selection: selection.clone(), limit: SESSIONS_MAX, ..SessionQuery::default() };
        let sessions = index.sessions(&query, now_ms)?;
        if sessions.is_empty() {
            let names = [&domain, &app_name, &stream].map(|name| quoted(name)).join("/");
            return Err(Problem::not_found(format!("nothing is known of the stream `{names}`")).into());
        }
        let live = SessionQuery { states: vec![SessionState::Live], limit: 1, ..query };
        let is_live = !index.sessions(&live, now_ms)?.is_empty();
        let query = BroadcastQuery { selection, limit: 1, ..BroadcastQuery::default() };
        let broadcast = index.broadcasts(&query, now_ms)?.pop();
        Ok(text_of(&StreamDetail { domain, app_name, stream, is_live, broadcast, sessions }))
    });
    Ok(json(text.await?, "application/json", None))
}
