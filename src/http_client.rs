//! Makes every HTTP client in the same way: with rustls, and without redirects or the proxies of the environment. Answers are read
//! to their end or up to a limit.
//!
//! The callers decide what to send and how to report failures.

use std::sync::Arc;

use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder, Response, Url};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::byte_order_mark::without_mark_bytes;

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
        return Ok(builder.tls_backend_preconfigured(trusting(without_mark_bytes(content))?));
    }
    if url.scheme() == "http" {
        // The system's certificates load slowly. Without this, a container without any couldn't even use plain HTTP.
        let none = RootCertStore::empty();
        let config = ClientConfig::builder().with_root_certificates(none).with_no_client_auth();
        return Ok(builder.tls_backend_preconfigured(config));
    }
    Ok(builder)
}

/// The settings of TLS that trust only these certificates.
fn trusting(content: &[u8]) -> Result<ClientConfig, CertificateError> {
    let damaged = |error: &dyn std::error::Error| CertificateError::Damaged(error.to_string());
    let certificates: Result<Vec<CertificateDer<'static>>, _> = CertificateDer::pem_slice_iter(content).collect();
    let listed = certificates.map_err(|error| damaged(&error))?;
    if listed.is_empty() {
        return Err(CertificateError::Missing);
    }
    let mut authorities = RootCertStore::empty();
    for certificate in &listed {
        // A block can be encoded like a certificate without being one. This finds it out.
        authorities.add(certificate.clone()).map_err(|error| damaged(&error))?;
    }
    let provider: Arc<CryptoProvider> = Arc::new(ring::default_provider());
    let signed = WebPkiServerVerifier::builder_with_provider(Arc::new(authorities), Arc::clone(&provider)).build();
    let signed = signed.map_err(|error| damaged(&error))?;
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| damaged(&error))?;
    let verifier = Arc::new(ListedOrSigned { listed, signed });
    Ok(config.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

/// Believes a certificate that is listed, whatever its names, dates and purposes. The others need a listed signer, as usual.
///
/// A self-signed certificate is often marked as a CA, has no name, or both. The server has its key, as the handshake proves.
#[derive(Debug)]
struct ListedOrSigned {
    listed: Vec<CertificateDer<'static>>,
    signed: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for ListedOrSigned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.listed.iter().any(|listed| listed == certificate) {
            return Ok(ServerCertVerified::assertion());
        }
        self.signed.verify_server_cert(certificate, intermediates, name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.signed.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.signed.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.signed.supported_verify_schemes()
    }
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
