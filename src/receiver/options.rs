//! The options of the callback endpoint.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use axum::http::HeaderName;
use serde::Deserialize;

use crate::callback::{DomainPattern, EventType, KeyOptions};
use crate::http::{Limits, Network, UrlPath, limit_secs};
use crate::tls::ServerFiles;

/// The callback endpoint, as in the section `[receiver]` of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct Options {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// The path that CSS posts to.
    pub path: UrlPath,
    /// The certificate and the key, if CSS posts over HTTPS without a proxy.
    pub tls: Option<ServerFiles>,
    /// A path that answers load balancers with 200 while the receiver can store events.
    pub health_path: Option<UrlPath>,
    /// The callback keys of the file. Loading the configuration moves them, with the keys of all other sources, into the
    /// options of the verifier, so this list is empty afterwards.
    pub keys: Vec<KeyOptions>,
    /// A file with more callback keys, one per line.
    pub keys_file: Option<PathBuf>,
    /// Accept callbacks without verifying them, if no key is configured.
    pub allow_unsigned: bool,
    /// How long a signature stays valid after its `t`, in seconds.
    pub leeway_secs: u32,
    /// How far in the future `t` may be, in seconds.
    pub validity_secs_max: Option<u32>,
    /// Event types that are accepted without a signature.
    pub unsigned_event_types: Vec<EventType>,
    /// If not empty, callbacks of other appids are refused.
    pub allowed_appids: Vec<i64>,
    /// If not empty, callbacks of other domains are refused.
    pub allowed_domains: Vec<DomainPattern>,
    /// If not empty, clients with other addresses are refused.
    pub allowed_addresses: Vec<Network>,
    /// Proxies whose header is believed.
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
    /// The most memory for all bodies in flight, and for their events until they are stored, in bytes.
    pub bodies_bytes_max: usize,
    /// How long a client may take to send the head of a request, in seconds.
    pub headers_timeout_secs: u64,
    /// How long a client may take to send the body of a request, in seconds.
    pub body_timeout_secs: u64,
    /// How long a connection may be idle between requests, in seconds.
    pub idle_timeout_secs: u64,
    /// How long an answer may take, in seconds. CSS gives up after about 20 seconds.
    pub answer_timeout_secs: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            listen: SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 8080),
            path: UrlPath::CALLBACK,
            tls: None,
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

impl Options {
    /// The limits of the receiver's listener.
    pub fn limits(&self) -> Limits {
        Limits {
            connections_max: self.connections_max,
            headers_bytes_max: self.headers_bytes_max,
            headers_timeout: limit_secs(self.headers_timeout_secs),
            idle_timeout: limit_secs(self.idle_timeout_secs),
            write_timeout: Duration::from_secs(10),
        }
    }

    /// `https` with TLS, and otherwise `http`.
    pub fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// Whether callbacks and load balancers have different paths.
    pub fn paths_differ(&self) -> bool {
        self.health_path.as_ref() != Some(&self.path)
    }
}

fn header_name<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<HeaderName, D::Error> {
    let name = String::deserialize(deserializer)?.parse();
    name.map_err(|_| serde::de::Error::custom("must be the name of an HTTP header; for example X-Forwarded-For"))
}
