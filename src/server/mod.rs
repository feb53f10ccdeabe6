//! HTTP: the callback endpoint and the admin endpoint.
//!
//! [`serve`] runs a listener: connections, their limits and their end. [`Receiver`] and [`Admin`] are what is served, each
//! an [`Endpoint`]; the receiver without a router, since what it does for a callback counts. Nothing here opens a socket,
//! sees a signal or reads a configuration: these are arguments.

mod admin;
mod answer;
mod api;
mod appending;
mod body;
mod client_address;
mod connection;
mod guard;
mod listener;
mod log_limit;
mod network;
mod phase;
mod problem;
mod receiver;
mod refusals;
mod tally;
#[cfg(test)]
mod testing;
mod token;
mod url_path;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use axum::http::HeaderName;
use serde::Deserialize;

use crate::callback::{DomainPattern, EventType, KeyOptions};

pub use admin::{Admin, Sources};
pub use client_address::{ClientAddress, client_address};
pub use listener::{Endpoint, Limits, raise_open_files_limit, serve};
pub use network::Network;
pub use receiver::{Receiver, ReceiverError};
pub use refusals::Refusals;
pub use tally::Tally;
pub use token::Token;
pub use url_path::UrlPath;

/// Gives the time in Unix ms. An argument, so that a test can choose the time.
pub type Clock = fn() -> i64;

/// A time limit of the configuration. A year is as good as without end, and no sum of times overflows.
fn limit_secs(secs: u64) -> Duration {
    Duration::from_secs(secs.min(365 * 86_400))
}

/// The time by the system's clock, in Unix ms.
pub fn system_clock() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// The callback endpoint, as in the section `[receiver]` of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct ReceiverOptions {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// The path that CSS posts to.
    pub path: UrlPath,
    /// A path that answers load balancers with 200 while the receiver is ready.
    pub health_path: Option<UrlPath>,
    /// The callback keys.
    pub keys: Vec<KeyOptions>,
    /// A file with more keys, one a line.
    pub keys_file: Option<PathBuf>,
    /// Accept everything unverified when there is no key.
    pub allow_unsigned: bool,
    /// How long after `t` a signature still counts, in seconds.
    pub leeway_secs: u32,
    /// How far ahead `t` may lie, in seconds.
    pub validity_secs_max: Option<u32>,
    /// Types that are accepted without a `sign`.
    pub unsigned_event_types: Vec<EventType>,
    /// Where not empty, other appids are refused.
    pub allowed_appids: Vec<i64>,
    /// Where not empty, other domains are refused.
    pub allowed_domains: Vec<DomainPattern>,
    /// Where not empty, clients of other addresses are refused.
    pub allowed_addresses: Vec<Network>,
    /// Peers whose header is believed.
    pub trusted_proxies: Vec<Network>,
    /// The header in which a trusted proxy names the client.
    #[serde(deserialize_with = "header_name")]
    pub client_address_header: HeaderName,
    /// Parameters to redact in addition to `txSecret`.
    pub redact_parameters: Vec<String>,
    /// The largest body, in bytes.
    pub body_bytes_max: usize,
    /// The largest head of a request, in bytes.
    pub headers_bytes_max: usize,
    /// The most connections at once.
    pub connections_max: usize,
    /// The most memory for all bodies in flight and the events made of them until they are stored, in bytes.
    pub bodies_bytes_max: usize,
    /// How long a client may take to send the head of a request, in seconds.
    pub headers_timeout_secs: u64,
    /// How long a client may take to send the body of a request, in seconds.
    pub body_timeout_secs: u64,
    /// How long a connection may be idle between requests, in seconds.
    pub idle_timeout_secs: u64,
    /// How long an answer may take, in seconds. CSS gives up after about 20.
    pub answer_timeout_secs: u64,
}

impl Default for ReceiverOptions {
    fn default() -> ReceiverOptions {
        ReceiverOptions {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 8080),
            path: UrlPath::CALLBACK,
            health_path: None,
            keys: Vec::new(),
            keys_file: None,
            allow_unsigned: false,
            leeway_secs: 0,
            validity_secs_max: None,
            unsigned_event_types: Vec::new(),
            allowed_appids: Vec::new(),
            allowed_domains: Vec::new(),
            allowed_addresses: Vec::new(),
            trusted_proxies: Vec::new(),
            client_address_header: HeaderName::from_static("x-forwarded-for"),
            redact_parameters: Vec::new(),
            body_bytes_max: 256 * 1024,
            headers_bytes_max: 16 * 1024,
            connections_max: 4096,
            bodies_bytes_max: 64 * 1024 * 1024,
            headers_timeout_secs: 10,
            body_timeout_secs: 10,
            idle_timeout_secs: 75,
            answer_timeout_secs: 15,
        }
    }
}

impl ReceiverOptions {
    /// Whether callbacks and load balancers have a path each.
    pub fn paths_differ(&self) -> bool {
        self.health_path.as_ref() != Some(&self.path)
    }
}

fn header_name<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<HeaderName, D::Error> {
    let name = String::deserialize(deserializer)?.parse();
    name.map_err(|_| serde::de::Error::custom("must be the name of an HTTP header; for example X-Forwarded-For"))
}

/// The admin endpoint, as in the section `[admin]` of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct AdminOptions {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// The bearer token; needed where the address is not loopback.
    pub token: Option<Token>,
    /// A file that holds the token.
    pub token_file: Option<PathBuf>,
    /// Names in the Host header that are accepted on loopback in addition to localhost and addresses.
    pub allowed_hosts: Vec<String>,
    /// The most subscribers of the feed at once.
    pub subscribers_max: usize,
}

impl Default for AdminOptions {
    fn default() -> AdminOptions {
        AdminOptions {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9090),
            token: None,
            token_file: None,
            allowed_hosts: Vec::new(),
            subscribers_max: 256,
        }
    }
}
