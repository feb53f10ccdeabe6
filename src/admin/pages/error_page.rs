//! The page that explains an error: no page has the address, a query failed, or a form was refused.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{Response, StatusCode};
use maud::html;

use super::layout::{Content, Tab, document};
use super::state::Pages;
use super::view::View;
use crate::admin::problem::Problem;

/// Why a form is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Another site may have made the browser send it.
    ForeignForm,
    /// The body isn't a form, is too large, or ends early.
    UnreadableForm,
    /// The browser is not logged in, or the form is from before it logged in.
    NoLogin,
}

impl Refusal {
    /// Returns the page that says so.
    pub(super) fn page(self, view: &View) -> Response<Body> {
        let (status, word) = match self {
            Refusal::ForeignForm => (StatusCode::FORBIDDEN, "foreign-form"),
            Refusal::UnreadableForm => (StatusCode::BAD_REQUEST, "unreadable-form"),
            Refusal::NoLogin => (StatusCode::FORBIDDEN, "no-login"),
        };
        error_page(view, status, word, None)
    }
}

/// Returns the page about a problem of a query.
pub(super) fn problem_page(view: &View, problem: &Problem) -> Response<Body> {
    error_page(view, problem.status(), problem.word(), Some(problem.detail()))
}

/// Returns the page for an address that has none.
pub(in crate::admin) fn not_found(pages: &Pages, request: Request) -> Response<Body> {
    let view = View::of(&request.into_parts().0, pages);
    error_page(&view, StatusCode::NOT_FOUND, "not_found", None)
}

/// `word` chooses the texts. `detail` is shown in addition, in English.
fn error_page(view: &View, status: StatusCode, word: &str, detail: Option<&str>) -> Response<Body> {
    let word = word.replace('_', "-");
    let find = |part: &str| view.texts.find(&format!("problem-{word}{part}"), &[]);
    let title = find("").unwrap_or_else(|| view.text("problem-internal"));
    let main = html! {
        section.notice data-problem=(word) {
            p.status { (status.as_u16()) }
            h1 { (title) }
            @if let Some(help) = find("-help") { p { (help) } }
            // Each text of ours explains more than the detail, which is for programs.
            @else if let Some(detail) = detail { p { (detail) } }
            p { a.button href="/" { (view.text("to-now")) } }
        }
    };
    let mut response = document(view, Tab::None, Content { title: title.into_owned(), main });
    *response.status_mut() = status;
    response
}
