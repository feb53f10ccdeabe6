//! The keys `cert_file` and `key_file` of a listener.

use std::path::PathBuf;

use serde::Deserialize;

/// The files of a listener's TLS, as in `tls = { cert_file = "cert.pem", key_file = "key.pem" }`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct ServerFiles {
    /// The certificate of this server and the intermediate ones after it, in PEM form.
    pub cert_file: PathBuf,
    /// The private key of the first certificate, unencrypted, in PEM form.
    pub key_file: PathBuf,
}
