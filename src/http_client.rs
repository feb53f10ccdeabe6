//! Makes every HTTP client in the same way: with rustls, and without redirects or the proxies of the environment. Answers are read
//! to their end or up to a limit.
//!
//! The callers decide what to send and how to report failures.

use reqwest::redirect::Policy;
use reqwest::tls::Certificate;
use reqwest::{Client, ClientBuilder, Response, Url};

/// The largest file of certificates that livehook reads, in bytes.
pub(crate) const CERTIFICATES_BYTES_MAX: usize = 1024 * 1024;

/// Why a client can't use certificates.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CertificateError {
    /// The PEM text is damaged.
    #[error("it is damaged: {0}; give a file of certificates in PEM form")]
    Damaged(String),
    /// There is no block in it. PEM allows any text around its blocks, so a wrong file looks like an empty one.
    #[error("there is no certificate in it; give a file of certificates in PEM form")]
    Missing,
}

/// Returns whether a client can call the URL.
pub(crate) fn is_callable(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.has_host()
}

/// Returns the URL without user, password, query and fragment, which may contain a secret.
pub(crate) fn shown(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

/// Returns a builder of a client for one URL. With `certificates` (PEM), the client trusts only these.
///
/// # Errors
/// The client can't use the certificates.
pub(crate) fn builder(url: &Url, certificates: Option<&[u8]>) -> Result<ClientBuilder, CertificateError> {
    // This fails if a provider is installed already. The client works with any provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // A redirect could send an event, or the admin token, to a host that is not in the configuration.
    let builder = Client::builder().no_proxy().redirect(Policy::none());
    if let Some(content) = certificates {
        let damaged = |error| CertificateError::Damaged(innermost(&error));
        let certificates = Certificate::from_pem_bundle(content).map_err(damaged)?;
        if certificates.is_empty() {
            return Err(CertificateError::Missing);
        }
        // A block can be encoded like a certificate without being one. Only building a client finds this out.
        Client::builder().tls_certs_only(certificates.clone()).build().map_err(damaged)?;
        return Ok(builder.tls_certs_only(certificates));
    }
    if url.scheme() == "http" {
        // The system's certificates load slowly. Without this, a container without any couldn't even use plain HTTP.
        let none = rustls::RootCertStore::empty();
        let config = rustls::ClientConfig::builder().with_root_certificates(none).with_no_client_auth();
        return Ok(builder.tls_backend_preconfigured(config));
    }
    Ok(builder)
}

/// Why the body of an answer can't be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AnswerError {
    /// It has more bytes than the limit.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// The connection broke, or the time was over.
    #[error(transparent)]
    Broken(#[from] reqwest::Error),
}

/// Reads the body of an answer to its end, so that the connection can be used again. Returns its first `kept_bytes` bytes.
///
/// # Errors
/// The connection breaks before the end, or the body has more than `bytes_max` bytes.
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

/// Returns the innermost cause of an error. The outer errors only repeat the URL.
pub(crate) fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
