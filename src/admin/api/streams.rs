//! `streams`: who is live; and all about one stream.

use std::borrow::Cow;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{Response, Uri};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use utoipa::ToSchema;

use super::openapi::answers;
use super::openapi::parameters::{Chosen, Part};
use super::page::{Page, Place};
use super::parameters::Parameters;
use super::{Api, json, text_of};
use crate::admin::problem::Problem;
use crate::callback::{DomainPattern, NamePattern, StreamSelection};
use crate::http::quoted;
use crate::index::{BroadcastQuery, BroadcastView, SessionQuery, SessionView, StreamView};
use crate::session::State as SessionState;

/// How many sessions are told of one stream.
const SESSIONS_MAX: usize = 20;

/// The parameters that choose streams.
pub(super) fn selection(parameters: &mut Parameters) -> Result<StreamSelection, Problem> {
    Ok(StreamSelection {
        domains: parameters.list("domain", DomainPattern::new)?,
        names: parameters.list("stream", NamePattern::new)?,
        apps: parameters.list("app_name", |name| Ok::<_, String>(name.to_owned()))?,
        key: None,
    })
}

/// Who is live.
///
/// The streams that are live now, by domain, app name and stream name, each compared as it is written in a path.
#[utoipa::path(
    get,
    path = "/api/v1/streams",
    operation_id = "list_streams",
    tag = "streams",
    params(Chosen, Part),
    responses(
        (status = 200, body = Page<StreamView>, description = "A page of streams"),
        answers::Refused,
    )
)]
pub(super) async fn list(State(api): State<Arc<Api>>, RawQuery(query): RawQuery) -> Result<Response<Body>, Problem> {
    let mut parameters = Parameters::of(query.as_deref());
    let question = parameters.question("streams", api.journal.generation());
    let selection = selection(&mut parameters)?;
    let limit = parameters.limit()?;
    let after = parameters.page(question)?.map(|Place(stream, _)| stream);
    parameters.finish()?;
    let now_ms = (api.clock)();
    let text = api.readers.ask(move |reader| {
        let items = reader.index()?.streams(&selection, after, limit + 1, now_ms)?;
        Ok(text_of(&Page::cut(items, limit, question, |item| (item.place, 0))))
    });
    Ok(json(text.await?, "application/json", None))
}

/// The names in `/streams/{domain}/{app_name}/{stream}`. They are told apart before they are decoded, since each may hold a
/// slash.
fn names(uri: &Uri) -> Result<[String; 3], Problem> {
    let parts = uri.path().strip_prefix("/streams/").unwrap_or_default().split('/');
    let names: Result<Vec<String>, _> =
        parts.map(|part| percent_decode_str(part).decode_utf8().map(Cow::into_owned)).collect();
    let names = names.map_err(|_| Problem::parameter("stream", "the names are not UTF-8, percent-encoded"))?;
    names.try_into().map_err(|_| {
        Problem::not_found("a stream is named `streams/{domain}/{app_name}/{stream}`, each part percent-encoded, and empty where the stream has none")
    })
}

/// All about one stream.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Stream)]
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

/// All about one stream.
///
/// Live or not, with its broadcast that began last and its 20 newest sessions. Each part of the path is percent-encoded; one
/// that the stream does not have is empty, as in `push.example.com//room-1`. A client that cannot send an empty part asks the lists
/// of sessions and of broadcasts, with `app_name=`.
#[utoipa::path(
    get,
    path = "/api/v1/streams/{domain}/{app_name}/{stream}",
    operation_id = "read_stream",
    tag = "streams",
    params(
        ("domain" = String, Path, description = "The push domain, compared without case", example = "push.example.com"),
        ("app_name" = String, Path, description = "The app name", example = "live"),
        ("stream" = String, Path, description = "The stream name", example = "room-1"),
    ),
    responses(
        (status = 200, body = StreamDetail, description = "The stream"),
        answers::Refused,
        answers::NotFound,
    )
)]
pub(super) async fn one(
    State(api): State<Arc<Api>>,
    uri: Uri,
    RawQuery(query): RawQuery,
) -> Result<Response<Body>, Problem> {
    Parameters::of(query.as_deref()).finish()?;
    let [domain, app_name, stream] = names(&uri)?;
    let now_ms = (api.clock)();
    let text = api.readers.ask(move |reader| {
        let index = reader.index()?;
        let domain = domain.to_ascii_lowercase();
        let selection = StreamSelection::of_stream(&domain, &app_name, &stream);
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
