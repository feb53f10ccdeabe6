//! The rules for one request, from its head to its answer. A reload replaces them for later requests.

use std::net::IpAddr;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName};

use super::Options;
use crate::callback::Verifier;
use crate::http::{AddressGroup, ClientAddress, Network, UrlPath, client_address, limit_secs};
use crate::telemetry::{KeyUse, Metrics};

/// The rules for one request.
pub(super) struct Rules {
    pub(super) path: UrlPath,
    health_path: Option<UrlPath>,
    pub(super) allowed_addresses: Vec<Network>,
    trusted_proxies: Vec<Network>,
    client_address_header: HeaderName,
    pub(super) body_bytes_max: usize,
    pub(super) body_timeout: Duration,
    pub(super) answer_timeout: Duration,
    pub(super) verifier: Verifier,
    /// The fingerprint of each key of the verifier.
    pub(super) fingerprints: Vec<String>,
    /// The metrics of each key of the verifier.
    pub(super) keys: Vec<KeyUse>,
    /// Whether an answer carries the id of its event, for the access log.
    pub(super) names_events: bool,
}

/// What a path of the receiver is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// CSS posts callbacks to it.
    Callbacks,
    /// Load balancers read it.
    Health,
}

impl Rules {
    /// Makes the rules. `fingerprints` has one for each key of the verifier, in its order, or none if its keys are not counted.
    pub(super) fn new(
        options: &Options,
        verifier: Verifier,
        fingerprints: Vec<String>,
        names_events: bool,
        metrics: &Metrics,
    ) -> Rules {
        Rules {
            path: options.path.clone(),
            health_path: options.health_path.clone(),
            allowed_addresses: options.allowed_addresses.clone(),
            trusted_proxies: options.trusted_proxies.clone(),
            client_address_header: options.client_address_header.clone(),
            body_bytes_max: options.body_bytes_max,
            body_timeout: limit_secs(options.body_timeout_secs),
            answer_timeout: limit_secs(options.answer_timeout_secs),
            verifier,
            keys: fingerprints.iter().map(|key| metrics.keys().of(key)).collect(),
            fingerprints,
            names_events,
        }
    }

    /// Returns the purpose of a path, as the client sent it; `None` if there is none.
    pub(super) fn purpose_of(&self, path: &str) -> Option<Purpose> {
        if path == self.path.as_str() {
            return Some(Purpose::Callbacks);
        }
        let is_health = self.health_path.as_ref().is_some_and(|health_path| path == health_path.as_str());
        is_health.then_some(Purpose::Health)
    }

    /// Finds the sender of a request, which may have come through proxies.
    pub(super) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> ClientAddress {
        client_address(peer, headers, &self.client_address_header, &self.trusted_proxies)
    }

    /// Finds the client of a request that a trusted proxy sends; `None` if the peer is no trusted proxy.
    pub(super) fn client_behind_proxy(&self, peer: IpAddr, headers: &HeaderMap) -> Option<AddressGroup> {
        if self.trusted_proxies.is_empty() {
            return None;
        }
        let client = self.client(peer, headers).address;
        (client != peer.to_canonical()).then(|| client.into())
    }
}
