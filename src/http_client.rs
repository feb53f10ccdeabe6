//! HTTP clients, all made one way: rustls, no proxy of the environment, no redirect followed, answers read to their end or up to a bound.
//!
//! The callers decide what to send and how to report failures.

use reqwest::redirect::Policy;
use reqwest::tls::Certificate;
use reqwest::{Client, ClientBuilder, Response, Url};

/// The most that a file of certificates may hold, in bytes.
pub(crate) const CERTIFICATES_BYTES_MAX: usize = 1024 * 1024;

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CertificateError {
    /// The PEM text is damaged.
    #[error("it is damaged: {0}; give a file of certificates in PEM form")]
    Damaged(String),
    /// PEM has text around its blocks, so that a wrong file may look like one without any.
    #[error("there is no certificate in it; give a file of certificates in PEM form")]
    Missing,
}

/// Returns whether a client can call the URL.
pub(crate) fn is_callable(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.has_host()
}

/// The URL without the parts that may hold a secret.
pub(crate) fn shown(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

/// Begins a client for one URL. With `certificates` (PEM), the client trusts only these.
///
/// # Errors
/// The certificates cannot be used.
pub(crate) fn builder(url: &Url, certificates: Option<&[u8]>) -> Result<ClientBuilder, CertificateError> {
    // Somebody else may have installed one already; any will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder().no_proxy().redirect(Policy::none());
    if let Some(content) = certificates {
        let damaged = |error| CertificateError::Damaged(innermost(&error));
        let certificates = Certificate::from_pem_bundle(content).map_err(damaged)?;
        if certificates.is_empty() {
            return Err(CertificateError::Missing);
        }
        // Only building a client finds a block that is encoded like a certificate but does not hold one.
        Client::builder().tls_certs_only(certificates.clone()).build().map_err(damaged)?;
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

/// Why the body of an answer cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AnswerError {
    /// It is too large to be read to its end.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// The connection breaks, or the time is over.
    #[error(transparent)]
    Broken(#[from] reqwest::Error),
}

/// Reads the body of an answer to its end, and keeps its first `kept_bytes`.
///
/// # Errors
/// The connection breaks before the end, or there is more than `bytes_max`.
pub(crate) async fn read_body(
    mut response: Response,
    kept_bytes: usize,
    bytes_max: usize,
) -> Result<String, AnswerError> {
    let (mut body, mut bytes) = (Vec::new(), 0_usize);
    while let Some(chunk) = response.chunk().await? {
        bytes = bytes.saturating_add(chunk.len());
        if bytes > bytes_max {
            return Err(AnswerError::TooLarge(bytes_max));
        }
        body.extend_from_slice(&chunk[..chunk.len().min(kept_bytes - body.len())]);
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
