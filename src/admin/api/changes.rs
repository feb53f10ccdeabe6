//! What the API changes: how it reads the body that says what.

use axum::body::Bytes;
use axum::extract::Path;
use axum::extract::rejection::{BytesRejection, PathRejection};
use axum::http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use super::parameters::{Parameters, check_span};
use crate::admin::problem::Problem;
use crate::http::quoted;
use crate::journal::JournalError;
use crate::moment;

/// The most that a body may hold, in bytes.
pub(super) const BODY_BYTES_MAX: usize = 256 * 1024;

/// The body of a request, or why it is none.
pub(super) type GivenBody = Result<Bytes, BytesRejection>;

/// Reads a body strictly: what is unknown in it is answered, not passed over. Parameters are unknown here.
pub(super) fn read<T: DeserializeOwned>(query: Option<&str>, body: GivenBody) -> Result<T, Problem> {
    parsed(&taken(query, body)?)
}

/// Reads a body that says nothing: none, or `{}`. Parameters are unknown here too.
pub(super) fn read_nothing(query: Option<&str>, body: GivenBody) -> Result<(), Problem> {
    let body = taken(query, body)?;
    if body.trim_ascii().is_empty() { Ok(()) } else { parsed::<Nothing>(&body).map(|Nothing {}| ()) }
}

/// What is said in a body that says nothing.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

fn taken(query: Option<&str>, body: GivenBody) -> Result<Bytes, Problem> {
    Parameters::of(query).finish()?;
    body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            format!("the body is larger than {BODY_BYTES_MAX} bytes: ask for less, more than once"),
        ),
        _ => bad_body("it breaks off"),
    })
}

fn parsed<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // What reads JSON would take a list too, and each value in it for the member at its place.
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(bad_body("it must be an object, such as {}"));
    }
    serde_json::from_slice(body).map_err(|error| bad_body(&quoted(&error.to_string())))
}

fn bad_body(why: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "bad_body", format!("the body is not as it must be: {why}"))
}

/// The moments that a body names `since` and `until`, as Unix ms: in the forms that the command line takes too, and with some
/// time between them.
pub(super) fn during(
    since: Option<&str>,
    until: Option<&str>,
    now_ms: i64,
) -> Result<(Option<i64>, Option<i64>), Problem> {
    let moment = |member: &str, text: Option<&str>| {
        text.map(|text| moment::parse(text, now_ms).map_err(|error| Problem::parameter(member, error))).transpose()
    };
    let (since_ms, until_ms) = (moment("since", since)?, moment("until", until)?);
    check_span(since_ms, until_ms)?;
    Ok((since_ms, until_ms))
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
    Problem::unavailable(
        "unavailable",
        "the journal cannot be changed now, or only a part of it was: see the log for the cause, and ask again",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(default, deny_unknown_fields)]
    #[derive(Default)]
    struct Given {
        all: bool,
    }

    #[test]
    fn a_body_is_an_object_and_no_list_of_what_would_stand_in_one() {
        let given = |body: &'static str| read::<Given>(None, Ok(Bytes::from_static(body.as_bytes())));
        assert!(given(" \n{\"all\": true}").unwrap().all);
        assert!(!given("{}").unwrap().all);
        for (body, said) in [
            ("[true]", "must be an object"),
            ("\t[]", "must be an object"),
            ("true", "must be an object"),
            ("", "must be an object"),
            (r#"{"all": true, "all": false}"#, "duplicate field `all`"),
            (r#"{"al": true}"#, "unknown field `al`"),
            ("{", "EOF"),
        ] {
            let told = serde_json::to_value(given(body).unwrap_err()).unwrap();
            assert_eq!((&told["status"], &told["error"]), (&400.into(), &"bad_body".into()), "{body}");
            assert!(told["detail"].as_str().unwrap().contains(said), "{body}: {told}");
        }
    }

    #[test]
    fn where_nothing_is_to_be_said_nothing_or_an_empty_object_is() {
        let given = |body: &'static str| read_nothing(None, Ok(Bytes::from_static(body.as_bytes())));
        for body in ["", " ", "{}", "\n{ }\n"] {
            assert_eq!(given(body), Ok(()), "{body:?}");
        }
        for body in ["[]", "null", "0", "{\"now\": true}", "{}{}", "now"] {
            assert!(given(body).is_err(), "{body}");
        }
    }
}
