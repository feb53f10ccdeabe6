//! The body of a request that changes something, read strictly: an unknown member is refused.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use utoipa::ToSchema;

use super::parameters::not_empty;
use super::query::refuse_parameters;
use crate::admin::guard::peer_address;
use crate::admin::problem::Problem;
use crate::byte_order_mark::without_mark_bytes;
use crate::http::{BodyBudget, BodyError, CLOSE, quoted, read_body};
use crate::moment::{self, TimeRange};

/// How large a body can be.
pub(super) const BODY_BYTES_MAX: usize = 256 * 1024;

/// How much memory all bodies together can take.
const BODIES_BYTES_MAX: usize = 64 * BODY_BYTES_MAX;

/// How long a client may take to send a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// A body that is a JSON object. The query of the request must be empty.
#[derive(Debug)]
pub(super) struct JsonBody<T>(pub(super) T);

/// A body that is empty or `{}`. The query of the request must be empty.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct EmptyBody;

/// An object without members.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

impl<T: DeserializeOwned> JsonBody<T> {
    fn read(body: &[u8]) -> Result<JsonBody<T>, Problem> {
        let body = without_mark_bytes(body);
        // serde reads a struct from a list, too, member by member.
        if !body.trim_ascii_start().starts_with(b"{") {
            return Err(bad_body("it must be an object, such as {}"));
        }
        serde_json::from_slice(body).map(JsonBody).map_err(|error| bad_body(&quoted(&error.to_string())))
    }
}

impl EmptyBody {
    fn read(body: &[u8]) -> Result<EmptyBody, Problem> {
        if !without_mark_bytes(body).trim_ascii().is_empty() {
            JsonBody::<Nothing>::read(body)?;
        }
        Ok(EmptyBody)
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<JsonBody<T>, Problem> {
        JsonBody::read(&bytes(request, state).await?)
    }
}

impl<S: Send + Sync> FromRequest<S> for EmptyBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<EmptyBody, Problem> {
        EmptyBody::read(&bytes(request, state).await?)
    }
}

/// Returns the body of a request, whose query must be empty.
async fn bytes<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    refuse_parameters(request.uri())?;
    Bytes::from_request(request, state).await.map_err(|_| bad_body("it ends early"))
}

/// The memory for the bodies of the API.
pub(super) fn body_budget() -> Arc<BodyBudget> {
    Arc::new(BodyBudget::new(BODIES_BYTES_MAX, BODY_BYTES_MAX))
}

/// Reads the whole body of a request before it goes on, or refuses the request.
pub(super) async fn read_whole_body(State(budget): State<Arc<BodyBudget>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let sender = || peer_address(&parts.extensions).into();
    match read_body(body, sender, Instant::now() + BODY_TIMEOUT, &budget).await {
        // The share is kept until the answer.
        Ok((whole, _share)) => next.run(Request::from_parts(parts, Body::from(whole))).await,
        // The rest of the body is unread, so the connection cannot carry another request.
        Err(error) => (CLOSE, not_read(error)).into_response(),
    }
}

fn not_read(error: BodyError) -> Problem {
    match error {
        BodyError::TooLarge => Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            format!("the body is larger than {BODY_BYTES_MAX} bytes: split the request into several"),
        ),
        BodyError::TooSlow => Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "timeout",
            format!("the body took longer than {} seconds to arrive: send it at once", BODY_TIMEOUT.as_secs()),
        ),
        BodyError::Broken => bad_body("it ends early"),
        BodyError::Displaced | BodyError::NoMemory => Problem::busy(),
    }
}

fn bad_body(reason: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "bad_body", format!("the body cannot be read: {reason}"))
}

/// Returns the time between the members `since` and `until` of a body.
pub(super) fn time_range(since: Option<&str>, until: Option<&str>, now_ms: i64) -> Result<TimeRange, Problem> {
    let moment = |member: &str, text: Option<&str>| {
        text.map(|text| moment::parse(text, now_ms).map_err(|error| Problem::parameter(member, error))).transpose()
    };
    not_empty(TimeRange { since_ms: moment("since", since)?, until_ms: moment("until", until)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Given {
        all: bool,
    }

    #[test]
    fn body_is_an_object() {
        let read = |body: &str| JsonBody::<Given>::read(body.as_bytes()).map(|JsonBody(given)| given.all);
        assert_eq!((read(" \n{\"all\": true}"), read("\u{feff}{}")), (Ok(true), Ok(false)));
        for (body, expected) in [
            ("[true]", "must be an object"),
            ("\t[]", "must be an object"),
            ("true", "must be an object"),
            ("", "must be an object"),
            (r#"{"all": true, "all": false}"#, "duplicate field `all`"),
            (r#"{"al": true}"#, "unknown field `al`"),
            ("{", "EOF"),
        ] {
            let problem = serde_json::to_value(read(body).unwrap_err()).unwrap();
            assert_eq!((&problem["status"], &problem["error"]), (&400.into(), &"bad_body".into()), "{body}");
            assert!(problem["detail"].as_str().unwrap().contains(expected), "{body}: {problem}");
        }
    }

    #[test]
    fn empty_body_is_nothing_or_an_empty_object() {
        for body in ["", " ", "{}", "\n{ }\n"] {
            assert_eq!(EmptyBody::read(body.as_bytes()), Ok(EmptyBody), "{body:?}");
        }
        for body in ["[]", "null", "0", "{\"now\": true}", "{}{}", "now"] {
            assert!(EmptyBody::read(body.as_bytes()).is_err(), "{body}");
        }
    }
}
