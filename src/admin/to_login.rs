//! Sends a browser without a login to the page where it can log in.

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::ACCEPT;
use axum::http::{Method, Response};
use maud::{DOCTYPE, html};

use super::html::{encoded, html_response, see_other};
use super::problem::API_PREFIX;

/// Whether a request is a browser's for a page.
pub(super) fn is_wanted(request: &Request) -> bool {
    let path = request.uri().path();
    let accepts_html = request.headers().get_all(ACCEPT).iter().any(|value| {
        // Programs send `*/*`, and get an error that they understand.
        value.to_str().is_ok_and(|value| value.contains("text/html"))
    });
    request.method() == Method::GET && accepts_html && path != "/metrics" && !path.starts_with(API_PREFIX)
}

/// Returns the answer to a browser without a login that wants a page.
pub(super) fn ask_to_log_in(request: &Request) -> Response<Body> {
    let next = request.uri().path_and_query().map_or("/", |path| path.as_str());
    // A browser that follows a link on another site does not send the cookie of its login. When this page sends it on, it does.
    let is_from_elsewhere =
        request.headers().get("sec-fetch-site").is_some_and(|site| site.as_bytes() == b"cross-site");
    let login = format!("/login?next={}", encoded(next));
    if !is_from_elsewhere {
        return see_other(&login);
    }
    html_response(html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="refresh" content={ "0; url=" (next) };
                title { "livehook" }
            }
            body { a href=(next) { "livehook" } }
        }
    })
}
