//! TLS for clients and listeners: rustls with ring, certificates from files, and what a certificate says. It knows nothing of livehook.

mod certificates;
mod client;
mod doubt;
mod identity;
mod served_identity;
mod server_files;
#[cfg(test)]
pub(crate) mod testing;
mod validity;

pub(crate) use certificates::{CERTIFICATES_BYTES_MAX, CertificateError};
#[cfg(feature = "connection")]
pub(crate) use client::client_config;
pub(crate) use client::trusting;
pub(crate) use identity::Identity;
pub(crate) use served_identity::{ReadIdentity, ServedIdentity, UnusableFile};
pub(crate) use server_files::ServerFiles;
