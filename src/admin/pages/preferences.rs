//! The language and the theme that a person chooses. They are kept in cookies.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use axum::http::header::SET_COOKIE;

use super::form::Form;
use super::language::{self, Language};
use super::state::Pages;
use super::theme::{self, Theme};
use crate::admin::cookies::set_cookie;
use crate::admin::html::see_other;

/// How long a choice is kept, in seconds.
const KEPT_SECS: u64 = 365 * 24 * 3600;

/// `POST /preferences`: keeps a choice, and goes back to the page.
pub(super) async fn change(State(_): State<Arc<Pages>>, form: Form) -> Response<Body> {
    let mut response = see_other(form.local_path("back"));
    let theme = form.value("theme").and_then(Theme::from_word);
    let language = form.value("language").and_then(Language::from_tag);
    let chosen = [(theme::COOKIE, theme.map(Theme::word)), (language::COOKIE, language.map(Language::tag))];
    for (name, value) in chosen {
        if let Some(value) = value
            && let Some(header) = set_cookie(name, value, KEPT_SECS, form.is_secure)
        {
            response.headers_mut().append(SET_COOKIE, header);
        }
    }
    response
}
