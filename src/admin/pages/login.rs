//! `/login` and `/logout`: a browser shows the admin token once, and gets a cookie for it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{RETRY_AFTER, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use maud::html;

use super::error_page::problem_page;
use super::form::Form;
use super::layout::{Content, Tab, document};
use super::state::Pages;
use super::view::View;
use crate::admin::cookies::set_cookie;
use crate::admin::html::{is_local, see_other};
use crate::admin::logins::{COOKIE, LOGIN_SECS};
use crate::admin::problem::Problem;

/// How long livehook waits before it answers a wrong token. It slows down guessing.
const WRONG_TOKEN_DELAY: Duration = Duration::from_secs(1);

/// `GET /login`.
pub(super) async fn show(State(_): State<Arc<Pages>>, view: View) -> Response<Body> {
    let next = view.parameter("next");
    login_page(&view, next.as_deref().unwrap_or("/"), None)
}

fn login_page(view: &View, next: &str, error: Option<&str>) -> Response<Body> {
    let next = if is_local(next) { next } else { "/" };
    let main = html! {
        section.notice.login {
            h1 { (view.text("log-in")) }
            @if !view.has_token {
                p { (view.text("login-no-token")) }
            } @else {
                p { (view.text("login-help")) }
                form method="post" action="/login" {
                    input type="hidden" name="next" value=(next);
                    label for="token" { (view.text("login-token")) }
                    input #token type="password" name="token" required autocomplete="current-password" autofocus
                        aria-invalid=[error.map(|_| "true")] aria-describedby=[error.map(|_| "login-error")];
                    @if let Some(error) = error { p #login-error.error role="alert" { (view.text(error)) } }
                    button { (view.text("log-in")) }
                }
            }
        }
    };
    document(view, Tab::None, Content { title: view.text("log-in").into_owned(), main })
}

/// `POST /login`.
pub(super) async fn log_in(State(pages): State<Arc<Pages>>, view: View, form: Form) -> Response<Body> {
    let given = form.value("token").unwrap_or_default().trim();
    if !pages.access.load().token.as_ref().is_some_and(|token| token.matches(given.as_bytes())) {
        return wrong_token(&pages, &view, &form).await;
    }
    let Some(value) = pages.logins.begin() else { return problem_page(&view, &Problem::internal()) };
    let mut response = see_other(form.local_path("next"));
    if let Some(header) = set_cookie(COOKIE, &value, LOGIN_SECS, form.is_secure) {
        response.headers_mut().append(SET_COOKIE, header);
    }
    response
}

async fn wrong_token(pages: &Pages, view: &View, form: &Form) -> Response<Body> {
    // A right token is never held up by wrong ones, so only they wait.
    let Ok(_waiting) = pages.wrong_tokens.try_acquire() else {
        let mut response = login_page(view, form.local_path("next"), Some("login-too-many"));
        *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        return response;
    };
    tracing::warn!(error = "unauthorized", "a login to the pages was refused: the token is wrong");
    tokio::time::sleep(WRONG_TOKEN_DELAY).await;
    let mut response = login_page(view, form.local_path("next"), Some("login-wrong"));
    *response.status_mut() = StatusCode::FORBIDDEN;
    response
}

/// `POST /logout`.
pub(super) async fn log_out(
    State(pages): State<Arc<Pages>>,
    view: View,
    headers: HeaderMap,
    form: Form,
) -> Response<Body> {
    if view.login.is_some()
        && let Err(refusal) = form.check_login(&view)
    {
        return refusal.page(&view);
    }
    pages.logins.end(&headers);
    let mut response = see_other("/");
    if let Some(header) = set_cookie(COOKIE, "", 0, form.is_secure) {
        response.headers_mut().append(SET_COOKIE, header);
    }
    response
}
