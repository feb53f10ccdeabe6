//! Talks to a running service.

pub(crate) mod http;
pub(crate) mod listen_address;
pub(crate) mod service;
