//! What the API changes: how it reads the body that says what, and which paths are for it.

use axum::body::Bytes;
use axum::extract::Path;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::http::{Method, StatusCode};
use serde::de::DeserializeOwned;

use super::PREFIX;
use super::parameters::Parameters;
use crate::journal::JournalError;
use crate::moment;
use crate::server::answer::quoted;
use crate::server::problem::Problem;

/// The most that a body may hold, in bytes.
pub(super) const BODY_BYTES_MAX: usize = 256 * 1024;

/// Whether a request is for something that changes what livehook does: it needs the token.
pub(crate) fn is_change(method: &Method, path: &str) -> bool {
    let Some(path) = path.strip_prefix(PREFIX) else { return false };
    match path {
        "/index/rebuild" | "/dead-letters/redrive" | "/dead-letters/drop" => true,
        "/replays" => method == Method::POST,
        _ => path.starts_with("/replays/") && path.ends_with("/cancel"),
    }
}

/// The body of a request, or why it is none.
pub(super) type GivenBody = Result<Bytes, BytesRejection>;

/// Reads a body strictly: what is unknown in it is answered, not passed over. Parameters are unknown here.
pub(super) fn read<T: DeserializeOwned>(query: Option<&str>, body: GivenBody) -> Result<T, Problem> {
    Parameters::of(query).finish()?;
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            format!("the body is larger than {BODY_BYTES_MAX} bytes: ask for less, more than once"),
        ),
        _ => Problem::new(StatusCode::BAD_REQUEST, "bad_body", "the body breaks off"),
    })?;
    serde_json::from_slice(&body).map_err(|error| {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "bad_body",
            format!("the body is not as it must be: {}", quoted(&error.to_string())),
        )
    })
}

/// A moment as Unix ms, in the forms that the command line takes too.
pub(super) fn moment(member: &str, text: Option<&str>, now_ms: i64) -> Result<Option<i64>, Problem> {
    text.map(|text| moment::parse(text, now_ms).map_err(|error| Problem::parameter(member, error))).transpose()
}

/// That two moments leave something between them.
pub(super) fn check_span(since_ms: Option<i64>, until_ms: Option<i64>) -> Result<(), Problem> {
    match (since_ms, until_ms) {
        (Some(since_ms), Some(until_ms)) if since_ms >= until_ms => {
            Err(Problem::parameter("until", "is not after `since`"))
        }
        _ => Ok(()),
    }
}

/// What stands in a path where a number should.
pub(super) type NumberInPath = Result<Path<String>, PathRejection>;

/// The number in a path.
pub(super) fn number(path: NumberInPath) -> Result<i64, Problem> {
    let number = path.ok().and_then(|Path(text)| text.parse().ok());
    number.ok_or_else(|| Problem::parameter("number", "must be a whole number, as the list shows it"))
}

/// The journal did not make the change.
pub(super) fn not_changed(error: JournalError) -> Problem {
    tracing::error!("a change that the API was asked for could not be made: {error}");
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "unavailable",
        "the journal cannot be changed now, or only a part of it was: see the log for the cause, and ask again",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_something_is_told_from_what_reads() {
        for (method, path, changes) in [
            ("POST", "/api/v1/index/rebuild", true),
            ("GET", "/api/v1/index/rebuild", true),
            ("POST", "/api/v1/dead-letters/redrive", true),
            ("POST", "/api/v1/dead-letters/drop", true),
            ("POST", "/api/v1/replays", true),
            ("GET", "/api/v1/replays", false),
            ("GET", "/api/v1/replays/7", false),
            ("POST", "/api/v1/replays/7/cancel", true),
            ("GET", "/api/v1/dead-letters", false),
            ("POST", "/api/v1/dead-letters", false),
            ("POST", "/metrics", false),
        ] {
            assert_eq!(is_change(&method.parse().unwrap(), path), changes, "{method} {path}");
        }
    }

    #[test]
    fn a_span_of_nothing_is_refused() {
        assert!(check_span(Some(1), Some(1)).is_err());
        assert!(check_span(Some(1), Some(2)).is_ok() && check_span(None, Some(0)).is_ok());
    }
}
