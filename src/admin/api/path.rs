//! The parameter in the path of a URL.

use std::fmt::{self, Display};
use std::str::FromStr;

use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

use super::query::{parsed, refuse_parameters};
use crate::admin::problem::Problem;

/// The only parameter in the path of a route. The query must be empty.
#[derive(Debug)]
pub(super) struct PathParameter<T>(pub(super) T);

impl<T: FromStr<Err: Display>, S: Send + Sync> FromRequestParts<S> for PathParameter<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<PathParameter<T>, Problem> {
        refuse_parameters(&parts.uri)?;
        let Path(parameters) =
            Path::<Vec<(String, String)>>::from_request_parts(parts, state).await.map_err(problem)?;
        let (name, text) = parameters.into_iter().next().ok_or_else(Problem::internal)?;
        parsed(&text).map(PathParameter).map_err(|rule| Problem::parameter(&name, rule))
    }
}

fn problem(rejection: PathRejection) -> Problem {
    if let PathRejection::FailedToDeserializePathParams(error) = &rejection
        && let ErrorKind::InvalidUtf8InPathParam { key } = error.kind()
    {
        return Problem::parameter(key, "must be percent-encoded UTF-8");
    }
    // Everything else is a route whose path does not fit its handler.
    Problem::internal()
}

/// The number of a dead letter or a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number(pub(super) i64);

/// A text that is not a [`Number`].
#[derive(Debug, PartialEq, Eq)]
pub(super) struct InvalidNumber;

impl Display for InvalidNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("must be a whole number, as the list shows it")
    }
}

impl FromStr for Number {
    type Err = InvalidNumber;

    fn from_str(text: &str) -> Result<Number, InvalidNumber> {
        text.parse().map(Number).map_err(|_| InvalidNumber)
    }
}
