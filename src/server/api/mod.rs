//! The API of the admin endpoint: everything that livehook knows, for people's own tools.
//!
//! Answers come from the read model and the journal, by way of [`readers`]; nothing here writes. What is asked for wrongly
//! is answered with a [`problem`] that names the parameter and what it takes. Lists are pages, see [`page`].

mod codes;
mod events;
mod page;
mod parameters;
mod problem;
mod readers;
mod sessions;
mod sinks;
mod streams;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::Response;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::routing::get;
use serde::Serialize;

use super::{Clock, Sources};
use crate::delivery::Status;
use crate::journal::Journal;

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
}

impl Api {
    /// Puts the API together. `clock` gives the time in Unix ms.
    pub(super) fn new(sources: &Sources, clock: Clock) -> Api {
        Api {
            readers: Arc::new(Readers::new(sources.data_dir.clone(), sources.index.is_some())),
            journal: Arc::clone(&sources.journal),
            sinks: sources.sinks.clone(),
            clock,
        }
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
            .route("/error-codes", get(codes::list))
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
