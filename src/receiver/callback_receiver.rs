//! The callback endpoint without its routes: checks a request, reads its body, and stores its event.
//!
//! It also counts and logs each outcome, and keeps refusals. Nothing here knows how events are stored or where they go.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Method};
use axum::response::{IntoResponse, Response};
use tokio::time::Instant;

use super::answers::{self, NotStored};
use super::outcomes;
use super::refused_body::RefusedBody;
use super::storing::store;
use super::{HourlyCounts, Options, RecentRefusals};
use crate::callback::{Callback, Event, EventId, EventType, Refusal, Verifier};
use crate::clock::Clock;
use crate::http::{
    AddressGroup, BodyBudget, BodyError, CLOSE, ClientAddress, LogLimit, LoggedEvent, Network, UrlPath, client_address,
    limit_secs, read_body,
};
use crate::journal::{Appended, Journal};
use crate::telemetry::{KeyUse, Metrics};

/// An option of the receiver that cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ReceiverError {
    /// Callbacks and load balancers have the same path.
    #[error("receiver.health_path: `{0}` is also receiver.path: choose another")]
    SamePath(UrlPath),
}

/// Turns requests into durable events. The handlers of all routes share it.
pub struct CallbackReceiver {
    pub(super) path: UrlPath,
    pub(super) health_path: Option<UrlPath>,
    allowed_addresses: Vec<Network>,
    trusted_proxies: Vec<Network>,
    client_address_header: HeaderName,
    body_bytes_max: usize,
    body_timeout: Duration,
    answer_timeout: Duration,
    bodies: Arc<BodyBudget>,
    verifier: Verifier,
    /// The metrics of each key of the verifier.
    keys: Vec<KeyUse>,
    journal: Arc<dyn Journal>,
    metrics: Arc<Metrics>,
    draining: Arc<AtomicBool>,
    clock: Clock,
    log_limit: LogLimit,
    recent_refusals: Arc<RecentRefusals>,
    hourly_counts: Arc<HourlyCounts>,
    /// Whether an answer carries the id of its event, for the access log.
    names_events: bool,
}

/// The head of a request, with its sender and the time of its arrival.
pub(super) struct Arrival {
    pub(super) parts: Parts,
    peer: SocketAddr,
    arrived: Instant,
}

impl Arrival {
    /// Splits a request that arrives now into its head and its body.
    pub(super) fn split(request: Request, peer: SocketAddr) -> (Arrival, Body) {
        let arrived = Instant::now();
        let (parts, body) = request.into_parts();
        (Arrival { parts, peer, arrived }, body)
    }
}

/// A callback whose event is durable.
pub(super) struct Stored {
    id: EventId,
    event_type: EventType,
    received_ms: i64,
    /// `stored` or `duplicate`.
    outcome: &'static str,
}

impl CallbackReceiver {
    /// Makes the receiver. While `draining` is true, the health path is answered with 503.
    ///
    /// # Errors
    /// The options cannot be used.
    pub fn new(
        options: &Options,
        verifier: Verifier,
        journal: Arc<dyn Journal>,
        metrics: Arc<Metrics>,
        draining: Arc<AtomicBool>,
        clock: Clock,
    ) -> Result<CallbackReceiver, ReceiverError> {
        // axum would panic at a second route with the same path.
        if !options.paths_differ() {
            return Err(ReceiverError::SamePath(options.path.clone()));
        }
        outcomes::expect(&metrics);
        Ok(CallbackReceiver {
            path: options.path.clone(),
            health_path: options.health_path.clone(),
            allowed_addresses: options.allowed_addresses.clone(),
            trusted_proxies: options.trusted_proxies.clone(),
            client_address_header: options.client_address_header.clone(),
            body_bytes_max: options.body_bytes_max,
            body_timeout: limit_secs(options.body_timeout_secs),
            answer_timeout: limit_secs(options.answer_timeout_secs),
            bodies: Arc::new(BodyBudget::new(options.bodies_bytes_max, options.body_bytes_max)),
            verifier,
            keys: Vec::new(),
            journal,
            metrics,
            draining,
            clock,
            log_limit: LogLimit::default(),
            recent_refusals: Arc::new(RecentRefusals::new(clock())),
            hourly_counts: Arc::new(HourlyCounts::new(clock())),
            names_events: false,
        })
    }

    /// Counts what each key verifies from now on. `fingerprints` has one for each key, in the order of the verifier.
    pub fn count_keys(&mut self, fingerprints: &[String]) {
        self.keys = fingerprints.iter().map(|key| self.metrics.keys().of(key)).collect();
    }

    /// The last refusals, for the admin endpoint.
    pub fn recent_refusals(&self) -> Arc<RecentRefusals> {
        Arc::clone(&self.recent_refusals)
    }

    /// The counts of callbacks by hour, for the admin endpoint.
    pub fn hourly_counts(&self) -> Arc<HourlyCounts> {
        Arc::clone(&self.hourly_counts)
    }

    /// The memory for bodies, for the admin endpoint.
    pub fn bodies(&self) -> Arc<BodyBudget> {
        Arc::clone(&self.bodies)
    }

    /// Adds the id of the event to each answer, for the access log.
    pub fn name_events(&mut self) {
        self.names_events = true;
    }

    /// Counts a request whose head could not be read. `word` is the error word of its answer. See
    /// [`crate::http::Hooks`].
    pub fn count_unreadable(&self, word: &'static str) {
        self.hourly_counts.count(word, (self.clock)());
        self.metrics.unreadable(word);
    }

    /// Reads and verifies a callback, and returns once its event is durable.
    pub(super) async fn store_callback(&self, arrival: &Arrival, body: Body) -> Result<Stored, NotStored> {
        let has_body = !body.is_end_stream();
        self.check_head(arrival, has_body).map_err(|not_stored| NotStored { close: has_body, ..not_stored })?;

        // Both timeouts start at the head's arrival, since CSS waits for the answer from then on. A body that ends after
        // `answer_timeout` leaves no time to store its event, so the shorter timeout ends the reading.
        let deadline = arrival.arrived + self.body_timeout.min(self.answer_timeout);
        let (bytes, mut share) = read_body(body, || self.client(arrival).address.into(), deadline, &self.bodies)
            .await
            // The rest of the body is unread, so the connection cannot carry another request.
            .map_err(|error| NotStored { close: true, ..self.body_not_read(error) })?;
        let event = self.parse_and_verify(&bytes)?;
        // From here on the memory of the event counts instead of the body's, until the journal has stored the event.
        drop(bytes);
        share.cover(event.line().len());

        let (id, event_type, received_ms) = (event.id(), event.event_type(), event.received_ms());
        let appended = store(&*self.journal, event, share, arrival.arrived + self.answer_timeout)
            .await
            .map_err(|error| NotStored::unavailable(Some(event_type), error.to_string()))?;
        let outcome = match appended {
            Appended::Stored => "stored",
            Appended::Duplicate => "duplicate",
        };
        tracing::debug!(event.id = %id, event.r#type = %event_type, outcome, "a callback was accepted");
        Ok(Stored { id, event_type, received_ms, outcome })
    }

    /// Checks everything that can be checked before the body is read.
    fn check_head(&self, arrival: &Arrival, has_body: bool) -> Result<(), NotStored> {
        // First, so that a client that may not send callbacks learns nothing else.
        self.check_address(arrival)?;
        if arrival.parts.method != Method::POST {
            return Err(answers::METHOD_NOT_ALLOWED.into());
        }
        let headers = &arrival.parts.headers;
        // Without a length HTTP/1.1 sees an empty body. This names the forgotten header, and not an empty callback.
        if !has_body && !headers.contains_key(CONTENT_LENGTH) && !headers.contains_key(TRANSFER_ENCODING) {
            return Err(answers::LENGTH_REQUIRED.into());
        }
        // livehook decodes nothing, because a small encoded body can expand beyond every limit.
        if is_encoded(headers) {
            return Err(answers::ENCODING_NOT_SUPPORTED.into());
        }
        Ok(())
    }

    /// Checks that the client may send callbacks.
    fn check_address(&self, arrival: &Arrival) -> Result<(), NotStored> {
        if self.allowed_addresses.is_empty() {
            return Ok(());
        }
        let client = self.client(arrival);
        if client.is_within(&self.allowed_addresses) {
            return Ok(());
        }
        // A proxy that hides its client may be in an allowed network itself, and the message must not contradict that.
        let doubt = if client.is_known { "" } else { ", or a client behind it," };
        let hint = format!("; {}{doubt} is not in `receiver.allowed_addresses`", client.address).into();
        Err(NotStored { hint, ..NotStored::refused(&Refusal::AddressNotAllowed, None) })
    }

    /// Turns the bytes of a body into a verified event.
    fn parse_and_verify(&self, body: &[u8]) -> Result<Event, NotStored> {
        let callback = Callback::parse(body).map_err(|malformed| {
            let refused_body = RefusedBody::malformed(&malformed, body.len());
            NotStored { body: Some(Box::new(refused_body)), ..NotStored::refused(&malformed.into(), None) }
        })?;
        let now_ms = (self.clock)();
        let verified = self.verifier.verify_by_key(&callback, now_ms).map_err(|refusal| {
            let mut refused_body = RefusedBody::parsed(&callback, &self.verifier, body.len());
            if let Refusal::SignatureExpired { expired_by_secs } = refusal {
                self.metrics.expired_by(expired_by_secs);
                refused_body.late_secs = Some(expired_by_secs);
            }
            let event_type = Some(callback.event_type());
            NotStored { body: Some(Box::new(refused_body)), ..NotStored::refused(&refusal, event_type) }
        })?;
        if let Some(key) = verified.key.and_then(|key| self.keys.get(key)) {
            key.verified(now_ms);
        }
        Ok(verified.event)
    }

    /// Returns the answer to a request whose body was not read to its end.
    fn body_not_read(&self, error: BodyError) -> NotStored {
        match error {
            BodyError::TooLarge => answers::body_too_large(self.body_bytes_max).into(),
            BodyError::TooSlow => answers::BODY_TOO_SLOW.into(),
            BodyError::Broken => answers::BODY_BROKEN.into(),
            BodyError::Displaced => answers::displaced(),
            BodyError::NoMemory => NotStored::unavailable(
                None,
                "bodies, and events that wait for the journal, have reached `receiver.bodies_bytes_max`",
            ),
        }
    }

    /// Counts a callback whose event is durable, and returns its answer.
    pub(super) fn answer_stored(&self, arrival: &Arrival, stored: &Stored) -> Response {
        let Stored { id, event_type, received_ms, outcome } = *stored;
        self.hourly_counts.count(outcome, received_ms);
        self.metrics.callback(Some(event_type), outcome, arrival.arrived.elapsed());
        let mut answer = answers::stored();
        if self.names_events {
            answer.extensions_mut().insert(LoggedEvent(id.to_string()));
        }
        answer
    }

    /// Counts and logs a request that was not stored, keeps it if it was refused, and returns its answer.
    pub(super) fn answer_not_stored(&self, arrival: &Arrival, not_stored: NotStored) -> Response {
        let client = self.client(arrival).address;
        self.log(&not_stored, client);
        let (now_ms, word) = ((self.clock)(), not_stored.answer.word());
        self.hourly_counts.count(word, now_ms);
        self.metrics.callback(not_stored.event_type, word, arrival.arrived.elapsed());
        let (close, answer) = (not_stored.close, not_stored.answer.clone());
        // A 503 is not a refusal: CSS sends that callback again.
        if answer.status().is_client_error() {
            self.recent_refusals.keep(now_ms, client, not_stored);
        }
        (close.then_some(CLOSE), answer).into_response()
    }

    /// Logs, at a bounded rate, why a request was not stored. The line quotes the sender only escaped.
    fn log(&self, not_stored: &NotStored, client: IpAddr) {
        let NotStored { answer, hint, event_type, .. } = not_stored;
        let (error, message) = (answer.word(), answer.message());
        let Some(suppressed) = self.log_limit.admit(error, Instant::now().into_std()) else { return };
        let event_type = event_type.map_or("none", EventType::label);
        let stream = not_stored.body.as_ref().and_then(|body| body.stream());
        if answer.status().is_client_error() {
            tracing::warn!(%client, error, event_type, stream, suppressed, "a callback was refused: {message}{hint}");
        } else {
            tracing::error!(%client, error, event_type, suppressed, "a callback was not stored: {message}{hint}");
        }
    }

    /// Whether requests may come through proxies.
    pub fn trusts_proxies(&self) -> bool {
        !self.trusted_proxies.is_empty()
    }

    /// Finds the client of a request that a trusted proxy sends; `None` if the peer is no trusted proxy.
    pub fn client_behind_proxy(&self, peer: IpAddr, headers: &HeaderMap) -> Option<AddressGroup> {
        let client = client_address(peer, headers, &self.client_address_header, &self.trusted_proxies).address;
        (client != peer.to_canonical()).then(|| client.into())
    }

    /// Finds the address of the client of a request, which may have come through proxies.
    pub fn client_address(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        client_address(peer, headers, &self.client_address_header, &self.trusted_proxies).address
    }

    /// Finds the sender of a request, which may have come through proxies.
    fn client(&self, arrival: &Arrival) -> ClientAddress {
        client_address(arrival.peer.ip(), &arrival.parts.headers, &self.client_address_header, &self.trusted_proxies)
    }

    /// Whether load balancers may send callbacks here.
    pub(super) fn is_ready(&self) -> bool {
        !self.draining.load(Ordering::Relaxed) && self.journal.health().unavailable.is_none()
    }
}

/// Whether the body has an encoding other than chunks.
fn is_encoded(headers: &HeaderMap) -> bool {
    let has_other = |name: HeaderName, harmless: &str| {
        let is_harmless = |coding: &str| coding.is_empty() || coding.eq_ignore_ascii_case(harmless);
        let all_are = |value: &str| value.split(',').all(|coding| is_harmless(coding.trim()));
        headers.get_all(name).iter().any(|value| !value.to_str().is_ok_and(all_are))
    };
    has_other(CONTENT_ENCODING, "identity") || has_other(TRANSFER_ENCODING, "chunked")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::VerifierOptions;
    use crate::journal::testing::MemoryJournal;

    #[test]
    fn equal_paths_are_an_error() {
        let make = |path: &str, health_path: &str| {
            let options = Options {
                path: path.parse().unwrap(),
                health_path: Some(health_path.parse().unwrap()),
                ..Options::default()
            };
            let verifier = Verifier::new(VerifierOptions { allow_unsigned: true, ..Default::default() }).unwrap();
            CallbackReceiver::new(
                &options,
                verifier,
                Arc::new(MemoryJournal::default()),
                Arc::default(),
                Arc::default(),
                || 0,
            )
            .err()
        };
        assert_eq!(make("/a", "/a"), Some(ReceiverError::SamePath("/a".parse().unwrap())));
        assert_eq!(make("/a", "/a/"), None);
    }
}
