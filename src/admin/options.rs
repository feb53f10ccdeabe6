//! The section `[admin]` of the configuration.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::Deserialize;

use super::Token;
use crate::tls::ServerFiles;

/// The options of the admin endpoint.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct Options {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// The certificate and the key, if the endpoint speaks HTTPS.
    pub tls: Option<ServerFiles>,
    /// The bearer token. It is required if the address is not loopback.
    pub token: Option<Token>,
    /// The file that contains the token.
    pub token_file: Option<PathBuf>,
    /// Names that the Host header can have on a loopback address, in addition to localhost and loopback addresses.
    pub allowed_hosts: Vec<String>,
    /// How many subscribers the feed can have at once.
    pub subscribers_max: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9090),
            tls: None,
            token: None,
            token_file: None,
            allowed_hosts: Vec::new(),
            subscribers_max: 256,
        }
    }
}

impl Options {
    /// `https` with TLS, and otherwise `http`.
    pub fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }
}
