//! The API of the admin endpoint: everything that livehook knows, for people's own tools.
//!
//! Answers come from the read model and the journal, by way of [`readers`]; what is changed is changed by the journal, see
//! [`changes`](mod@changes). What is asked for wrongly is answered with a [problem](super::problem) that names the parameter and what it
//! takes. Lists are pages, see [`page`].

mod changes;
mod concurrency_limit;
mod dead_letters;
mod error_codes;
mod etag;
mod events;
mod feed;
mod openapi;
mod page;
mod parameters;
mod readers;
mod rebuild;
mod refusals;
mod replay_count;
mod replays;
mod sessions;
mod sinks;
mod stats;
mod streams;

use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{DefaultBodyLimit, Path};
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{Response, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, get, post};
use serde::Serialize;
use tokio::sync::Semaphore;

use super::Sources;
use super::problem::Problem;
use crate::clock::Clock;
use crate::delivery::Status;
use crate::http::quoted;
use crate::index;
use crate::journal::Journal;
use crate::receiver::{HourlyCounts, RecentRefusals};

pub(super) use feed::Feed;

use readers::Readers;

/// What the API works with.
pub(super) struct Api {
    readers: Arc<Readers>,
    journal: Arc<dyn Journal>,
    sinks: Vec<Arc<Status>>,
    index: Option<Arc<index::Status>>,
    refusals: Arc<RecentRefusals>,
    hourly_counts: Arc<HourlyCounts>,
    feed: Arc<Feed>,
    clock: Clock,
    /// Held by who counts what a replay would send.
    counting: tokio::sync::Mutex<()>,
}

impl Api {
    /// Puts the API together, with a feed of at most so many subscribers.
    pub(super) fn new(sources: &Sources, subscribers_max: usize) -> Api {
        let clock = sources.clock;
        let readers = Arc::new(Readers::new(sources.data_dir.clone(), sources.index.is_some()));
        let journal = Arc::clone(&sources.journal);
        let horizon = sources.index.as_ref().map_or_else(|| journal.head(), |index| index.cursor());
        let stopping = sources.stopping.clone();
        let feed = Feed::new(Arc::clone(&readers), Arc::clone(&journal), horizon, stopping, subscribers_max, clock);
        Api {
            readers,
            journal,
            sinks: sources.sinks.clone(),
            index: sources.index.clone(),
            refusals: Arc::clone(&sources.refusals),
            hourly_counts: Arc::clone(&sources.hourly_counts),
            feed: Arc::new(feed),
            clock,
            counting: tokio::sync::Mutex::default(),
        }
    }

    /// The feed, which is to be run beside the listener.
    pub(super) fn feed(&self) -> &Arc<Feed> {
        &self.feed
    }

    /// The state of a configured sink.
    fn sink(&self, name: &str) -> Option<&Status> {
        self.sinks.iter().find(|status| status.sink == name).map(Arc::as_ref)
    }

    /// The same where something is to be sent to it.
    fn configured(&self, name: &str) -> Result<&Status, Problem> {
        self.sink(name).ok_or_else(|| {
            let names: Vec<&str> = self.sinks.iter().map(|status| status.sink.as_str()).collect();
            let (name, names) = (quoted(name), names.join(", "));
            let detail = format!(
                "there is no sink `{name}`; configured are {names}: give one of these, or configure it under this name and restart livehook"
            );
            Problem::new(StatusCode::CONFLICT, "no_such_sink", detail)
        })
    }

    /// Ends all questions, and closes every file that they were read from. None is answered after that.
    pub(super) async fn close(&self) {
        self.readers.close().await;
    }

    /// The routes, to be put below [`API_PREFIX`](super::problem::API_PREFIX). `guarded` is put around what changes something.
    pub(super) fn router(self: Arc<Api>, guarded: impl Fn(MethodRouter<Arc<Api>>) -> MethodRouter<Arc<Api>>) -> Router {
        let changes = changes().into_iter().map(|(path, handler)| (path, guarded(handler)));
        reads()
            .into_iter()
            .chain(changes)
            .fold(Router::new(), |router, (path, handler)| router.route(path, handler))
            .layer(DefaultBodyLimit::max(changes::BODY_BYTES_MAX))
            .with_state(self)
            .layer(from_fn_with_state(
                Arc::new(Semaphore::new(concurrency_limit::QUESTIONS_MAX)),
                concurrency_limit::within,
            ))
    }
}

/// Every path below [`API_PREFIX`](super::problem::API_PREFIX) at which something is read, and what answers there. Each has its place in [`openapi`] too.
fn reads() -> Vec<(&'static str, MethodRouter<Arc<Api>>)> {
    vec![
        ("/streams", get(streams::list)),
        // Each of domain, app name and stream name may be empty, which a parameter of the router cannot.
        ("/streams/{*names}", get(streams::one)),
        ("/sessions", get(sessions::list)),
        ("/sessions/{id}", get(sessions::one)),
        ("/broadcasts", get(sessions::broadcasts)),
        ("/events", get(events::list)),
        ("/events/{id}", get(events::one)),
        ("/sinks", get(sinks::list)),
        ("/dead-letters", get(dead_letters::list)),
        ("/dead-letters/{number}", get(dead_letters::one)),
        ("/replays", get(replays::list)),
        ("/replays/{number}", get(replays::one)),
        ("/error-codes", get(error_codes::list)),
        ("/feed", get(feed::open)),
        ("/refusals", get(refusals::list)),
        ("/stats", get(stats::get)),
        ("/openapi.json", get(openapi::document)),
    ]
}

/// The same for what changes something, which needs the token.
fn changes() -> Vec<(&'static str, MethodRouter<Arc<Api>>)> {
    vec![
        ("/dead-letters/redrive", post(dead_letters::redrive)),
        ("/dead-letters/drop", post(dead_letters::drop)),
        ("/replays", post(replays::begin)),
        ("/replays/{number}/cancel", post(replays::cancel)),
        ("/index/rebuild", post(rebuild::rebuild)),
    ]
}

/// Reads the id at the end of a path.
fn id_of<T: FromStr<Err: Display>>(path: Result<Path<String>, PathRejection>) -> Result<T, Problem> {
    let Path(text) = path.map_err(|_| Problem::parameter("id", "is not UTF-8, percent-encoded"))?;
    parameters::parsed("id", &text, str::parse::<T>)
}

/// An answer in JSON. What it holds is of the moment, unless `cache` says how long it may be kept.
fn json(text: String, media_type: &'static str, cache: Option<&'static str>) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    if let Some(cache) = cache {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    }
    response
}

/// The JSON of a view. Views are structs of numbers, texts and lists of them, which always serialise.
fn text_of(view: &impl Serialize) -> String {
    serde_json::to_string(view).unwrap_or_default()
}
