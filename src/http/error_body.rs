//! The JSON body of every answer that is not 200, on both listeners.
//!
//! The message is for the sender of the request. It quotes nothing of the request except its path, cut and escaped.

use std::borrow::Cow;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

/// How many characters of a path an answer or a log line quotes.
const QUOTED_CHARACTERS_MAX: usize = 128;

/// The header that ends the connection after an answer. An answer needs it if some of the request's body stays unread.
pub(crate) const CLOSE: Header = [("connection", "close")];

/// A response header: its name and its value.
type Header = [(&'static str, &'static str); 1];

/// Why a request outside of the API was not answered with 200.
///
/// For example `{"code":404,"error":"not_found","message":"there is nothing at `/x`: check the path of the URL"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ErrorBody {
    /// The status of the answer.
    #[serde(rename = "code", serialize_with = "status_code")]
    #[schema(value_type = u16)]
    status: StatusCode,
    /// The error in one word.
    #[serde(rename = "error")]
    word: &'static str,
    /// The error in a sentence, with a way to correct it.
    #[schema(value_type = String)]
    message: Cow<'static, str>,
    /// A header that belongs to this answer, for example `Allow: POST`.
    #[serde(skip)]
    header: Option<&'static Header>,
}

impl ErrorBody {
    pub(crate) const DISK_FULL: ErrorBody = ErrorBody::new_static(
        StatusCode::SERVICE_UNAVAILABLE,
        "unavailable",
        "nothing can be stored now, because the disk is full: send the request again later",
    )
    .with_header(&[("retry-after", "10")]);
    pub(super) const HEAD_TOO_SLOW: ErrorBody = ErrorBody::new_static(
        StatusCode::REQUEST_TIMEOUT,
        "timeout",
        "the head of the request took too long to arrive",
    );
    pub(super) const HEADERS_TOO_LARGE: ErrorBody = ErrorBody::new_static(
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        "headers_too_large",
        "the head of the request is larger than this server accepts, or has more than 100 headers",
    );
    pub(super) const NOT_HTTP: ErrorBody =
        ErrorBody::new_static(StatusCode::BAD_REQUEST, "malformed", "the request is not valid HTTP/1.1");

    pub(super) const NOT_TLS: ErrorBody = ErrorBody::new_static(
        StatusCode::BAD_REQUEST,
        "malformed",
        "this port speaks HTTPS, and the client sent something else: write https:// in the URL",
    );
    pub(super) const TLS_TO_HTTP: ErrorBody = ErrorBody::new_static(
        StatusCode::BAD_REQUEST,
        "malformed",
        "the client speaks TLS, and this port does not: write http:// in the URL, set the key `tls` of this port, or send \
         HTTPS to the proxy",
    );

    /// An answer with a fixed message.
    pub(crate) const fn new_static(status: StatusCode, word: &'static str, message: &'static str) -> ErrorBody {
        ErrorBody { status, word, message: Cow::Borrowed(message), header: None }
    }

    /// An answer whose message is made for one request.
    pub(crate) fn new(status: StatusCode, word: &'static str, message: String) -> ErrorBody {
        ErrorBody { status, word, message: Cow::Owned(message), header: None }
    }

    /// 405. The router, or `with_header`, adds `Allow`.
    pub(crate) const fn method_not_allowed(message: &'static str) -> ErrorBody {
        ErrorBody::new_static(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
    }

    /// The same answer with a header, for example `&[("allow", "POST")]`.
    pub(crate) const fn with_header(mut self, header: &'static Header) -> ErrorBody {
        self.header = Some(header);
        self
    }

    /// 404: no route has this path.
    pub(crate) fn not_found(path: &str) -> ErrorBody {
        let message = match quoted(path) {
            // A CONNECT, which is meant for a proxy, has no path.
            path if path.is_empty() => "the request names no path: send it to the URL of this server".to_owned(),
            path => format!("there is nothing at `{path}`: check the path of the URL"),
        };
        ErrorBody::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn word(&self) -> &'static str {
        self.word
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Returns the whole answer as HTTP/1.1, for a connection whose next request could not be read. The answer ends the
    /// connection. `now_ms` is the current time in Unix ms.
    pub(super) fn to_bytes(&self, now_ms: i64) -> Vec<u8> {
        let body = self.json();
        // A date before the year 0 or after 9999 cannot be written, and is then left out.
        let date = Timestamp::from_millisecond(now_ms)
            .and_then(|now| DateTimePrinter::new().timestamp_to_rfc9110_string(&now));
        let date = date.map(|date| format!("date: {date}\r\n")).unwrap_or_default();
        let mut bytes = format!(
            "HTTP/1.1 {}\r\n{date}content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            self.status,
            body.len()
        )
        .into_bytes();
        bytes.extend_from_slice(&body);
        bytes
    }

    fn json(&self) -> Vec<u8> {
        // A struct of a number and two strings always serializes.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl IntoResponse for ErrorBody {
    fn into_response(self) -> Response {
        (self.status, self.header.copied(), Json(self)).into_response()
    }
}

fn status_code<S: Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

/// The OpenAPI schema of a string that is one of `words`.
pub(crate) fn words(words: impl IntoIterator<Item = &'static str>, description: &str) -> RefOr<Schema> {
    let schema = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words));
    schema.description(Some(description)).into()
}

/// Untrusted text, cut after 128 characters and escaped to visible ASCII.
pub(crate) fn quoted(text: &str) -> String {
    // A terminal obeys control characters, and bidirectional ones reorder a line, so none is quoted as it is.
    let mut quoted: String = text.chars().take(QUOTED_CHARACTERS_MAX).flat_map(char::escape_default).collect();
    if text.chars().nth(QUOTED_CHARACTERS_MAX).is_some() {
        quoted.push_str("...");
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn body_has_three_members() {
        assert_eq!(
            String::from_utf8(ErrorBody::HEAD_TOO_SLOW.json()).unwrap(),
            r#"{"code":408,"error":"timeout","message":"the head of the request took too long to arrive"}"#
        );
    }

    #[test]
    fn quoted_text_is_short_and_harmless() {
        assert_eq!(quoted("/a\r\nb\u{1b}[0m\u{202e}\"\\"), r#"/a\r\nb\u{1b}[0m\u{202e}\"\\"#);
        assert_eq!(quoted(&"x".repeat(10_000)), "x".repeat(128) + "...");
    }
}
