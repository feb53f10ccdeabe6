//! The section `[admin]` of the configuration.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::Deserialize;

use super::Token;

/// The admin endpoint, as in the section `[admin]` of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
pub struct Options {
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

impl Default for Options {
    fn default() -> Options {
        Options {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9090),
            token: None,
            token_file: None,
            allowed_hosts: Vec::new(),
            subscribers_max: 256,
        }
    }
}
