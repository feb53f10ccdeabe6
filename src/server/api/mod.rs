//! The API of the admin endpoint: everything that livehook knows, for people's own tools.
//!
//! Answers come from the read model and the journal, by way of [`readers`]; what is changed is changed by the journal, see
//! [`changes`]. What is asked for wrongly
//! is answered with a [`problem`] that names the parameter and what it takes. Lists are pages, see [`page`].

mod changes;
mod codes;
mod dead_letters;
mod events;
mod page;
mod parameters;
mod problem;
mod readers;
mod replays;
mod sessions;
mod sinks;
mod streams;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use axum::http::HeaderValue;
use axum::http::Response;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::routing::{get, post};
use serde::Serialize;

use super::{Clock, Sources};
use crate::delivery::Status;
use crate::journal::Journal;

pub(super) use changes::is_change;
pub(super) use problem::Problem;

use readers::Readers;

/// Where the API is.
pub(super) const PREFIX: &str = "/api/v1";

/// What the API works with.
pub(super) struct Api {
    readers: Arc<Readers>,
    journal: Arc<dyn Journal>,
    sinks: Vec<Arc<Status>>,
    clock: Clock,
    /// Held by who counts what a replay would send.
    counting: tokio::sync::Mutex<()>,
}

impl Api {
    /// Puts the API together. `clock` gives the time in Unix ms.
    pub(super) fn new(sources: &Sources, clock: Clock) -> Api {
        Api {
            readers: Arc::new(Readers::new(sources.data_dir.clone(), sources.index.is_some())),
            journal: Arc::clone(&sources.journal),
            sinks: sources.sinks.clone(),
            clock,
            counting: tokio::sync::Mutex::default(),
        }
    }

    /// The state of a configured sink.
    fn sink(&self, name: &str) -> Option<&Status> {
        self.sinks.iter().find(|status| status.sink == name).map(Arc::as_ref)
    }

    /// The routes, to be put below [`PREFIX`].
    pub(super) fn router(self: Arc<Api>) -> Router {
        Router::new()
            .route("/streams", get(streams::list))
            .route("/streams/{domain}/{app_name}/{stream}", get(streams::one))
            .route("/sessions", get(sessions::list))
            .route("/sessions/{id}", get(sessions::one))
            .route("/broadcasts", get(sessions::broadcasts))
            .route("/events", get(events::list))
            .route("/events/{id}", get(events::one))
            .route("/sinks", get(sinks::list))
            .route("/dead-letters", get(dead_letters::list))
            .route("/dead-letters/{number}", get(dead_letters::one))
            .route("/dead-letters/redrive", post(dead_letters::redrive))
            .route("/dead-letters/drop", post(dead_letters::drop))
            .route("/replays", get(replays::list).post(replays::begin))
            .route("/replays/{number}", get(replays::one))
            .route("/replays/{number}/cancel", post(replays::cancel))
            .route("/error-codes", get(codes::list))
            .layer(DefaultBodyLimit::max(changes::BODY_BYTES_MAX))
            .with_state(self)
    }
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
