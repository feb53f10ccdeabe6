//! Talks to a running service over HTTP.

mod http;
mod listen_address;
mod service;

pub(crate) use http::{NoAnswer, client, no_answer, parse_url, read_body, shown};
pub(crate) use listen_address::{admin_url, reachable};
pub(crate) use service::Service;
