//! `error-codes`: what the vendor's codes of a stop mean.

use axum::body::Body;
use axum::extract::RawQuery;
use axum::http::Response;

use super::page::Page;
use super::parameters::Parameters;
use super::problem::Problem;
use super::{json, text_of};
use crate::callback::{Interruption, Reason};

/// Every code.
pub(super) async fn list(RawQuery(query): RawQuery) -> Result<Response<Body>, Problem> {
    Parameters::of(query.as_deref()).finish()?;
    let items: Vec<Reason> = Interruption::all().map(Reason::from).collect();
    Ok(json(text_of(&Page { items, next: None }), "application/json", Some("private, max-age=3600")))
}
