//! The JSON body of every answer but 200, and which status belongs to which word. The one place that knows both.
//!
//! Texts are for whoever sent the request: they help, and quote nothing of the request but a cut and escaped path.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::header::{ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Response, StatusCode};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};

/// How much of a path an answer or a log line quotes, in characters.
const QUOTED_CHARACTERS_MAX: usize = 128;

/// After how many seconds a sender may try again when the journal cannot take its event.
const RETRY_AFTER_SECS: HeaderValue = HeaderValue::from_static("10");

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// An answer that is not 200: `{"code":<status>,"error":"<word>","message":"<one sentence>"}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorBody {
    status: StatusCode,
    word: &'static str,
    message: Cow<'static, str>,
}

/// What is wrong with a request that is answered beside the API.
#[derive(Serialize, ToSchema)]
#[schema(as = ErrorBody)]
pub(crate) struct View {
    /// The status once more.
    code: u16,
    /// What is wrong in one word.
    error: &'static str,
    /// What is wrong and what would be right.
    #[schema(value_type = String)]
    message: Cow<'static, str>,
}

impl ErrorBody {
    pub(crate) const METHOD_NOT_ALLOWED: ErrorBody = ErrorBody::new_static(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "send a POST: nothing else is taken here",
    );
    pub(crate) const READ_ONLY: ErrorBody = ErrorBody::new_static(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "send a GET or HEAD: this can only be read",
    );
    pub(crate) const HEAD_TOO_SLOW: ErrorBody = ErrorBody::new_static(
        StatusCode::REQUEST_TIMEOUT,
        "timeout",
        "the head of the request took too long to arrive",
    );
    pub(crate) const BODY_TOO_SLOW: ErrorBody = ErrorBody::new_static(
        StatusCode::REQUEST_TIMEOUT,
        "timeout",
        "the body of the request took too long to arrive",
    );
    pub(crate) const LENGTH_REQUIRED: ErrorBody = ErrorBody::new_static(
        StatusCode::LENGTH_REQUIRED,
        "length_required",
        "the request tells no length of its body: send Content-Length, or Transfer-Encoding: chunked",
    );
    pub(crate) const ENCODING_NOT_SUPPORTED: ErrorBody = ErrorBody::new_static(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "encoding_not_supported",
        "the body is encoded: send it without Content-Encoding, and with no Transfer-Encoding but chunked",
    );
    pub(crate) const HEADERS_TOO_LARGE: ErrorBody = ErrorBody::new_static(
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        "headers_too_large",
        "the head of the request is larger than this server takes, or has more than 100 headers",
    );
    pub(crate) const NOT_HTTP: ErrorBody = ErrorBody::new_static(
        StatusCode::BAD_REQUEST,
        "malformed",
        "this is no HTTP/1.1 request, or not a well-formed one",
    );
    pub(crate) const BODY_BROKEN: ErrorBody = ErrorBody::new_static(
        StatusCode::BAD_REQUEST,
        "malformed",
        "the body of the request breaks off, or is not chunked as announced",
    );
    pub(crate) const UNAVAILABLE: ErrorBody = ErrorBody::new_static(
        StatusCode::SERVICE_UNAVAILABLE,
        "unavailable",
        "the event cannot be stored now: send the callback again later",
    );

    pub(crate) const fn new_static(status: StatusCode, word: &'static str, message: &'static str) -> ErrorBody {
        ErrorBody { status, word, message: Cow::Borrowed(message) }
    }

    /// An answer with a message made for it.
    pub(crate) fn new(status: StatusCode, word: &'static str, message: impl Into<Cow<'static, str>>) -> ErrorBody {
        ErrorBody { status, word, message: message.into() }
    }

    /// There is nothing at the path.
    pub(crate) fn not_found(path: &str) -> ErrorBody {
        let message = match quoted(path) {
            // As with CONNECT, which is for a proxy.
            path if path.is_empty() => "the request names no path: send it to the URL of this server".to_owned(),
            path => format!("there is nothing at `{path}`: check the path of the URL"),
        };
        ErrorBody { status: StatusCode::NOT_FOUND, word: "not_found", message: message.into() }
    }

    /// The body is larger than `bytes_max`.
    pub(crate) fn body_too_large(bytes_max: usize) -> ErrorBody {
        let message = format!("the body is larger than {bytes_max} bytes, the most that is taken here");
        ErrorBody { status: StatusCode::PAYLOAD_TOO_LARGE, word: "body_too_large", message: message.into() }
    }

    pub(crate) fn status_code(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn status(&self) -> u16 {
        self.status.as_u16()
    }

    pub(crate) fn word(&self) -> &'static str {
        self.word
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    fn body(&self) -> Vec<u8> {
        let view = View { code: self.status.as_u16(), error: self.word, message: self.message.clone() };
        // A struct of a number and two strings always serialises.
        serde_json::to_vec(&view).unwrap_or_default()
    }

    /// The answer for the router. With `close`, the connection ends after it: what is left of the request's body is
    /// then never read.
    pub(crate) fn into_response(self, close: bool) -> Response<Body> {
        let mut response = Response::new(Body::from(self.body()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, JSON);
        match self.status {
            StatusCode::METHOD_NOT_ALLOWED if self == ErrorBody::READ_ONLY => {
                headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            }
            // Of another path, whoever knows the paths says it.
            StatusCode::METHOD_NOT_ALLOWED if self == ErrorBody::METHOD_NOT_ALLOWED => {
                headers.insert(ALLOW, HeaderValue::from_static("POST"));
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(RETRY_AFTER, RETRY_AFTER_SECS);
            }
            StatusCode::UNAUTHORIZED if self.word == "unauthorized" => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        if close {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    /// The whole answer as HTTP/1.1, for a connection on which no request could be read. It says that the connection
    /// ends.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let body = self.body();
        // A date before the year 0 or after 9999 cannot be written, and is then left out.
        let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&Timestamp::now());
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
}

/// One of some words, as the description of the API tells it.
pub(crate) fn words(words: impl IntoIterator<Item = &'static str>, description: &str) -> RefOr<Schema> {
    let words = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words));
    words.description(Some(description)).into()
}

/// Untrusted text, cut, and escaped to visible ASCII.
pub(crate) fn quoted(text: &str) -> String {
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
    fn the_body_has_its_three_members_in_order() {
        assert_eq!(
            String::from_utf8(ErrorBody::BODY_TOO_SLOW.body()).unwrap(),
            r#"{"code":408,"error":"timeout","message":"the body of the request took too long to arrive"}"#
        );
    }

    #[test]
    fn quoted_text_is_short_and_harmless() {
        assert_eq!(quoted("/a\r\nb\u{1b}[0m\u{202e}\"\\"), r#"/a\r\nb\u{1b}[0m\u{202e}\"\\"#);
        assert_eq!(quoted(&"x".repeat(10_000)), "x".repeat(128) + "...");
    }
}
