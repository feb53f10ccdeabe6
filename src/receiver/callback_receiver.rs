//! The callback endpoint without its routes: checks a request, reads its body, and stores its event.
//!
//! It also counts and logs each outcome, and keeps refusals. Nothing here knows how events are stored or where they go.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
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
use super::rules::{Purpose, Rules};
use super::storing::store;
use super::{HourlyCounts, Options, RecentRefusals};
use crate::callback::{Callback, Event, EventId, EventType, Refusal, Verifier};
use crate::clock::Clock;
use crate::http::{AddressGroup, BodyBudget, BodyError, CLOSE, ClientAddress, LogLimit, LoggedEvent, read_body};
use crate::journal::{Appended, Journal};
use crate::telemetry::Metrics;

/// Turns requests into durable events. The handlers of all routes share it.
pub struct CallbackReceiver {
    rules: ArcSwap<Rules>,
    bodies: Arc<BodyBudget>,
    journal: Arc<dyn Journal>,
    metrics: Arc<Metrics>,
    draining: Arc<AtomicBool>,
    clock: Clock,
    log_limit: LogLimit,
    recent_refusals: Arc<RecentRefusals>,
    hourly_counts: Arc<HourlyCounts>,
}

/// The head of a request, with its sender and the time of its arrival.
pub(super) struct Arrival {
    pub(super) parts: Parts,
    peer: SocketAddr,
    arrived: Instant,
    rules: Arc<Rules>,
}

impl Arrival {
    /// Splits a request that arrives now into its head and its body. The present rules hold until its answer.
    pub(super) fn split(receiver: &CallbackReceiver, request: Request, peer: SocketAddr) -> (Arrival, Body) {
        let arrived = Instant::now();
        let (parts, body) = request.into_parts();
        (Arrival { parts, peer, arrived, rules: receiver.rules.load_full() }, body)
    }

    /// Returns the purpose of its path; `None` if there is none.
    pub(super) fn purpose(&self) -> Option<Purpose> {
        self.rules.purpose_of(self.parts.uri.path())
    }

    /// Says for the operator which path takes callbacks.
    pub(super) fn path_hint(&self) -> String {
        format!("; `receiver.path` is `{}`", self.rules.path)
    }

    /// Finds the sender, which may be behind proxies.
    fn client(&self) -> ClientAddress {
        self.rules.client(self.peer.ip(), &self.parts.headers)
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
    pub fn new(
        options: &Options,
        verifier: Verifier,
        journal: Arc<dyn Journal>,
        metrics: Arc<Metrics>,
        draining: Arc<AtomicBool>,
        clock: Clock,
    ) -> CallbackReceiver {
        outcomes::expect(&metrics);
        CallbackReceiver {
            rules: ArcSwap::from_pointee(Rules::new(options, verifier, Vec::new(), false, &metrics)),
            bodies: Arc::new(BodyBudget::new(options.bodies_bytes_max, options.body_bytes_max)),
            journal,
            metrics,
            draining,
            clock,
            log_limit: LogLimit::default(),
            recent_refusals: Arc::new(RecentRefusals::new(clock())),
            hourly_counts: Arc::new(HourlyCounts::new(clock())),
        }
    }

    /// Takes other rules for every later request, and counts what each key verifies. `fingerprints` has one for each key, in the
    /// order of the verifier. With `names_events`, each answer carries the id of its event, for the access log.
    pub fn take_over(&self, options: &Options, verifier: Verifier, fingerprints: Vec<String>, names_events: bool) {
        let rules = Rules::new(options, verifier, fingerprints, names_events, &self.metrics);
        self.bodies.set_limits(options.bodies_bytes_max, options.body_bytes_max);
        let earlier = self.rules.swap(Arc::new(rules));
        let is_gone = |key: &&String| !self.rules.load().fingerprints.contains(key);
        earlier.fingerprints.iter().filter(is_gone).for_each(|key| self.metrics.keys().forget(key));
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

    /// Counts a request whose head could not be read. `word` is the error word of its answer. See
    /// [`crate::http::Hooks`].
    pub fn count_unreadable(&self, word: &'static str) {
        self.hourly_counts.count(word, (self.clock)());
        self.metrics.unreadable(word);
    }

    /// Reads and verifies a callback, and returns once its event is durable.
    pub(super) async fn store_callback(&self, arrival: &Arrival, body: Body) -> Result<Stored, NotStored> {
        let has_body = !body.is_end_stream();
        check_head(arrival, has_body).map_err(|not_stored| NotStored { close: has_body, ..not_stored })?;

        // Both timeouts start at the head's arrival, since CSS waits for the answer from then on. A body that ends after
        // `answer_timeout` leaves no time to store its event, so the shorter timeout ends the reading.
        let rules = &arrival.rules;
        let deadline = arrival.arrived + rules.body_timeout.min(rules.answer_timeout);
        let (bytes, mut share) = read_body(body, || arrival.client().address.into(), deadline, &self.bodies)
            .await
            // The rest of the body is unread, so the connection cannot carry another request.
            .map_err(|error| NotStored { close: true, ..body_not_read(error, rules.body_bytes_max) })?;
        let event = self.parse_and_verify(&bytes, rules)?;
        // From here on the memory of the event counts instead of the body's, until the journal has stored the event.
        drop(bytes);
        share.cover(event.line().len());

        let (id, event_type, received_ms) = (event.id(), event.event_type(), event.received_ms());
        let appended = store(&*self.journal, event, share, arrival.arrived + rules.answer_timeout)
            .await
            .map_err(|error| NotStored::unavailable(Some(event_type), error.to_string()))?;
        let outcome = match appended {
            Appended::Stored => "stored",
            Appended::Duplicate => "duplicate",
        };
        tracing::debug!(event.id = %id, event.r#type = %event_type, outcome, "a callback was accepted");
        Ok(Stored { id, event_type, received_ms, outcome })
    }

    /// Turns the bytes of a body into a verified event.
    fn parse_and_verify(&self, body: &[u8], rules: &Rules) -> Result<Event, NotStored> {
        let callback = Callback::parse(body).map_err(|malformed| {
            let refused_body = RefusedBody::malformed(&malformed, body.len());
            NotStored { body: Some(Box::new(refused_body)), ..NotStored::refused(&malformed.into(), None) }
        })?;
        let now_ms = (self.clock)();
        let verified = rules.verifier.verify_by_key(&callback, now_ms).map_err(|refusal| {
            let mut refused_body = RefusedBody::parsed(&callback, &rules.verifier, body.len());
            if let Refusal::SignatureExpired { expired_by_secs } = refusal {
                self.metrics.expired_by(expired_by_secs);
                refused_body.late_secs = Some(expired_by_secs);
            }
            let event_type = Some(callback.event_type());
            NotStored { body: Some(Box::new(refused_body)), ..NotStored::refused(&refusal, event_type) }
        })?;
        if let Some(key) = verified.key.and_then(|key| rules.keys.get(key)) {
            key.verified(now_ms);
        }
        Ok(verified.event)
    }

    /// Counts a callback whose event is durable, and returns its answer.
    pub(super) fn answer_stored(&self, arrival: &Arrival, stored: &Stored) -> Response {
        let Stored { id, event_type, received_ms, outcome } = *stored;
        self.hourly_counts.count(outcome, received_ms);
        self.metrics.callback(Some(event_type), outcome, arrival.arrived.elapsed());
        let mut answer = answers::stored();
        if arrival.rules.names_events {
            answer.extensions_mut().insert(LoggedEvent(id.to_string()));
        }
        answer
    }

    /// Counts and logs a request that was not stored, keeps it if it was refused, and returns its answer.
    pub(super) fn answer_not_stored(&self, arrival: &Arrival, not_stored: NotStored) -> Response {
        let client = arrival.client().address;
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

    /// Finds the client of a request that a trusted proxy sends; `None` if the peer is no trusted proxy.
    pub fn client_behind_proxy(&self, peer: IpAddr, headers: &HeaderMap) -> Option<AddressGroup> {
        self.rules.load().client_behind_proxy(peer, headers)
    }

    /// Finds the address of the client of a request, which may have come through proxies.
    pub fn client_address(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        self.rules.load().client(peer, headers).address
    }

    /// Whether load balancers may send callbacks here.
    pub(super) fn is_ready(&self) -> bool {
        !self.draining.load(Ordering::Relaxed) && self.journal.health().unavailable.is_none()
    }
}

/// Checks everything that can be checked before the body is read.
fn check_head(arrival: &Arrival, has_body: bool) -> Result<(), NotStored> {
    // First, so that a client that may not send callbacks learns nothing else.
    check_address(arrival)?;
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
fn check_address(arrival: &Arrival) -> Result<(), NotStored> {
    if arrival.rules.allowed_addresses.is_empty() {
        return Ok(());
    }
    let client = arrival.client();
    if client.is_within(&arrival.rules.allowed_addresses) {
        return Ok(());
    }
    // A proxy that hides its client may be in an allowed network itself, and the message must not contradict that.
    let doubt = if client.is_known { "" } else { ", or a client behind it," };
    let hint = format!("; {}{doubt} is not in `receiver.allowed_addresses`", client.address).into();
    Err(NotStored { hint, ..NotStored::refused(&Refusal::AddressNotAllowed, None) })
}

/// Returns the answer to a request whose body was not read to its end.
fn body_not_read(error: BodyError, body_bytes_max: usize) -> NotStored {
    match error {
        BodyError::TooLarge => answers::body_too_large(body_bytes_max).into(),
        BodyError::TooSlow => answers::BODY_TOO_SLOW.into(),
        BodyError::Broken => answers::BODY_BROKEN.into(),
        BodyError::Displaced => answers::displaced(),
        BodyError::NoMemory => NotStored::unavailable(
            None,
            "bodies, and events that wait for the journal, have reached `receiver.bodies_bytes_max`",
        ),
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
