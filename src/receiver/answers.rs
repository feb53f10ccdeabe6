//! The answers of the callback endpoint: 200 for a stored event, and an error for everything else.

use std::borrow::Cow;

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;

use super::refused_body::RefusedBody;
use crate::callback::{EventType, KnownType, Refusal, Signed};
use crate::http::ErrorBody;

/// Returns the answer to a callback whose event is durable: a 200 with `{"code":0}`.
pub(super) fn stored() -> Response {
    let mut response = Response::new(Body::from(Bytes::from_static(br#"{"code":0}"#)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Why a request was not answered with 200.
#[derive(Debug)]
pub(super) struct NotStored {
    pub(super) answer: ErrorBody,
    /// The end of the message in the log and in the list of refusals: the cause, and the setting that changes it. Both
    /// are for the operator. The sender may be an attacker, so the answer has neither.
    pub(super) hint: Cow<'static, str>,
    /// The type that the callback names, if it could be read.
    pub(super) event_type: Option<EventType>,
    /// Whether the connection ends after the answer, because some of the request is unread.
    pub(super) close: bool,
    /// The kept part of the body, if the body was read. It is in a box, so that the common result of a callback stays
    /// small.
    pub(super) body: Option<Box<RefusedBody>>,
}

impl From<ErrorBody> for NotStored {
    fn from(answer: ErrorBody) -> NotStored {
        NotStored { answer, hint: Cow::Borrowed(""), event_type: None, close: false, body: None }
    }
}

impl NotStored {
    /// The callback was refused.
    pub(super) fn refused(refusal: &Refusal, event_type: Option<EventType>) -> NotStored {
        let answer = ErrorBody::new(status_of(refusal), refusal.word(), refusal.to_string());
        NotStored { event_type, hint: hint_of(refusal), ..NotStored::from(answer) }
    }

    /// The event could not be stored, or there was no memory for the body.
    pub(super) fn unavailable(event_type: Option<EventType>, cause: impl std::fmt::Display) -> NotStored {
        NotStored { event_type, hint: format!("; {cause}").into(), ..NotStored::from(UNAVAILABLE) }
    }
}

/// Returns the end of the message for the operator: the setting that decides, if there is one.
fn hint_of(refusal: &Refusal) -> Cow<'static, str> {
    let hint = match refusal {
        Refusal::SignatureMissing { is_foreign_domain: true, .. } => {
            "; `receiver.unsigned_event_types` has its type, but no key in `receiver.keys` may sign for its domain"
        }
        Refusal::SignatureMissing { event_type, .. } => return Cow::Owned(unsigned_hint(*event_type)),
        Refusal::SignatureExpired { .. } => {
            "; if genuine callbacks come late, raise `receiver.leeway_secs`, and check the clock of this machine"
        }
        Refusal::SignatureTooFarAhead { .. } => "; `receiver.validity_secs_max` sets the limit",
        Refusal::AppidNotAllowed => "; it is not in `receiver.allowed_appids`",
        Refusal::DomainNotAllowed => "; it is not in `receiver.allowed_domains`",
        // The receiver checks addresses, so it knows the address for the hint.
        Refusal::AddressNotAllowed => "",
        Refusal::Malformed(_) | Refusal::SignatureMismatch => "",
    };
    Cow::Borrowed(hint)
}

/// Returns the hint about a callback without a signature. For a type that CSS signs, a setting would only let forgeries in.
fn unsigned_hint(event_type: EventType) -> String {
    match KnownType::of(event_type).map_or(Signed::Unclear, |known| known.signed) {
        Signed::Yes => {
            format!(
                "; CSS signs the type {event_type} if the callback template has a key, so it has none, or this is a forgery"
            )
        }
        Signed::No => {
            format!(
                "; CSS doesn't sign this type: add \"{event_type}\" to `receiver.unsigned_event_types` to accept it"
            )
        }
        Signed::Unclear => {
            format!(
                "; if CSS doesn't sign this type, add \"{event_type}\" to `receiver.unsigned_event_types` to accept it"
            )
        }
    }
}

/// The unfinished body made room for others.
pub(super) fn displaced() -> NotStored {
    let hint = "; the unfinished bodies of its address have reached a sixteenth of `receiver.bodies_bytes_max`, or all bodies have reached it, and this one was the largest";
    NotStored { hint: hint.into(), ..NotStored::from(DISPLACED) }
}

fn status_of(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::Malformed(_) => StatusCode::BAD_REQUEST,
        Refusal::SignatureMissing { .. }
        | Refusal::SignatureMismatch
        | Refusal::SignatureExpired { .. }
        | Refusal::SignatureTooFarAhead { .. } => StatusCode::UNAUTHORIZED,
        Refusal::AddressNotAllowed | Refusal::AppidNotAllowed | Refusal::DomainNotAllowed => StatusCode::FORBIDDEN,
    }
}

pub(super) const METHOD_NOT_ALLOWED: ErrorBody =
    ErrorBody::method_not_allowed("send a POST: this path supports no other method").with_header(&[("allow", "POST")]);
pub(super) const HEALTH_IS_READ_ONLY: ErrorBody =
    ErrorBody::method_not_allowed("send a GET or HEAD: this path can only be read")
        .with_header(&[("allow", "GET, HEAD")]);
pub(super) const LENGTH_REQUIRED: ErrorBody = ErrorBody::new_static(
    StatusCode::LENGTH_REQUIRED,
    "length_required",
    "the request does not give the length of its body: send Content-Length, or Transfer-Encoding: chunked",
);
pub(super) const ENCODING_NOT_SUPPORTED: ErrorBody = ErrorBody::new_static(
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    "encoding_not_supported",
    "the body is encoded: send it without Content-Encoding, and with no Transfer-Encoding except chunked",
);
pub(super) const BODY_TOO_SLOW: ErrorBody =
    ErrorBody::new_static(StatusCode::REQUEST_TIMEOUT, "timeout", "the body of the request took too long to arrive");
pub(super) const BODY_BROKEN: ErrorBody = ErrorBody::new_static(
    StatusCode::BAD_REQUEST,
    "malformed",
    "the body of the request ends early, or its chunks are malformed",
);
/// CSS sends the callback again after any answer that is not 200. The 10 seconds are for other senders.
pub(super) const UNAVAILABLE: ErrorBody = ErrorBody::new_static(
    StatusCode::SERVICE_UNAVAILABLE,
    "unavailable",
    "the event cannot be stored now: send the callback again later",
)
.with_header(&[("retry-after", "10")]);

/// The callback may be genuine, so it isn't refused: the sender tries again.
const DISPLACED: ErrorBody = ErrorBody::new_static(
    StatusCode::SERVICE_UNAVAILABLE,
    "displaced",
    "other requests need the memory of this unfinished body: send the callback again later",
)
.with_header(&[("retry-after", "10")]);

/// The body is larger than `bytes_max`.
pub(super) fn body_too_large(bytes_max: usize) -> ErrorBody {
    let message = format!("the body is larger than {bytes_max} bytes, the most that this path accepts");
    ErrorBody::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(event_type: EventType) -> Refusal {
        Refusal::SignatureMissing { event_type, is_foreign_domain: false }
    }

    #[test]
    fn refusal_has_its_status() {
        for (refusal, status) in [
            (missing(EventType::Push), 401),
            (Refusal::SignatureMismatch, 401),
            (Refusal::SignatureExpired { expired_by_secs: 1 }, 401),
            (Refusal::SignatureTooFarAhead { ahead_secs: 1 }, 401),
            (Refusal::AddressNotAllowed, 403),
            (Refusal::AppidNotAllowed, 403),
            (Refusal::DomainNotAllowed, 403),
        ] {
            assert_eq!(NotStored::refused(&refusal, None).answer.status(), status, "{refusal:?}");
        }
    }

    /// The sender may be an attacker, and only the operator can change a setting.
    #[test]
    fn settings_are_named_for_the_operator_only() {
        for (refusal, setting) in [
            (missing(EventType::Relay), "unsigned_event_types"),
            (Refusal::SignatureExpired { expired_by_secs: 1 }, "leeway_secs"),
            (Refusal::SignatureTooFarAhead { ahead_secs: 1 }, "validity_secs_max"),
            (Refusal::AppidNotAllowed, "allowed_appids"),
            (Refusal::DomainNotAllowed, "allowed_domains"),
        ] {
            let NotStored { answer, hint, .. } = NotStored::refused(&refusal, None);
            assert!(hint.contains(&format!("`receiver.{setting}")), "{refusal:?}: {hint}");
            let message = answer.message();
            assert!(!message.contains('_') && !message.contains("receiver"), "{refusal:?}: {message}");
        }
    }
    /// The advice must let in no forgery: CSS signs a push.
    #[test]
    fn unsigned_hint_fits_the_type() {
        let foreign = Refusal::SignatureMissing { event_type: EventType::Relay, is_foreign_domain: true };
        for (refusal, hint) in [
            (
                missing(EventType::Stop),
                "; CSS signs the type stop if the callback template has a key, so it has none, or this is a forgery",
            ),
            (
                missing(EventType::Relay),
                "; CSS doesn't sign this type: add \"relay\" to `receiver.unsigned_event_types` to accept it",
            ),
            (
                missing(EventType::Unknown(777)),
                "; if CSS doesn't sign this type, add \"event-777\" to `receiver.unsigned_event_types` to accept it",
            ),
            (
                foreign,
                "; `receiver.unsigned_event_types` has its type, but no key in `receiver.keys` may sign for its domain",
            ),
        ] {
            assert_eq!(NotStored::refused(&refusal, None).hint, hint, "{refusal:?}");
        }
    }
}
