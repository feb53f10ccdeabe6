//! What a request to the admin endpoint must have: the token, the right host, and the form of what changes something.
//!
//! Each is a question about one request. Who is asked what, the admin endpoint decides.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Version};

use super::Token;
use crate::http::ErrorBody;

/// Whether a request may change something.
pub(super) fn may_change(request: &Request, token: Option<&Token>) -> Result<(), ErrorBody> {
    if token.is_none() {
        return Err(ErrorBody::NO_TOKEN);
    }
    if !bears_token(request.headers(), token) {
        return Err(ErrorBody::UNAUTHORIZED);
    }
    let media_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case("application/json") { Ok(()) } else { Err(ErrorBody::JSON_REQUIRED) }
}

/// Whether a request has the token; no request has one that is not configured.
pub(super) fn bears_token(headers: &HeaderMap, token: Option<&Token>) -> bool {
    let given = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes).and_then(|value| {
        let (scheme, given) = value.split_at_checked("Bearer ".len())?;
        scheme.eq_ignore_ascii_case(b"Bearer ").then(|| given.trim_ascii())
    });
    matches!((token, given), (Some(token), Some(given)) if token.matches(given))
}

/// Whether a page of another site has a browser ask. Who follows a link is let through: the page does not see what comes.
pub(super) fn is_cross_site(headers: &HeaderMap) -> bool {
    let is = |name, value| headers.get(name).is_some_and(|given| given.as_bytes() == value);
    is("sec-fetch-site", b"cross-site".as_slice()) && !is("sec-fetch-mode", b"navigate".as_slice())
}

/// Whether the request says once for which host it is, as HTTP/1.1 demands.
pub(super) fn has_one_host(request: &Request) -> bool {
    let hosts = request.headers().get_all(HOST).iter().count();
    hosts == 1 || (hosts == 0 && request.version() < Version::HTTP_11)
}

/// Whether the request names a host that only this machine, or whoever configured it, could mean. Any port will do.
pub(super) fn host_is_allowed(request: &Request, allowed_hosts: &[String]) -> bool {
    // A target in absolute form goes before the Host header, so both must do.
    if request.uri().authority().is_some_and(|authority| !is_allowed(authority, allowed_hosts)) {
        return false;
    }
    // HTTP/1.0 clients may leave it out; a browser never does.
    let Some(host) = request.headers().get(HOST) else { return true };
    let authority = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok());
    authority.is_some_and(|authority| is_allowed(&authority, allowed_hosts))
}

fn is_allowed(authority: &Authority, allowed_hosts: &[String]) -> bool {
    if authority.as_str().contains('@') {
        return false;
    }
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    // A dot at the end says that the name is whole.
    let name = name.strip_suffix('.').unwrap_or(name);
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
        || allowed_hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(name))
}
