//! The callback endpoint: from a request to a durable event and its 200, or to an answer that says why not.
//!
//! `POST <receiver.path>` takes callbacks; an optional path tells load balancers whether to send any. There is nothing
//! else on this listener, and nothing here knows how events are stored or where they go.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Method, Response};
use axum::response::IntoResponse;
use tokio::time::timeout_at;

use super::answers;
use super::body::{self, BodyError, Budget};
use super::recent_refusals::Seen;
use super::storing::Appending;
use super::{HourlyCounts, Options, RecentRefusals};
use crate::callback::{Callback, Event, EventType, Refusal, Verifier};
use crate::clock::Clock;
use crate::http::{CLOSE, ClientAddress, Endpoint, ErrorBody, LogLimit, Network, UrlPath, client_address, limit_secs};
use crate::journal::{Appended, Journal};
use crate::telemetry::Metrics;

/// An option of the receiver that cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ReceiverError {
    /// The two paths are one.
    #[error("receiver.health_path: `{0}` is also receiver.path: choose another")]
    SamePath(UrlPath),
}

/// What the callback endpoint works with.
pub struct Receiver {
    path: UrlPath,
    health_path: Option<UrlPath>,
    allowed_addresses: Vec<Network>,
    trusted_proxies: Vec<Network>,
    client_address_header: HeaderName,
    body_bytes_max: usize,
    body_timeout: Duration,
    answer_timeout: Duration,
    bodies: Arc<Budget>,
    verifier: Verifier,
    journal: Arc<dyn Journal>,
    metrics: Arc<Metrics>,
    draining: Arc<AtomicBool>,
    clock: Clock,
    log_limit: LogLimit,
    refusals: Arc<RecentRefusals>,
    tally: Arc<HourlyCounts>,
}

impl Receiver {
    /// Puts the endpoint together. `draining` turns the health path to 503; `clock` gives the time in Unix ms.
    ///
    /// # Errors
    /// Options that cannot be used.
    pub fn new(
        options: &Options,
        verifier: Verifier,
        journal: Arc<dyn Journal>,
        metrics: Arc<Metrics>,
        draining: Arc<AtomicBool>,
        clock: Clock,
    ) -> Result<Receiver, ReceiverError> {
        if !options.paths_differ() {
            return Err(ReceiverError::SamePath(options.path.clone()));
        }
        Ok(Receiver {
            path: options.path.clone(),
            health_path: options.health_path.clone(),
            allowed_addresses: options.allowed_addresses.clone(),
            trusted_proxies: options.trusted_proxies.clone(),
            client_address_header: options.client_address_header.clone(),
            body_bytes_max: options.body_bytes_max,
            body_timeout: limit_secs(options.body_timeout_secs),
            answer_timeout: limit_secs(options.answer_timeout_secs),
            bodies: Arc::new(Budget::new(options.bodies_bytes_max)),
            verifier,
            journal,
            metrics,
            draining,
            clock,
            log_limit: LogLimit::default(),
            refusals: Arc::new(RecentRefusals::new(clock())),
            tally: Arc::new(HourlyCounts::new(clock())),
        })
    }

    /// The last callbacks that were refused.
    pub fn refusals(&self) -> Arc<RecentRefusals> {
        Arc::clone(&self.refusals)
    }

    /// How many callbacks came to which end.
    pub fn tally(&self) -> Arc<HourlyCounts> {
        Arc::clone(&self.tally)
    }

    /// Takes a callback until it is durable.
    async fn take(&self, parts: &Parts, peer: SocketAddr, body: Body, started: Instant) -> Result<Taken, Rejected> {
        let has_body = !body.is_end_stream();
        self.check_head(parts, peer, has_body).map_err(|rejected| Rejected { close: has_body, ..rejected })?;

        let deadline = started + self.body_timeout.min(self.answer_timeout);
        let (bytes, mut share) = body::read(body, self.body_bytes_max, deadline, &self.bodies)
            .await
            .map_err(|error| Rejected { close: true, ..self.body_rejected(error) })?;
        let event = self.judge(&bytes)?;
        // The event counts in place of the body for as long as it waits for the journal, also when nobody waits for it any more.
        drop(bytes);
        share.cover(event.line().len());

        let (id, event_type, received_ms) = (event.id(), event.event_type(), event.received_ms());
        let appending = Appending::new(Arc::clone(&self.journal), event, share);
        let appended = match timeout_at((started + self.answer_timeout).into(), appending).await {
            Ok(Ok(appended)) => appended,
            Ok(Err(error)) => return Err(Rejected::unavailable(Some(event_type), error.to_string())),
            Err(_) => {
                let cause = "the journal did not answer within `receiver.answer_timeout_secs`";
                return Err(Rejected::unavailable(Some(event_type), cause));
            }
        };
        tracing::debug!(event.id = %id, event.r#type = %event_type, "a callback was taken: {appended:?}");
        let outcome = match appended {
            Appended::Stored => "stored",
            Appended::Duplicate => "duplicate",
        };
        Ok(Taken { event_type, received_ms, outcome })
    }

    /// What can be judged before the body: the client, then the form of the request.
    fn check_head(&self, parts: &Parts, peer: SocketAddr, has_body: bool) -> Result<(), Rejected> {
        if !self.allowed_addresses.is_empty() {
            let client = self.client(parts, peer);
            if !client.is_within(&self.allowed_addresses) {
                let doubt = if client.is_known { "" } else { ", or one behind it," };
                let hint = format!("; {}{doubt} is not in `receiver.allowed_addresses`", client.address);
                return Err(Rejected { hint: hint.into(), ..Rejected::of(&Refusal::AddressNotAllowed, None) });
            }
        }
        if parts.method != Method::POST {
            return Err(Rejected::new(answers::METHOD_NOT_ALLOWED));
        }
        let headers = &parts.headers;
        if !has_body && !headers.contains_key(CONTENT_LENGTH) && !headers.contains_key(TRANSFER_ENCODING) {
            return Err(Rejected::new(answers::LENGTH_REQUIRED));
        }
        if is_encoded(headers) {
            return Err(Rejected::new(answers::ENCODING_NOT_SUPPORTED));
        }
        Ok(())
    }

    /// From the bytes of a body to a verified event.
    fn judge(&self, body: &[u8]) -> Result<Event, Rejected> {
        let callback = Callback::parse(body).map_err(|malformed| {
            let seen = Seen::malformed(&malformed, body.len());
            Rejected { body: Some(Box::new(seen)), ..Rejected::of(&malformed.into(), None) }
        })?;
        self.verifier.verify(&callback, (self.clock)()).map_err(|refusal| {
            let mut seen = Seen::parsed(&callback, &self.verifier, body.len());
            if let Refusal::SignatureExpired { by_secs } = refusal {
                self.metrics.expired_by(by_secs);
                seen.late_secs = Some(by_secs);
            }
            Rejected { body: Some(Box::new(seen)), ..Rejected::of(&refusal, Some(callback.event_type())) }
        })
    }

    fn body_rejected(&self, error: BodyError) -> Rejected {
        match error {
            BodyError::TooLarge => Rejected::new(answers::body_too_large(self.body_bytes_max)),
            BodyError::TooSlow => Rejected::new(answers::BODY_TOO_SLOW),
            BodyError::Broken => Rejected::new(answers::BODY_BROKEN),
            BodyError::NoMemory => Rejected::unavailable(
                None,
                "bodies, and events that wait for the journal, have reached `receiver.bodies_bytes_max`",
            ),
        }
    }

    fn client(&self, parts: &Parts, peer: SocketAddr) -> ClientAddress {
        client_address(peer.ip(), &parts.headers, &self.client_address_header, &self.trusted_proxies)
    }

    fn is_ready(&self) -> bool {
        !self.draining.load(Ordering::Relaxed) && self.journal.health().refuses.is_none()
    }

    /// Tells a load balancer whether to send anything here.
    fn health(&self, parts: &Parts, body: &Body) -> Response<Body> {
        let close = !body.is_end_stream();
        if !matches!(parts.method, Method::GET | Method::HEAD) {
            (close.then_some(CLOSE), answers::HEALTH_IS_READ_ONLY).into_response()
        } else if self.is_ready() {
            Response::new(Body::from("ready\n"))
        } else {
            (close.then_some(CLOSE), answers::UNAVAILABLE).into_response()
        }
    }

    /// Logs a rejection, at a bounded rate. What the sender wrote is not in it, or is escaped.
    fn log(&self, client: IpAddr, rejected: &Rejected) {
        let error = rejected.answer.word();
        let Some(suppressed) = self.log_limit.admit(error, Instant::now()) else { return };
        let event_type = rejected.event_type.map_or("none", EventType::label);
        let (message, hint) = (rejected.answer.message(), &rejected.hint);
        if error == answers::UNAVAILABLE.word() {
            tracing::error!(%client, error, event_type, suppressed, "a callback was not stored: {message}{hint}");
        } else {
            tracing::warn!(%client, error, event_type, suppressed, "a callback was refused: {message}{hint}");
        }
    }
}

impl Endpoint for Receiver {
    async fn answer(&self, request: Request, peer: SocketAddr) -> Response<Body> {
        let started = Instant::now();
        let (parts, body) = request.into_parts();
        let path = parts.uri.path();
        let taken = if path == self.path.as_str() {
            self.take(&parts, peer, body, started).await
        } else if self.health_path.as_ref().is_some_and(|health_path| path == health_path.as_str()) {
            return self.health(&parts, &body);
        } else {
            let hint = Cow::Owned(format!("; `receiver.path` is `{}`", self.path));
            let close = !body.is_end_stream();
            Err(Rejected { hint, close, ..Rejected::new(ErrorBody::not_found(path)) })
        };
        match taken {
            Ok(Taken { event_type, received_ms, outcome }) => {
                self.tally.count(outcome, received_ms);
                self.metrics.callback(Some(event_type), outcome, started.elapsed());
                answers::STORED.into_response()
            }
            Err(rejected) => {
                let client = self.client(&parts, peer).address;
                self.log(client, &rejected);
                let Rejected { answer, event_type, hint, close, body } = rejected;
                let now_ms = (self.clock)();
                self.tally.count(answer.word(), now_ms);
                self.metrics.callback(event_type, answer.word(), started.elapsed());
                if answer.status().is_client_error() {
                    self.refusals.note(now_ms, client, &answer, &hint, event_type, *body.unwrap_or_default());
                }
                (close.then_some(CLOSE), answer).into_response()
            }
        }
    }

    fn unreadable(&self, word: &'static str) {
        self.tally.count(word, (self.clock)());
        self.metrics.unreadable(word);
    }
}

/// A callback that is answered with 200.
#[derive(Debug)]
struct Taken {
    event_type: EventType,
    received_ms: i64,
    outcome: &'static str,
}

/// A request that is not answered with 200.
#[derive(Debug)]
struct Rejected {
    answer: ErrorBody,
    event_type: Option<EventType>,
    /// What the log says in addition: causes and settings are no business of the sender.
    hint: Cow<'static, str>,
    /// Whether the connection ends, as some of the request is unread.
    close: bool,
    /// What is known of the body, once it is read.
    body: Option<Box<Seen>>,
}

impl Rejected {
    fn new(answer: ErrorBody) -> Rejected {
        Rejected { answer, event_type: None, hint: Cow::Borrowed(""), close: false, body: None }
    }

    fn of(refusal: &Refusal, event_type: Option<EventType>) -> Rejected {
        let hint = match refusal {
            Refusal::SignatureMissing { event_type } => Cow::Owned(format!(
                "; `receiver.unsigned_event_types = [\"{event_type}\"]` accepts this type without a signature"
            )),
            Refusal::SignatureExpired { .. } => {
                Cow::Borrowed("; if genuine callbacks come late, raise `receiver.leeway_secs`, and check this clock")
            }
            _ => Cow::Borrowed(""),
        };
        Rejected { event_type, hint, ..Rejected::new(answers::refusal(refusal)) }
    }

    fn unavailable(event_type: Option<EventType>, cause: impl Into<Cow<'static, str>>) -> Rejected {
        let hint = Cow::Owned(format!("; {}", cause.into()));
        Rejected { event_type, hint, ..Rejected::new(answers::UNAVAILABLE) }
    }
}

/// Whether the body is something else than it says, once its chunks are put together.
fn is_encoded(headers: &HeaderMap) -> bool {
    let has_other = |name: HeaderName, harmless: &str| {
        let is_harmless = |coding: &str| coding.is_empty() || coding.eq_ignore_ascii_case(harmless);
        let all_are = |value: &str| value.split(',').all(|coding| is_harmless(coding.trim()));
        headers.get_all(name).iter().any(|value| !value.to_str().is_ok_and(all_are))
    };
    has_other(CONTENT_ENCODING, "identity") || has_other(TRANSFER_ENCODING, "chunked")
}

#[cfg(test)]
mod tests;
