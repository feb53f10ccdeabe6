//! What is wrong with a request, as RFC 9457 has it: `application/problem+json`.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

/// A problem. Its members are for the client, and quote nothing but what the client sent, cut and escaped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// The status once more.
    status: u16,
    /// The status in words.
    title: &'static str,
    /// The kind of problem in one word.
    error: &'static str,
    /// What is wrong and what would be right.
    detail: String,
    /// The parameter that it is about. Left out where it is about none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    parameter: Option<String>,
}

/// The most characters that a problem quotes of what was sent.
const QUOTED_CHARACTERS_MAX: usize = 128;

impl Problem {
    /// A problem of a status; `error` is its word, `detail` a sentence that helps.
    pub(crate) fn new(status: StatusCode, error: &'static str, detail: impl Into<String>) -> Problem {
        let title = status.canonical_reason().unwrap_or_default();
        Problem { status: status.as_u16(), title, error, detail: detail.into(), parameter: None }
    }

    /// A parameter is not as it must be.
    pub(super) fn parameter(name: &str, rule: impl std::fmt::Display) -> Problem {
        let name = quoted(name);
        let problem = Problem::new(StatusCode::BAD_REQUEST, "bad_parameter", format!("`{name}`: {rule}"));
        Problem { parameter: Some(name), ..problem }
    }

    /// There is nothing of that name.
    pub(super) fn not_found(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// There is no read model.
    pub(super) fn no_index() -> Problem {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "no_index",
            "the index is switched off: set `index.enabled = true` and restart livehook",
        )
    }

    /// Something of ours failed. The cause is for the log.
    pub(super) fn internal() -> Problem {
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "livehook could not read its data: see its log for the cause",
        )
    }
}

/// What was sent, fit for a message.
pub(super) fn quoted(text: &str) -> String {
    text.chars().take(QUOTED_CHARACTERS_MAX).flat_map(char::escape_debug).collect()
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::from(super::text_of(&self)));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }
}
