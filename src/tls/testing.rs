//! Certificates and keys, made for tests.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use time::OffsetDateTime;

use super::{ServedIdentity, ServerFiles};

/// A certificate to make: its names and when it's valid.
pub(crate) struct Wanted(CertificateParams);

/// A certificate and its private key, in PEM form.
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
    params: CertificateParams,
    key_pair: KeyPair,
}

impl Pair {
    /// A listener's certificate with this pair.
    pub(crate) fn served(&self) -> ServedIdentity {
        let directory = tempfile::tempdir().unwrap();
        let files =
            ServerFiles { cert_file: directory.path().join("cert.pem"), key_file: directory.path().join("key.pem") };
        std::fs::write(&files.cert_file, &self.certificate).unwrap();
        std::fs::write(&files.key_file, &self.key).unwrap();
        ServedIdentity::open(files).unwrap()
    }
}

impl Wanted {
    /// A certificate for a host, valid for years.
    pub(crate) fn of(host: &str) -> Wanted {
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, host);
        Wanted(params)
    }

    /// A certificate that signs others.
    pub(crate) fn authority(mut self) -> Wanted {
        self.0.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        self
    }

    /// Sets when it's valid, in Unix seconds.
    pub(crate) fn valid(mut self, not_before_secs: i64, not_after_secs: i64) -> Wanted {
        self.0.not_before = OffsetDateTime::from_unix_timestamp(not_before_secs).unwrap();
        self.0.not_after = OffsetDateTime::from_unix_timestamp(not_after_secs).unwrap();
        self
    }

    /// Makes it, signed by itself.
    pub(crate) fn self_signed(self) -> Pair {
        let key_pair = KeyPair::generate().unwrap();
        let certificate = self.0.self_signed(&key_pair).unwrap().pem();
        Pair { certificate, key: key_pair.serialize_pem(), params: self.0, key_pair }
    }

    /// Makes it, signed by another.
    pub(crate) fn signed_by(self, signer: &Pair) -> Pair {
        let key_pair = KeyPair::generate().unwrap();
        let issuer = Issuer::from_params(&signer.params, &signer.key_pair);
        let certificate = self.0.signed_by(&key_pair, &issuer).unwrap().pem();
        Pair { certificate, key: key_pair.serialize_pem(), params: self.0, key_pair }
    }
}
