//! The answers of the callback endpoint: 200 for a stored event, and the status of each refusal.

use axum::Json;
use axum::http::StatusCode;
use serde::Serialize;

use crate::callback::Refusal;
use crate::http::ErrorBody;

pub(super) const METHOD_NOT_ALLOWED: ErrorBody = ErrorBody::new_static(
    StatusCode::METHOD_NOT_ALLOWED,
    "method_not_allowed",
    "send a POST: this path supports no other method",
)
.with_header(&[("allow", "POST")]);
pub(super) const HEALTH_IS_READ_ONLY: ErrorBody = ErrorBody::new_static(
    StatusCode::METHOD_NOT_ALLOWED,
    "method_not_allowed",
    "send a GET or HEAD: this path can only be read",
)
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

/// The body is larger than `bytes_max`.
pub(super) fn body_too_large(bytes_max: usize) -> ErrorBody {
    let message = format!("the body is larger than {bytes_max} bytes, the most that this path accepts");
    ErrorBody::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message)
}

/// The body of a 200: `{"code":0}`.
#[derive(Serialize)]
pub(super) struct Success {
    code: u8,
}

/// The answer to a callback whose event is durable.
pub(super) const STORED: Json<Success> = Json(Success { code: 0 });

/// Why a callback is refused.
pub(super) fn refusal(refusal: &Refusal) -> ErrorBody {
    let status = match refusal {
        Refusal::Malformed(_) => StatusCode::BAD_REQUEST,
        Refusal::SignatureMissing { .. }
        | Refusal::SignatureMismatch
        | Refusal::SignatureExpired { .. }
        | Refusal::SignatureTooFarAhead { .. } => StatusCode::UNAUTHORIZED,
        Refusal::AddressNotAllowed | Refusal::AppidNotAllowed | Refusal::DomainNotAllowed => StatusCode::FORBIDDEN,
    };
    ErrorBody::new(status, refusal.word(), refusal.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::EventType;

    #[test]
    fn every_refusal_has_the_status_of_the_contract() {
        for (refusal, status) in [
            (Refusal::SignatureMissing { event_type: EventType::Push }, 401),
            (Refusal::SignatureMismatch, 401),
            (Refusal::SignatureExpired { by_secs: 1 }, 401),
            (Refusal::SignatureTooFarAhead { ahead_secs: 1 }, 401),
            (Refusal::AddressNotAllowed, 403),
            (Refusal::AppidNotAllowed, 403),
            (Refusal::DomainNotAllowed, 403),
        ] {
            assert_eq!(super::refusal(&refusal).status().as_u16(), status, "{refusal:?}");
        }
    }
}
