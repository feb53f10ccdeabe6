//! The certificates and the private key that a listener shows.

use std::sync::Arc;

use rustls::client::verify_server_name;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use webpki::EndEntityCert;

use super::certificates::{CertificateError, damaged, listed};
use super::doubt::{Doubt, shown_time};
use super::validity::Validity;
use crate::byte_order_mark::without_mark_bytes;

/// Why a certificate and a key can't be used together.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdentityError {
    /// The certificates can't be used.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// There is no private key in the text.
    #[error("there is no private key in it; give the private key in PEM form")]
    KeyMissing,
    /// The key is encrypted, so a person would have to type a password at each start.
    #[error("the private key is encrypted; write it without a password: `openssl pkey -in key.pem -out plain.pem`")]
    KeyEncrypted,
    /// The key is damaged, or of a kind that the TLS library doesn't know.
    #[error(
        "the private key cannot be used: {0}; give one of RSA (2048 bits or more), ECDSA (P-256, P-384) or Ed25519 in PEM form"
    )]
    KeyUnusable(String),
    /// The key belongs to a later certificate of the file.
    #[error("the key belongs to certificate {0} of the file; put that one first, and its issuer after it")]
    KeyOfLater(usize),
    /// The key belongs to another certificate.
    #[error("the key does not belong to the certificate; give the two files that were made together")]
    KeyMismatch,
}

impl IdentityError {
    /// Whether the file of the key is at fault, and not the file of the certificates.
    pub(crate) fn is_about_key(&self) -> bool {
        !matches!(self, IdentityError::Certificate(_) | IdentityError::KeyOfLater(_))
    }
}

/// Certificates and the private key of the first one.
#[derive(Debug)]
pub(crate) struct Identity {
    certified_key: Arc<CertifiedKey>,
    /// The times of each certificate, in the order of the file.
    validities: Vec<Validity>,
}

impl Identity {
    /// Reads certificates and a key from PEM text.
    ///
    /// # Errors
    /// One of them can't be used, or they don't belong together.
    pub(crate) fn from_pem(certificates: &[u8], key: &[u8]) -> Result<Identity, IdentityError> {
        let chain = listed(certificates)?;
        let validities: Option<Vec<Validity>> = chain.iter().map(|certificate| Validity::of(certificate)).collect();
        let validities =
            validities.ok_or_else(|| CertificateError::Damaged("a certificate has no dates".to_owned()))?;
        let key = private_key(key)?;
        let signing_key =
            ring::sign::any_supported_type(&key).map_err(|error| IdentityError::KeyUnusable(error.to_string()))?;
        let certified_key = CertifiedKey::new(chain, signing_key);
        match certified_key.keys_match() {
            Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => {
                Ok(Identity { certified_key: Arc::new(certified_key), validities })
            }
            Err(Error::InconsistentKeys(_)) => Err(mismatch(&certified_key)),
            Err(error) => Err(damaged(&error).into()),
        }
    }

    /// The certificates and the key as the TLS library takes them.
    pub(super) fn certified_key(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.certified_key)
    }

    /// When the first of the certificates expires, in Unix seconds. Clients refuse the others with it.
    pub(crate) fn not_after_secs(&self) -> i64 {
        self.validities.iter().map(|validity| validity.not_after_secs).min().unwrap_or_default()
    }

    /// The same as text, for example `2026-11-27T03:45:00Z`.
    pub(crate) fn valid_until(&self) -> String {
        shown_time(self.not_after_secs())
    }

    /// The host names of the first certificate.
    pub(crate) fn names(&self) -> Vec<String> {
        let Ok(certificate) = EndEntityCert::try_from(self.leaf()) else { return Vec::new() };
        certificate.valid_dns_names().map(str::to_owned).collect()
    }

    /// Whether the first certificate is for this host name or address.
    pub(crate) fn is_for(&self, host: &str) -> bool {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let (Ok(certificate), Ok(name)) = (ParsedCertificate::try_from(self.leaf()), ServerName::try_from(host)) else {
            return false;
        };
        verify_server_name(&certificate, &name).is_ok()
    }

    /// Why some clients may refuse these certificates at this time, or will do so soon.
    pub(crate) fn doubts(&self, now_secs: i64) -> Vec<Doubt> {
        let not_before_secs = self.validities.iter().map(|validity| validity.not_before_secs).max().unwrap_or_default();
        let time = Doubt::of_time(not_before_secs, self.not_after_secs(), now_secs);
        time.into_iter().chain(self.doubt_of_chain()).collect()
    }

    fn doubt_of_chain(&self) -> Option<Doubt> {
        let chain: Result<Vec<EndEntityCert<'_>>, _> =
            self.certified_key.cert.iter().map(EndEntityCert::try_from).collect();
        // A certificate that this library can't read may be right for others.
        let chain = chain.ok()?;
        let is_issued_by_next = |pair: &[EndEntityCert<'_>]| pair[0].issuer() == pair[1].subject();
        match chain.as_slice() {
            [leaf] => (leaf.issuer() != leaf.subject()).then_some(Doubt::WithoutIntermediate),
            chain => (!chain.windows(2).all(is_issued_by_next)).then_some(Doubt::OutOfOrder),
        }
    }

    fn leaf(&self) -> &CertificateDer<'static> {
        // `from_pem` makes no identity without a certificate.
        &self.certified_key.cert[0]
    }
}

fn private_key(text: &[u8]) -> Result<PrivateKeyDer<'static>, IdentityError> {
    let text = without_mark_bytes(text);
    PrivateKeyDer::from_pem_slice(text).map_err(|error| {
        let has = |part: &str| text.windows(part.len()).any(|window| window == part.as_bytes());
        match error {
            // The second is openssl's older form.
            _ if has("BEGIN ENCRYPTED PRIVATE KEY") || has("Proc-Type: 4,ENCRYPTED") => IdentityError::KeyEncrypted,
            pem::Error::NoItemsFound => IdentityError::KeyMissing,
            error => IdentityError::KeyUnusable(error.to_string()),
        }
    })
}

/// Finds out whether the key belongs to a later certificate.
fn mismatch(certified_key: &CertifiedKey) -> IdentityError {
    let later = certified_key.cert.iter().position(|certificate| {
        CertifiedKey::new(vec![certificate.clone()], Arc::clone(&certified_key.key)).keys_match().is_ok()
    });
    later.map_or(IdentityError::KeyMismatch, |position| IdentityError::KeyOfLater(position + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::testing::{Pair, Wanted};

    const NOW_SECS: i64 = 1_700_000_000;

    fn identity(certificates: &[&Pair]) -> Identity {
        let chain: String = certificates.iter().map(|pair| pair.certificate.as_str()).collect();
        Identity::from_pem(chain.as_bytes(), certificates[0].key.as_bytes()).unwrap()
    }

    #[test]
    fn wrong_files_are_explained() {
        let (one, other) = (Wanted::of("a.example.com").self_signed(), Wanted::of("b.example.com").self_signed());
        let both = format!("{}{}", other.certificate, one.certificate);
        let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        // openssl's older form, which has a head.
        let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
        let damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (certificates, key, found) in [
            ("", &*one.key, "there is no certificate in it"),
            (&*one.key, &*one.key, "there is no certificate in it"),
            (damaged, &*one.key, "it is damaged"),
            ("-----BEGIN CERTIFICATE-----\n", &*one.key, "it is damaged"),
            (&*one.certificate, "", "there is no private key in it"),
            (&*one.certificate, &*one.certificate, "there is no private key in it"),
            (&*one.certificate, encrypted, "the private key is encrypted"),
            (&*one.certificate, old, "the private key is encrypted"),
            (
                &*one.certificate,
                "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
                "the private key cannot be used",
            ),
            (&*one.certificate, &*other.key, "the key does not belong to the certificate"),
            (&*both, &*one.key, "the key belongs to certificate 2 of the file"),
        ] {
            let error = Identity::from_pem(certificates.as_bytes(), key.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(found), "{found}: {error}");
        }
    }

    #[test]
    fn both_can_stand_in_one_file() {
        let pair = Wanted::of("a.example.com").self_signed();
        let both = format!("\u{feff}a comment\n{}{}", pair.key, pair.certificate);
        let identity = Identity::from_pem(both.as_bytes(), both.as_bytes()).unwrap();
        assert_eq!(identity.names(), ["a.example.com"]);
        assert!(identity.is_for("A.example.com") && !identity.is_for("b.example.com") && !identity.is_for("::1"));
        assert!(identity_for("127.0.0.1").is_for("127.0.0.1") && identity_for("::1").is_for("[::1]"));
    }

    fn identity_for(host: &str) -> Identity {
        identity(&[&Wanted::of(host).self_signed()])
    }

    #[test]
    fn chain_is_compared() {
        let root = Wanted::of("root.example.com").authority().self_signed();
        let intermediate = Wanted::of("ca.example.com").authority().signed_by(&root);
        let leaf = Wanted::of("a.example.com").signed_by(&intermediate);
        assert_eq!(identity(&[&leaf, &intermediate]).doubts(NOW_SECS), []);
        assert_eq!(identity(&[&leaf, &intermediate, &root]).doubts(NOW_SECS), []);
        assert_eq!(identity(&[&root]).doubts(NOW_SECS), []);
        assert_eq!(identity(&[&leaf]).doubts(NOW_SECS), [Doubt::WithoutIntermediate]);
        assert_eq!(identity(&[&leaf, &root, &intermediate]).doubts(NOW_SECS), [Doubt::OutOfOrder]);
    }

    #[test]
    fn first_end_counts() {
        let root = Wanted::of("root.example.com").authority().valid(0, NOW_SECS - 5).self_signed();
        let leaf = Wanted::of("a.example.com").valid(0, NOW_SECS + 5).signed_by(&root);
        let identity = identity(&[&leaf, &root]);
        assert_eq!(identity.not_after_secs(), NOW_SECS - 5);
        assert_eq!(identity.doubts(NOW_SECS), [Doubt::Expired { not_after_secs: NOW_SECS - 5 }]);
    }
}
