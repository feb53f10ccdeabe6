//! The address of every page.

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};

use super::state::Pages;
use super::{
    assets, events, gzip, login, now, preferences, reasons, refused, session, sharing, sink, sink_changes, sinks,
    stream, timeline, updates,
};

/// Returns the router of the pages.
pub(in crate::admin) fn router(pages: Arc<Pages>) -> Router {
    let renderings = Arc::new(sharing::Renderings::new(Arc::clone(&pages.updates)));
    Router::new()
        .route("/", get(now::show))
        .route("/timeline", get(timeline::show))
        .route("/reasons", get(reasons::show))
        // A single segment of the router cannot be empty, and a name can.
        .route("/streams/{*names}", get(stream::show))
        .route("/sessions/{id}", get(session::show))
        .route("/events", get(events::show))
        .route("/refused", get(refused::show))
        .route("/sinks", get(sinks::show))
        .route("/sinks/{name}", get(sink::show))
        .route("/sinks/{name}/{change}", get(sink_changes::ask).post(sink_changes::make))
        .route("/login", get(login::show).post(login::log_in))
        .route("/logout", post(login::log_out))
        .route("/preferences", post(preferences::change))
        .route("/assets/{name}", get(assets::read))
        .route_layer(from_fn(gzip::compress))
        // Outside of the compression, so that a page is compressed once, too.
        .route_layer(from_fn_with_state(renderings, sharing::share))
        // Outside of both, because it has no end.
        .route("/updates", get(updates::follow))
        .with_state(pages)
}
