//! `streams`: the live streams, and everything about one stream.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use percent_encoding::percent_decode_str;
use serde::Serialize;
use utoipa::ToSchema;

use super::json::{Answer, json};
use super::page::{Page, PageParameters, Place};
use super::parameters::StreamParameters;
use super::query::{NoParameters, Query};
use super::responses;
use super::state::Api;
use crate::admin::problem::Problem;
use crate::callback::StreamSelection;
use crate::http::quoted;
use crate::index::{BroadcastQuery, BroadcastView, SessionQuery, SessionView, StreamView};
use crate::session::State as SessionState;

/// How many sessions of one stream are shown.
const SESSIONS_MAX: usize = 20;

/// The path of one stream for the router. Each of the three names can be empty, and a single segment of the router cannot.
pub(super) const ROUTED_PATH: &str = "/streams/{*names}";

/// The same path for users of the API.
pub(super) const DESCRIBED_PATH: &str = "/streams/{domain}/{app_name}/{stream}";

type StreamsQuery = Query<(StreamParameters, PageParameters)>;

/// List live streams.
///
/// The streams that are live now, ordered by domain, app name and stream name as they are written in a path.
#[utoipa::path(
    get, path = "/streams", tag = "streams", params(StreamsQuery),
    responses((status = 200, body = Page<StreamView>, description = "A page of streams"))
)]
pub(super) async fn list_streams(State(api): State<Arc<Api>>, query: StreamsQuery) -> Answer {
    let digest = query.digest(api.journal.generation());
    let (streams, page) = query.parameters;
    let (selection, page) = (streams.selection(), page.request(digest)?);
    let now_ms = (api.clock)();
    api.answer_from_index(move |reader| {
        let after = page.after.map(|Place(stream, _)| stream);
        let streams = reader.index()?.streams(&selection, after, page.limit + 1, now_ms)?;
        Ok(json(&page.cut(streams, |stream| Place(stream.place, 0))))
    })
    .await
}

/// One stream.
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
    /// Its newest broadcast.
    broadcast: Option<BroadcastView>,
    /// Its newest sessions, newest first.
    sessions: Vec<SessionView>,
}

/// Read a stream.
///
/// Live or not, with its newest broadcast and its 20 newest sessions. Each part of the path is percent-encoded. A part that the
/// stream does not have is empty, as in `push.example.com//room-1`. If your client can't send an empty part, use the lists of
/// sessions and broadcasts with `app_name=`.
#[utoipa::path(
    get, path = ROUTED_PATH, tag = "streams",
    params(
        ("domain" = String, Path, description = "The push domain. Case does not matter", example = "push.example.com"),
        ("app_name" = String, Path, description = "The app name", example = "live"),
        ("stream" = String, Path, description = "The stream name", example = "room-1"),
    ),
    responses((status = 200, body = StreamDetail, description = "The stream"), responses::NotFound)
)]
pub(super) async fn read_stream(State(api): State<Arc<Api>>, _: NoParameters, uri: Uri) -> Answer {
    let [domain, app_name, stream] = names(&uri)?;
    let now_ms = (api.clock)();
    api.answer_from_index(move |reader| {
        let index = reader.index()?;
        // The index stores domains in lower case.
        let domain = domain.to_ascii_lowercase();
        let selection = StreamSelection::of_stream(&domain, &app_name, &stream);
        let query = SessionQuery { selection: selection.clone(), limit: SESSIONS_MAX, ..SessionQuery::default() };
        let sessions = index.sessions(&query, now_ms)?;
        if sessions.is_empty() {
            let names = [&domain, &app_name, &stream].map(|name| quoted(name)).join("/");
            return Err(Problem::not_found(format!("there is no session of a stream `{names}`")).into());
        }
        let live = SessionQuery { states: vec![SessionState::Live], limit: 1, ..query };
        let is_live = !index.sessions(&live, now_ms)?.is_empty();
        let query = BroadcastQuery { selection, limit: 1, ..BroadcastQuery::default() };
        let broadcast = index.broadcasts(&query, now_ms)?.pop();
        Ok(json(&StreamDetail { domain, app_name, stream, is_live, broadcast, sessions }))
    })
    .await
}

/// Returns domain, app name and stream name of [`DESCRIBED_PATH`]. The path is split before it is decoded, because a name
/// can contain a slash.
fn names(uri: &Uri) -> Result<[String; 3], Problem> {
    let parts = uri.path().strip_prefix("/streams/").unwrap_or_default().split('/');
    let names: Result<Vec<String>, _> =
        parts.map(|part| percent_decode_str(part).decode_utf8().map(Cow::into_owned)).collect();
    let names = names.map_err(|_| Problem::parameter("stream", "the names must be percent-encoded UTF-8"))?;
    names.try_into().map_err(|_| {
        Problem::not_found(
            "the path of a stream is `streams/{domain}/{app_name}/{stream}`, each part percent-encoded, and empty if the stream has none",
        )
    })
}
