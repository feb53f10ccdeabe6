//! The answer to a request for a page: the page, or why there is none.

use axum::body::Body;
use axum::http::Response;

use super::error_page::problem_page;
use super::layout::{Content, Tab, document};
use super::view::View;
use crate::admin::problem::Problem;

/// Returns a page, or the page about the problem that there is instead.
pub(super) fn page(view: &View, tab: Tab, content: Result<Content, Problem>) -> Response<Body> {
    match content {
        Ok(content) => document(view, tab, content),
        Err(problem) => problem_page(view, &problem),
    }
}
