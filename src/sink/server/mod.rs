//! The parts that the sinks of servers share: the URL with its secrets, TLS, and the connection.
//!
//! A kind of sink names its keys itself. It gives their values to these parts.

#![cfg_attr(
    not(feature = "full"),
    allow(dead_code, unused_imports, reason = "a build with only some of the sinks needs only some of these parts")
)]

mod access;
mod limits;
mod server_keys;
mod shown_server;
mod stream;
mod tls_files;
mod url;

#[cfg(feature = "kafka")]
pub(super) use access::Login;
pub use access::Password;
pub(super) use access::{Access, Credentials};
pub(super) use limits::{Limits, delivered_until, requests};
pub(super) use server_keys::{ServerKeys, read_files, secret_files};
pub(super) use shown_server::{ShownServer, after};
#[cfg(feature = "amqp")]
pub(super) use stream::ServerStream;
pub(super) use stream::connect;
#[cfg(feature = "sql")]
pub(super) use tls_files::Pem;
pub(super) use tls_files::TlsFiles;
pub use url::ServerUrl;
