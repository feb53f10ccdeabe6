//! The files of a sink's TLS: the certificates that it believes, and the certificate that it shows.

use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;

use crate::sink::Failure;
use crate::sink::blocking::blocking;
use crate::sink::mistake::Mistakes;
use crate::sink::small_file::SmallFile;
use crate::tls::{self, CERTIFICATES_BYTES_MAX};

/// The keys of TLS.
#[derive(Clone, Copy, Debug)]
pub(in crate::sink) struct TlsFiles<'o> {
    /// `ca_file`
    pub(in crate::sink) ca_file: Option<&'o Path>,
    /// `client_certificate_file`
    pub(in crate::sink) client_certificate_file: Option<&'o Path>,
    /// `client_key_file`
    pub(in crate::sink) client_key_file: Option<&'o Path>,
}

/// The contents of the files.
#[derive(Default)]
pub(in crate::sink) struct Pem {
    /// The content of `ca_file`.
    pub(in crate::sink) ca: Option<Vec<u8>>,
    /// The content of `client_certificate_file`.
    pub(in crate::sink) certificates: Option<Vec<u8>>,
    /// The content of `client_key_file`.
    pub(in crate::sink) key: Option<Vec<u8>>,
}

impl TlsFiles<'_> {
    /// Adds the mistakes in these keys. `is_tls` is whether the URL asks for TLS, and `scheme` is the one that does.
    pub(in crate::sink) fn check(self, is_tls: bool, scheme: &str, mistakes: &mut Mistakes) {
        self.check_switch(is_tls, &format!("begin the URL with {scheme}://"), mistakes);
    }

    /// Adds the mistakes in these keys. `cure` says how to turn TLS on.
    pub(in crate::sink) fn check_switch(self, is_tls: bool, cure: &str, mistakes: &mut Mistakes) {
        let keys = [
            ("ca_file", self.ca_file),
            ("client_certificate_file", self.client_certificate_file),
            ("client_key_file", self.client_key_file),
        ];
        for (key, path) in keys {
            let Some(path) = path.filter(|_| !is_tls) else { continue };
            let rule = format!("has no effect without TLS: {cure}, or remove this key");
            mistakes.add(key, Some(format!("{path:?}")), &rule);
        }
        for (key, has, other, has_other) in [
            ("client_certificate_file", self.client_certificate_file, "client_key_file", self.client_key_file),
            ("client_key_file", self.client_key_file, "client_certificate_file", self.client_certificate_file),
        ] {
            let Some(path) = has.filter(|_| has_other.is_none()) else { continue };
            mistakes.add(key, Some(format!("{path:?}")), &format!("needs `{other}` too"));
        }
    }

    /// Reads the files, for a library that makes its own settings of TLS.
    ///
    /// # Errors
    /// A file can't be read or used. livehook says so better than such a library.
    #[cfg(feature = "sql")]
    pub(in crate::sink) async fn pem(self) -> Result<Pem, Failure> {
        self.read().await.map(|(_, pem)| pem)
    }

    /// Reads the files, and makes the settings of TLS.
    ///
    /// # Errors
    /// A file can't be read or used.
    pub(in crate::sink) async fn config(self) -> Result<Arc<ClientConfig>, Failure> {
        self.read().await.map(|(config, _)| Arc::new(config))
    }

    async fn read(self) -> Result<(ClientConfig, Pem), Failure> {
        let pem = Pem {
            ca: content("ca_file", self.ca_file).await?,
            certificates: content("client_certificate_file", self.client_certificate_file).await?,
            key: content("client_key_file", self.client_key_file).await?,
        };
        // Without `ca_file`, this reads the certificates of the system.
        let made = blocking(move || {
            let identity = pem.certificates.as_deref().zip(pem.key.as_deref());
            tls::client_config(pem.ca.as_deref(), identity).map(|config| (config, pem))
        });
        made.await?.map_err(|error| {
            let files: Vec<String> = [self.ca_file, self.client_certificate_file, self.client_key_file]
                .into_iter()
                .flatten()
                .map(|path| path.display().to_string())
                .collect();
            let from = if files.is_empty() { String::new() } else { format!(" from {}", files.join(", ")) };
            Failure::outage(format!("the settings of TLS{from} cannot be used: {error}"))
        })
    }
}

async fn content(key: &'static str, path: Option<&Path>) -> Result<Option<Vec<u8>>, Failure> {
    match path {
        Some(path) => SmallFile::new(key, path, CERTIFICATES_BYTES_MAX as u64).read().await.map(Some),
        None => Ok(None),
    }
}
