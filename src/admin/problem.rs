//! What is wrong with a request, as RFC 9457 has it: `application/problem+json`.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

use crate::http::{CLOSE, ErrorBody, quoted, words};

/// A problem. Its members are for the client, and quote nothing but what the client sent, cut and escaped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Problem {
    /// The status once more.
    status: u16,
    /// The status in words.
    title: &'static str,
    /// The kind of problem in one word.
    #[schema(value_type = ProblemWord)]
    error: &'static str,
    /// What is wrong and what would be right.
    detail: String,
    /// The parameter that it is about. Left out where it is about none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    parameter: Option<String>,
    /// After how many seconds the client may try again, if that is of use.
    #[serde(skip)]
    retry_after_secs: Option<u16>,
}

/// The words under `error` of every problem.
const ERRORS: [&str; 17] = [
    "malformed",
    "bad_parameter",
    "bad_body",
    "unauthorized",
    "host_not_allowed",
    "cross_site_not_allowed",
    "not_found",
    "method_not_allowed",
    "no_such_sink",
    "too_many_replays",
    "body_too_large",
    "media_type_not_supported",
    "internal",
    "busy",
    "unavailable",
    "too_expensive",
    "no_index",
];

/// One of [`ERRORS`], as the description of the API tells it.
struct ProblemWord;

impl ToSchema for ProblemWord {}

impl PartialSchema for ProblemWord {
    fn schema() -> RefOr<Schema> {
        words(ERRORS, "The kind of a problem in one word.")
    }
}

/// After how many seconds a client may try again that came at a bad time.
const RETRY_AFTER_SECS: u16 = 10;

impl Problem {
    /// A problem of a status; `error` is its word, `detail` a sentence that helps.
    pub(super) fn new(status: StatusCode, error: &'static str, detail: impl Into<String>) -> Problem {
        let title = status.canonical_reason().unwrap_or_default();
        Problem {
            status: status.as_u16(),
            title,
            error,
            detail: detail.into(),
            parameter: None,
            retry_after_secs: None,
        }
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

    /// It cannot be answered now, but in a while.
    pub(super) fn unavailable(error: &'static str, detail: impl Into<String>) -> Problem {
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, error, detail);
        Problem { retry_after_secs: Some(RETRY_AFTER_SECS), ..problem }
    }

    /// Others ask too much at once.
    pub(super) fn busy() -> Problem {
        Problem::unavailable("busy", "too many questions are asked at once: try again in a while, and ask less at once")
    }

    /// The answer would take too long.
    pub(super) fn too_expensive() -> Problem {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too_expensive",
            "the answer takes too long to find: ask for less, by full names for `stream`, a shorter time between `since` and `until`, or the default of `sort`",
        )
    }

    /// There will be no answer.
    pub(super) fn stopping() -> Problem {
        Problem::unavailable("unavailable", "livehook is stopping: try again in a while")
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

/// Paths below this one answer with problems, all others with an [`ErrorBody`].
pub(super) const API_PREFIX: &str = "/api/v1";

/// Returns the answer that refuses a request for `path`. With `close`, the connection ends after it.
pub(super) fn refusal_response(error: ErrorBody, path: &str, close: bool) -> Response<Body> {
    let is_api = path.strip_prefix(API_PREFIX).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if is_api { problem_response(error, close) } else { (close.then_some(CLOSE), error).into_response() }
}

/// Returns the same error as a problem, with the same headers.
pub(super) fn problem_response(error: ErrorBody, close: bool) -> Response<Body> {
    let (mut parts, body) = Problem::from(&error).into_response().into_parts();
    for (name, value) in (close.then_some(CLOSE), error).into_response().headers() {
        parts.headers.entry(name).or_insert(value.clone());
    }
    Response::from_parts(parts, body)
}

impl From<&ErrorBody> for Problem {
    fn from(error: &ErrorBody) -> Problem {
        Problem::new(error.status(), error.word(), error.message())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::from(serde_json::to_vec(&self).unwrap_or_default()));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(secs) = self.retry_after_secs {
            response.headers_mut().insert(RETRY_AFTER, secs.into());
        }
        response
    }
}
