//! HTTP clients, all made one way: rustls, no proxy of the environment, no redirect followed, answers read up to a bound.
//!
//! What they are for, and how their failures are told, is with those that use them.

use reqwest::redirect::Policy;
use reqwest::tls::Certificate;
use reqwest::{Client, ClientBuilder, Response, Url};

/// The most that a file of certificates may hold, in bytes.
pub(crate) const CERTIFICATES_BYTES_MAX: usize = 1024 * 1024;

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CertificateError {
    /// What is there is damaged.
    #[error("{0}")]
    Damaged(String),
    /// PEM has text around its blocks, so that a wrong file may look like one without any.
    #[error("there is no certificate in it; give a file in PEM form")]
    Missing,
}

/// Whether a client can call it.
pub(crate) fn is_callable(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.has_host()
}

/// The URL without the parts that may hold a secret.
pub(crate) fn shown(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

/// Begins a client for one URL. With `certificates` (PEM), only a server that one of them vouches for is believed.
///
/// # Errors
/// The certificates are none.
pub(crate) fn builder(url: &Url, certificates: Option<&[u8]>) -> Result<ClientBuilder, CertificateError> {
    // Somebody else may have installed one already; any will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder().no_proxy().redirect(Policy::none());
    if let Some(content) = certificates {
        let certificates = Certificate::from_pem_bundle(content);
        let certificates = certificates.map_err(|error| CertificateError::Damaged(innermost(&error)))?;
        if certificates.is_empty() {
            return Err(CertificateError::Missing);
        }
        return Ok(builder.tls_certs_only(certificates));
    }
    if url.scheme() == "http" {
        // The system's certificates are slow to load, and an image without any could not even speak plain HTTP.
        let nobody = rustls::RootCertStore::empty();
        let config = rustls::ClientConfig::builder().with_root_certificates(nobody).with_no_client_auth();
        return Ok(builder.tls_backend_preconfigured(config));
    }
    Ok(builder)
}

/// The body of an answer, of which at most `bytes_max` are kept and read.
///
/// # Errors
/// The connection breaks before the end or the bound.
pub(crate) async fn read_body(mut response: Response, bytes_max: usize) -> reqwest::Result<String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk[..chunk.len().min(bytes_max - body.len())]);
        if body.len() == bytes_max {
            break;
        }
    }
    Ok(String::from_utf8_lossy(&body).into_owned())
}

/// The innermost cause of an error: what wraps it only repeats the URL.
pub(crate) fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
