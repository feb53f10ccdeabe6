//! Makes every HTTP client in the same way: with rustls, and without redirects or the proxies of the environment. Answers are read
//! to their end or up to a limit.
//!
//! The callers decide what to send and how to report failures.

use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Response, Url};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

use crate::tls::{self, CertificateError};

/// Returns whether a client can call the URL.
pub(crate) fn is_callable(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.has_host()
}

/// Returns the URL without user, password, query and fragment, which may contain a secret.
pub(crate) fn shown(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

/// Returns a builder of a client for one URL. With `certificates` (PEM), the client trusts only these: a server that has one of
/// them, and a server whose certificate one of them has signed.
///
/// # Errors
/// The client can't use the certificates.
pub(crate) fn builder(url: &Url, certificates: Option<&[u8]>) -> Result<ClientBuilder, CertificateError> {
    // This fails if a provider is installed already. The client works with any provider.
    let _ = ring::default_provider().install_default();
    // A redirect could send an event, or the admin token, to a host that is not in the configuration.
    let builder = Client::builder().no_proxy().redirect(Policy::none());
    if let Some(content) = certificates {
        return Ok(builder.tls_backend_preconfigured(tls::trusting(content)?.with_no_client_auth()));
    }
    if url.scheme() == "http" {
        // The system's certificates load slowly. Without this, a container without any couldn't even use plain HTTP.
        let none = RootCertStore::empty();
        let config = ClientConfig::builder().with_root_certificates(none).with_no_client_auth();
        return Ok(builder.tls_backend_preconfigured(config));
    }
    Ok(builder)
}

/// Why the body of an answer can't be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AnswerError {
    /// It has more bytes than the limit.
    #[error("the answer is larger than {bytes_max} bytes")]
    TooLarge {
        /// The limit.
        bytes_max: usize,
        /// The beginning of the body.
        kept: String,
    },
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
        body.extend_from_slice(&chunk[..chunk.len().min(kept_bytes - body.len())]);
        if bytes > bytes_max {
            return Err(AnswerError::TooLarge { bytes_max, kept: String::from_utf8_lossy(&body).into_owned() });
        }
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
