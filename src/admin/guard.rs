//! Which requests the admin endpoint answers: by the Host header, the token, and the form of a request that changes something.
//!
//! [`check`] runs before every route, [`check_change`] at the routes that change something.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use axum::body::{Body, HttpBody};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HOST, X_CONTENT_TYPE_OPTIONS};
use axum::http::uri::Authority;
use axum::http::{Extensions, HeaderMap, HeaderValue, Response, StatusCode, Version};
use axum::middleware::Next;

use super::access::{Access, SharedAccess};
use super::logins::Logins;
use super::problem::{problem_response, refusal_response};
use super::to_login::{ask_to_log_in, is_wanted};
use crate::http::{ErrorBody, LogLimit};

const WRONG_TOKEN: ErrorBody = unauthorized("send the admin token as `Authorization: Bearer <token>`");

const NO_TOKEN: ErrorBody = unauthorized(
    "this request changes something and needs the admin token, but none is configured: set `admin.token` or `admin.token_file` and reload the configuration, or set LIVEHOOK_ADMIN_TOKEN and restart livehook",
);

const JSON_REQUIRED: ErrorBody = ErrorBody::new_static(
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    "media_type_not_supported",
    "send the request with `Content-Type: application/json`",
);

const HOST_NOT_ALLOWED: ErrorBody = ErrorBody::new_static(
    StatusCode::FORBIDDEN,
    "host_not_allowed",
    "the Host header names neither localhost nor a loopback address: use one of them, or add the name to `admin.allowed_hosts`",
);

const NOT_ONE_HOST: ErrorBody = ErrorBody::new_static(
    StatusCode::BAD_REQUEST,
    "malformed",
    "the request has no Host header, or more than one: send exactly one",
);

const CROSS_SITE: ErrorBody = ErrorBody::new_static(
    StatusCode::FORBIDDEN,
    "cross_site_not_allowed",
    "a web page of another site sent this request (Sec-Fetch-Site: cross-site): open the URL itself, or send the request from a program",
);

const fn unauthorized(message: &'static str) -> ErrorBody {
    // RFC 9110 wants every 401 to name the scheme that the server accepts.
    ErrorBody::new_static(StatusCode::UNAUTHORIZED, "unauthorized", message)
        .with_header(&[("www-authenticate", "Bearer")])
}

/// Whether a request may see every detail. [`check`] adds it to each request.
#[derive(Clone, Copy, Debug)]
pub(super) struct IsTrusted(pub(super) bool);

/// The checks of one listener.
pub(super) struct Guard {
    is_loopback: bool,
    access: SharedAccess,
    logins: Arc<Logins>,
    log_limit: LogLimit,
}

impl Guard {
    /// Makes the checks of a listener that is bound to `local`.
    ///
    /// On a loopback address the Host header must name the loopback: otherwise a web page in a browser of this machine could
    /// read here, by a name that its site has pointed at the loopback (DNS rebinding). On any other address every path but
    /// `/livez` and `/readyz` needs the token, and is closed while no token is configured.
    pub(super) fn new(access: SharedAccess, local: SocketAddr, logins: Arc<Logins>) -> Guard {
        Guard {
            // A socket for both IP versions shows IPv4 addresses as `::ffff:127.0.0.1`.
            is_loopback: local.ip().to_canonical().is_loopback(),
            access,
            logins,
            log_limit: LogLimit::default(),
        }
    }

    /// Returns why a request is refused, before any route sees it.
    fn reason_to_refuse(&self, access: &Access, request: &Request, is_trusted: bool) -> Option<ErrorBody> {
        let is_open = is_open(request.uri().path());
        if !has_one_host(request) {
            Some(NOT_ONE_HOST)
        } else if is_cross_site(request.headers()) {
            Some(CROSS_SITE)
        } else if self.is_loopback && !host_is_allowed(request, &access.allowed_hosts) {
            Some(HOST_NOT_ALLOWED)
        } else if !is_open && !is_trusted {
            Some(WRONG_TOKEN)
        } else {
            None
        }
    }

    /// Returns why a request may not change anything.
    fn reason_to_refuse_change(&self, request: &Request) -> Option<ErrorBody> {
        let access = self.access.load();
        if access.token.is_none() {
            return Some(NO_TOKEN);
        }
        if !accepts_token(&access, request.headers()) {
            return Some(WRONG_TOKEN);
        }
        // No form of a web page can send this media type.
        let media_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        // A `charset` may follow.
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        if media_type.eq_ignore_ascii_case("application/json") { None } else { Some(JSON_REQUIRED) }
    }

    /// Logs a refused request, at a bounded rate. The line quotes nothing that the sender wrote.
    fn log(&self, request: &Request, answer: &ErrorBody) {
        let error = answer.word();
        let Some(suppressed) = self.log_limit.admit(error, Instant::now()) else { return };
        let client = peer_address(request.extensions());
        tracing::warn!(%client, error, suppressed, "a request to the admin endpoint was refused: {}", answer.message());
    }
}

/// Whether a request has the configured token. False if none is configured.
fn accepts_token(access: &Access, headers: &HeaderMap) -> bool {
    let given = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes).and_then(|value| {
        let (scheme, given) = value.split_at_checked("Bearer ".len())?;
        // Clients may write the name of a scheme in any case (RFC 9110).
        scheme.eq_ignore_ascii_case(b"Bearer ").then(|| given.trim_ascii())
    });
    matches!((&access.token, given), (Some(token), Some(given)) if token.matches(given))
}

/// Lets a request through to the routes, or refuses it.
pub(super) async fn check(State(guard): State<Arc<Guard>>, mut request: Request, next: Next) -> Response<Body> {
    let (access, headers) = (guard.access.load_full(), request.headers());
    let is_trusted = guard.is_loopback || accepts_token(&access, headers) || guard.logins.of(headers).is_some();
    request.extensions_mut().insert(IsTrusted(is_trusted));
    let reason = guard.reason_to_refuse(&access, &request, is_trusted);
    drop(access);
    let must_log_in = reason.as_ref() == Some(&WRONG_TOKEN) && is_wanted(&request);
    match &reason {
        // Someone who has not logged in yet isn't an attacker.
        Some(_) if must_log_in => {}
        Some(answer) => guard.log(&request, answer),
        // `/readyz` answers a wrong token with less detail. Without this line such guesses would leave no trace.
        None if !is_trusted && request.headers().contains_key(AUTHORIZATION) => guard.log(&request, &WRONG_TOKEN),
        None => {}
    }
    let mut response = match reason {
        Some(_) if must_log_in => ask_to_log_in(&request),
        Some(answer) => refusal_response(answer, request.uri().path(), !request.body().is_end_stream()),
        None => next.run(request).await,
    };
    // Answers hold names that anybody can choose: a browser must not guess that they are a page or a script.
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Answers show the state of this moment. A handler whose answer can be kept has set the header itself.
    response.headers_mut().entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Lets a request through that may change something, or refuses it. It runs after the router has found path and method, so
/// that a wrong method is answered with 405 also without the token.
pub(super) async fn check_change(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response<Body> {
    match guard.reason_to_refuse_change(&request) {
        None => next.run(request).await,
        Some(answer) => {
            guard.log(&request, &answer);
            problem_response(answer, !request.body().is_end_stream())
        }
    }
}

/// Returns the address at the other end of a request's connection. Only tests have none.
pub(super) fn peer_address(extensions: &Extensions) -> IpAddr {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>();
    peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(peer)| peer.ip().to_canonical())
}

/// Whether a path needs no token. Load balancers and orchestrators probe the first two, and the others let a person log in.
fn is_open(path: &str) -> bool {
    matches!(path, "/livez" | "/readyz" | "/login" | "/preferences") || path.starts_with("/assets/")
}

/// Whether a web page of another site made a browser send the request. A link that a person follows is let through, because
/// that page cannot read the answer.
fn is_cross_site(headers: &HeaderMap) -> bool {
    let is = |name, value| headers.get(name).is_some_and(|given| given.as_bytes() == value);
    is("sec-fetch-site", b"cross-site".as_slice()) && !is("sec-fetch-mode", b"navigate".as_slice())
}

/// Whether the request has exactly one Host header, as HTTP/1.1 demands. HTTP/1.0 may leave it out.
fn has_one_host(request: &Request) -> bool {
    let hosts = request.headers().get_all(HOST).iter().count();
    hosts == 1 || (hosts == 0 && request.version() < Version::HTTP_11)
}

/// Whether the request names a loopback host, or one of `allowed_hosts`, with any port.
fn host_is_allowed(request: &Request, allowed_hosts: &[String]) -> bool {
    // A target in absolute form overrides the Host header, so both are checked.
    if request.uri().authority().is_some_and(|authority| !is_allowed(authority, allowed_hosts)) {
        return false;
    }
    // HTTP/1.0 clients may leave it out; a browser never does.
    let Some(host) = request.headers().get(HOST) else { return true };
    let authority = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok());
    authority.is_some_and(|authority| is_allowed(&authority, allowed_hosts))
}

fn is_allowed(authority: &Authority, allowed_hosts: &[String]) -> bool {
    // A Host header has no user. `localhost@evil.example.com` is an attempt to look like another host.
    if authority.as_str().contains('@') {
        return false;
    }
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    // A name may end with the dot of the DNS root.
    let name = name.strip_suffix('.').unwrap_or(name);
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
        || allowed_hosts.iter().any(|allowed| allowed.strip_suffix('.').unwrap_or(allowed).eq_ignore_ascii_case(name))
}
