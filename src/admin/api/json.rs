//! Answers in JSON.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Response};
use serde::Serialize;
use serde_json::value::RawValue;

use super::readers::Failure;
use crate::admin::problem::Problem;
use crate::callback::Event;

/// The answer of a handler.
pub(super) type Answer = Result<Response<Body>, Problem>;

/// Returns the JSON of a view. Views are structs of numbers, texts and lists of them, which always serialise.
pub(super) fn json(view: &impl Serialize) -> String {
    serde_json::to_string(view).unwrap_or_default()
}

/// Returns the line of an event as a part of a view, byte for byte as the sinks get it.
///
/// # Errors
/// The line is not JSON: the journal is damaged.
pub(super) fn raw(event: &Event) -> Result<&RawValue, Failure> {
    serde_json::from_str(event.line()).map_err(|error| Failure::Damaged(event.id(), error))
}

/// Returns the lines of these events, without the ones that are not JSON: a damaged line must not hide all others.
pub(super) fn raws<'e>(events: impl IntoIterator<Item = &'e Event>) -> Vec<&'e RawValue> {
    let mut damaged = Vec::new();
    let lines = events.into_iter().filter_map(|event| raw(event).inspect_err(|_| damaged.push(event.id())).ok());
    let lines = lines.collect();
    if let Some(first) = damaged.first() {
        // One line of the log for each answer, however many lines of the journal are damaged.
        tracing::error!(events = damaged.len(), %first, "events in the journal are damaged: the API leaves them out");
    }
    lines
}

/// Returns an answer with this JSON. Clients must not keep it, unless a `Cache-Control` header is added.
pub(super) fn answer(json: String) -> Response<Body> {
    typed_answer(json, "application/json")
}

/// Returns the same with another media type.
pub(super) fn typed_answer(json: String, media_type: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(json));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::testing::event;

    #[test]
    fn damaged_line_hides_no_other_event() {
        let whole = event("push").build();
        let cut = &whole.line()[..whole.line().len() - 1];
        let damaged = Event::restore(whole.id(), whole.event_type(), whole.received_ms(), cut).unwrap();
        assert!(raw(&damaged).is_err());
        assert_eq!(raws([&whole, &damaged, &whole]).len(), 2);
    }
}
