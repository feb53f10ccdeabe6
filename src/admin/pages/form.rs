//! Forms that the pages send. Only a page of this very site can send one.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::header::{CONTENT_TYPE, HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Response};
use tokio::time::timeout;

use super::error_page::Refusal;
use super::state::Pages;
use super::view::View;
use crate::admin::html::is_local;
use crate::admin::logins::Login;

/// How large a form can be.
const BYTES_MAX: usize = 16 * 1024;

/// How long a browser may take to send a form.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// The fields of a form.
pub(super) struct Form {
    fields: Vec<(String, String)>,
    /// Whether the browser reached the page by HTTPS.
    pub(super) is_secure: bool,
}

impl Form {
    /// Returns the value of a field; `None` if the form has none.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// Returns a field that is the address of a page here, or `/`. An address elsewhere would lead people away.
    pub(super) fn local_path(&self, name: &str) -> &str {
        self.value(name).filter(|path| is_local(path)).unwrap_or("/")
    }

    /// Checks that a browser that is logged in got the form from a page here.
    ///
    /// # Errors
    /// The refusal to answer with.
    pub(super) fn check_login(&self, view: &View) -> Result<(), Refusal> {
        let is_own = |login: &Login| login.accepts_form(self.value("form_token").unwrap_or_default());
        if view.login.as_ref().is_some_and(is_own) { Ok(()) } else { Err(Refusal::NoLogin) }
    }
}

impl FromRequest<Arc<Pages>> for Form {
    type Rejection = Response<Body>;

    async fn from_request(request: Request, pages: &Arc<Pages>) -> Result<Form, Response<Body>> {
        let (parts, body) = request.into_parts();
        let Some(origin) = own_origin(&parts.headers) else {
            let view = View::of(&parts, pages);
            return Err(Refusal::ForeignForm.page(&view));
        };
        let is_form = parts
            .headers
            .get(CONTENT_TYPE)
            .is_some_and(|media_type| media_type.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
        let reading = timeout(BODY_TIMEOUT, axum::body::to_bytes(body, BYTES_MAX));
        let bytes = if is_form { reading.await.ok().and_then(Result::ok) } else { None };
        let Some(bytes) = bytes else {
            let view = View::of(&parts, pages);
            return Err(Refusal::UnreadableForm.page(&view));
        };
        let fields = form_urlencoded::parse(&bytes).into_owned().collect();
        Ok(Form { fields, is_secure: origin.starts_with("https:") })
    }
}

/// Returns the origin of a form; `None` unless it is this site. Every browser names the origin of a form.
fn own_origin(headers: &HeaderMap) -> Option<&str> {
    let origin = headers.get(ORIGIN)?.to_str().ok()?;
    let host: Authority = headers.get(HOST)?.to_str().ok()?.parse().ok()?;
    let (scheme, authority) = origin.split_once("://")?;
    let authority: Authority = authority.parse().ok()?;
    let default_port = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    let port = |authority: &Authority| authority.port_u16().unwrap_or(default_port);
    let is_same = authority.host().eq_ignore_ascii_case(host.host()) && port(&authority) == port(&host);
    is_same.then_some(origin)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn origin_must_be_this_site() {
        let own = |origin: &str, host: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(ORIGIN, HeaderValue::try_from(origin).unwrap());
            headers.insert(HOST, HeaderValue::try_from(host).unwrap());
            own_origin(&headers).is_some()
        };
        assert!(own("http://localhost:9090", "localhost:9090"));
        assert!(own("https://ops.example.com", "OPS.example.com:443"));
        assert!(own("http://[::1]:9090", "[::1]:9090"));
        for origin in [
            "null",
            "http://localhost",
            "http://localhost:9091",
            "http://evil.example",
            "file://localhost:9090",
            "http://localhost:9090.evil.example",
        ] {
            assert!(!own(origin, "localhost:9090"), "{origin}");
        }
        assert!(own_origin(&HeaderMap::new()).is_none());
    }
}
