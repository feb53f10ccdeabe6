//! HTTP for both listeners: connections, their limits and their end, and the memory for bodies. It knows nothing of callbacks or of
//! the API.
//!
//! [`serve()`] serves an [`Endpoint`], such as a router, until it is stopped. The socket, the endpoint and the stop signal are
//! arguments.

mod access_log;
mod address_group;
mod body;
mod body_shares;
mod client_address;
mod connection;
mod connection_index;
mod endpoint;
mod error_body;
mod handshake;
mod limits;
mod listener;
mod log_limit;
mod network;
mod phase;
mod port;
mod serve;
mod socket;
#[cfg(test)]
pub(crate) mod testing;
mod url_path;
mod watched;
mod wire;

pub use access_log::{AccessLog, FindAddress, LoggedEvent};
pub use address_group::AddressGroup;
pub use body::{BodyBudget, BodyError, BodyShare, read_body};
pub use client_address::{ClientAddress, client_address};
pub use endpoint::{Endpoint, PendingAnswer};
pub use error_body::ErrorBody;
pub(crate) use error_body::{CLOSE, quoted, words};
pub use limits::{Limits, SharedLimits, limit_secs, raise_open_files_limit};
pub use listener::serve;
pub use log_limit::LogLimit;
pub use network::Network;
pub use port::Port;
pub use serve::{FindClient, HANDSHAKE_FAILURES, Hooks};
pub use socket::{Listen, Socket, check_address, listen};
pub use url_path::UrlPath;
