//! The answers of the callback endpoint: 200 for a stored event, and the status of each refusal.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Response, StatusCode};
use bytes::Bytes;

use crate::callback::Refusal;
use crate::http::ErrorBody;

/// `{"code":0}` with 200: the event is durable.
pub(super) fn stored() -> Response<Body> {
    let mut response = Response::new(Body::from(Bytes::from_static(br#"{"code":0}"#)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

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
            assert_eq!(super::refusal(&refusal).status(), status, "{refusal:?}");
        }
    }
}
