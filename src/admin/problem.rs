//! The errors of the API, in the form of RFC 9457: `application/problem+json`.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

use crate::http::{CLOSE, ErrorBody, quoted, words};

/// An error. Its members quote nothing except the request, cut and escaped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Problem {
    /// The status of the answer.
    status: u16,
    /// The status in words.
    title: &'static str,
    /// The error in one word.
    #[schema(value_type = ProblemWord)]
    error: &'static str,
    /// What is wrong, and how to correct it.
    detail: String,
    /// The parameter or member that is wrong. Absent if the error is about none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    parameter: Option<String>,
    /// After how many seconds the client can try again; `None` if that would not help.
    #[serde(skip)]
    retry_after_secs: Option<u16>,
}

/// The words of all problems.
const ERRORS: [&str; 20] = [
    "malformed",
    "bad_parameter",
    "bad_body",
    "bad_configuration",
    "unauthorized",
    "host_not_allowed",
    "cross_site_not_allowed",
    "not_found",
    "method_not_allowed",
    "no_such_sink",
    "session_not_live",
    "too_many_replays",
    "timeout",
    "body_too_large",
    "media_type_not_supported",
    "internal",
    "busy",
    "unavailable",
    "too_expensive",
    "no_index",
];

/// One of [`ERRORS`], for the OpenAPI document.
struct ProblemWord;

impl ToSchema for ProblemWord {}

impl PartialSchema for ProblemWord {
    fn schema() -> RefOr<Schema> {
        words(ERRORS, "An error in one word.")
    }
}

/// After how many seconds a client can try again if livehook was busy.
const RETRY_AFTER_SECS: u16 = 10;

impl Problem {
    /// Makes a problem. `error` is its word, `detail` a sentence that helps to correct the request.
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

    /// The status of the answer.
    pub(super) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The error in one word.
    pub(super) fn word(&self) -> &'static str {
        self.error
    }

    /// The error in a sentence.
    pub(super) fn detail(&self) -> &str {
        &self.detail
    }

    /// 400: a parameter, or a member of the body, is wrong.
    pub(super) fn parameter(name: &str, rule: impl std::fmt::Display) -> Problem {
        let name = quoted(name);
        let problem = Problem::new(StatusCode::BAD_REQUEST, "bad_parameter", format!("`{name}`: {rule}"));
        Problem { parameter: Some(name), ..problem }
    }

    /// 404: it does not exist.
    pub(super) fn not_found(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// 503: the request needs the index, which is switched off.
    pub(super) fn no_index() -> Problem {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "no_index",
            "the index is switched off: set `index.enabled = true` and restart livehook",
        )
    }

    /// 503: no answer is possible now. The client can try again later.
    pub(super) fn unavailable(error: &'static str, detail: impl Into<String>) -> Problem {
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, error, detail);
        Problem { retry_after_secs: Some(RETRY_AFTER_SECS), ..problem }
    }

    /// 503: there are too many requests at once.
    pub(super) fn busy() -> Problem {
        Problem::unavailable("busy", "there are too many requests at once: try again later, and send fewer at once")
    }

    /// 503: the answer would take too long.
    pub(super) fn too_expensive() -> Problem {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too_expensive",
            "the answer takes too long to find: ask for less, with whole names in `stream`, a shorter time between `since` and `until`, or the default `sort`",
        )
    }

    /// 503: livehook is stopping.
    pub(super) fn stopping() -> Problem {
        Problem::unavailable("unavailable", "livehook is stopping: try again later")
    }

    /// 500: the journal or the index cannot be read. The cause goes to the log.
    pub(super) fn internal() -> Problem {
        Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "livehook could not read its data: see the log for the cause",
        )
    }
}

/// Paths below this one answer with problems, all others with an [`ErrorBody`].
pub(super) const API_PREFIX: &str = "/api/v1";

/// Returns the answer that refuses a request for `path`. With `close`, the connection ends after it.
pub(super) fn refusal_response(error: ErrorBody, path: &str, close: bool) -> Response<Body> {
    // `/api/v1x` only begins like the API.
    let is_api = path.strip_prefix(API_PREFIX).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if is_api { problem_response(error, close) } else { (close.then_some(CLOSE), error).into_response() }
}

/// Returns the same error as a problem, with the same headers.
pub(super) fn problem_response(error: ErrorBody, close: bool) -> Response<Body> {
    let (mut parts, body) = Problem::from(&error).into_response().into_parts();
    for (name, value) in (close.then_some(CLOSE), error).into_response().headers() {
        // Type and length of the body stay those of the problem.
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
        *response.status_mut() = self.status();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(secs) = self.retry_after_secs {
            response.headers_mut().insert(RETRY_AFTER, secs.into());
        }
        response
    }
}
