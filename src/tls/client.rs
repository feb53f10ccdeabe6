//! The settings of TLS for every client: rustls with ring, and the certificates of a file in place of those of the system.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WantsClientCert, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, ring};
#[cfg(feature = "connection")]
use rustls::pki_types::PrivateKeyDer;
#[cfg(feature = "connection")]
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ConfigBuilder, DigitallySignedStruct, RootCertStore, SignatureScheme};
#[cfg(feature = "connection")]
use rustls_platform_verifier::BuilderVerifierExt;

use super::certificates::{CertificateError, damaged, listed};
#[cfg(feature = "connection")]
use crate::byte_order_mark::without_mark_bytes;

/// Makes the settings of a client that trusts the certificates in `trusted` (PEM), or else the system's. It shows the server its own
/// certificate, if `identity` holds the certificates and the private key (both PEM).
///
/// # Errors
/// The client can't use the certificates or the key.
#[cfg(feature = "connection")]
pub(crate) fn client_config(
    trusted: Option<&[u8]>,
    identity: Option<(&[u8], &[u8])>,
) -> Result<ClientConfig, CertificateError> {
    let builder = match trusted {
        Some(content) => trusting(content)?,
        None => {
            let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
            let config = config.with_safe_default_protocol_versions().map_err(|error| damaged(&error))?;
            config.with_platform_verifier().map_err(|error| damaged(&error))?
        }
    };
    let Some((certificates, key)) = identity else { return Ok(builder.with_no_client_auth()) };
    let key = PrivateKeyDer::from_pem_slice(without_mark_bytes(key));
    let key = key.map_err(|error| CertificateError::Key(error.to_string()))?;
    let config = builder.with_client_auth_cert(listed(certificates)?, key);
    config.map_err(|error| CertificateError::Key(error.to_string()))
}

/// Begins the settings of a client that trusts only these certificates (PEM): a server that has one of them, and a server whose
/// certificate one of them has signed.
///
/// # Errors
/// A client can't use the certificates.
pub(crate) fn trusting(content: &[u8]) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, CertificateError> {
    let listed = listed(content)?;
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
    Ok(config.dangerous().with_custom_certificate_verifier(verifier))
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
