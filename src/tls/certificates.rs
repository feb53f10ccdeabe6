//! Reads certificates from PEM text.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::byte_order_mark::without_mark_bytes;

/// The largest file of certificates that livehook reads, in bytes.
pub(crate) const CERTIFICATES_BYTES_MAX: usize = 1024 * 1024;

/// Why certificates can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CertificateError {
    /// The PEM text is damaged.
    #[error("it is damaged: {0}; give a file of certificates in PEM form")]
    Damaged(String),
    /// There is no block in it. PEM allows any text around its blocks, so a wrong file looks like an empty one.
    #[error("there is no certificate in it; give a file of certificates in PEM form")]
    Missing,
    /// The private key can't be used.
    #[cfg(feature = "connection")]
    #[error("the private key cannot be used: {0}; give an unencrypted key in PEM form that belongs to the certificate")]
    Key(String),
}

/// Returns the certificates of a PEM text, at least one.
///
/// # Errors
/// The text is damaged, or has no certificate.
pub(super) fn listed(content: &[u8]) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(without_mark_bytes(content)).collect();
    let listed = certificates.map_err(|error| damaged(&error))?;
    if listed.is_empty() { Err(CertificateError::Missing) } else { Ok(listed) }
}

/// Returns the error of a damaged certificate.
pub(super) fn damaged(error: &dyn std::error::Error) -> CertificateError {
    CertificateError::Damaged(error.to_string())
}
