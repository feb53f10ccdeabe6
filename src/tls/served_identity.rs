//! The certificates and the key that a listener shows, read again when their files change.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::crypto::ring::{self, Ticketer};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{Error, ServerConfig};

use super::certificates::CERTIFICATES_BYTES_MAX;
use super::identity::Identity;
use super::server_files::ServerFiles;
use crate::named_file;

/// A file of a listener's TLS that can't be used. As text: `/etc/tls/key.pem: permission denied`.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub(crate) struct UnusableFile {
    path: PathBuf,
    reason: String,
}

/// The content of both files.
#[derive(PartialEq, Eq)]
struct Contents {
    certificates: Vec<u8>,
    key: Vec<u8>,
}

/// Certificates and their key that can be used, with the files that hold them.
pub(crate) struct ReadIdentity {
    files: ServerFiles,
    contents: Contents,
    identity: Arc<Identity>,
}

impl ReadIdentity {
    /// Reads the files.
    ///
    /// # Errors
    /// A file can't be read or used, or they don't belong together.
    pub(crate) fn read(files: ServerFiles) -> Result<ReadIdentity, UnusableFile> {
        let contents = Contents::read(&files)?;
        let identity = contents.identity(&files)?;
        Ok(ReadIdentity { files, contents, identity })
    }
}

/// The certificates and the key of a listener. A handshake takes those of this moment.
pub(crate) struct ServedIdentity {
    current: Mutex<ReadIdentity>,
}

impl ServedIdentity {
    /// Reads the files.
    ///
    /// # Errors
    /// A file can't be read or used, or they don't belong together.
    pub(crate) fn open(files: ServerFiles) -> Result<ServedIdentity, UnusableFile> {
        Ok(ServedIdentity { current: Mutex::new(ReadIdentity::read(files)?) })
    }

    /// Uses other files from the next handshake on. Returns their certificates.
    pub(crate) fn take_over(&self, read: ReadIdentity) -> Arc<Identity> {
        let identity = Arc::clone(&read.identity);
        *self.lock() = read;
        identity
    }

    /// Reads the files again, and uses them from the next handshake on. Returns the new certificates; `None` if the files have not
    /// changed. After an error, the certificates so far stay in use.
    ///
    /// # Errors
    /// The same as of [`ServedIdentity::open`]. While the two files are replaced one after the other, they don't belong together.
    pub(crate) fn reload(&self) -> Result<Option<Arc<Identity>>, UnusableFile> {
        // Without the lock, because a read can take long, and handshakes must not wait for it.
        let files = self.lock().files.clone();
        let contents = Contents::read(&files)?;
        if self.lock().contents == contents {
            return Ok(None);
        }
        let identity = contents.identity(&files)?;
        let mut current = self.lock();
        if current.files != files {
            // A reload has named other files since then.
            return Ok(None);
        }
        *current = ReadIdentity { files, contents, identity: Arc::clone(&identity) };
        Ok(Some(identity))
    }

    fn lock(&self) -> MutexGuard<'_, ReadIdentity> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The certificates that are in use.
    pub(crate) fn identity(&self) -> Arc<Identity> {
        Arc::clone(&self.lock().identity)
    }

    /// Returns the settings of a listener that shows these certificates: TLS 1.2 and 1.3, and HTTP/1.1.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub(crate) fn server_config(self: &Arc<Self>) -> Result<Arc<ServerConfig>, Error> {
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions()?.with_no_client_auth();
        let mut config = config.with_cert_resolver(Arc::clone(self) as _);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // A client keeps its session itself, so many clients cost no memory here.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.ticketer = Ticketer::new()?;
        config.send_tls13_tickets = 1;
        Ok(Arc::new(config))
    }
}

impl ResolvesServerCert for ServedIdentity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.identity().certified_key())
    }
}

impl std::fmt::Debug for ServedIdentity {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("ServedIdentity").field(&self.lock().files).finish()
    }
}

impl Contents {
    fn read(files: &ServerFiles) -> Result<Contents, UnusableFile> {
        let read = |path: &PathBuf| {
            named_file::read(path, CERTIFICATES_BYTES_MAX)
                .map_err(|error| UnusableFile { path: path.clone(), reason: error.to_string() })
        };
        Ok(Contents { certificates: read(&files.cert_file)?, key: read(&files.key_file)? })
    }

    fn identity(&self, files: &ServerFiles) -> Result<Arc<Identity>, UnusableFile> {
        Identity::from_pem(&self.certificates, &self.key).map(Arc::new).map_err(|error| {
            let path = if error.is_about_key() { &files.key_file } else { &files.cert_file };
            UnusableFile { path: path.clone(), reason: error.to_string() }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::tls::testing::Wanted;

    #[test]
    fn changed_files_are_used_when_they_fit() {
        let directory = tempfile::tempdir().unwrap();
        let files =
            ServerFiles { cert_file: directory.path().join("cert.pem"), key_file: directory.path().join("key.pem") };
        let (one, other) = (Wanted::of("one.example.com").self_signed(), Wanted::of("other.example.com").self_signed());
        let missing = ServedIdentity::open(files.clone()).unwrap_err().to_string();
        assert!(missing.contains("cert.pem: No such file"), "{missing}");

        fs::write(&files.cert_file, &one.certificate).unwrap();
        fs::write(&files.key_file, &one.key).unwrap();
        let served = ServedIdentity::open(files.clone()).unwrap();
        assert!(served.reload().unwrap().is_none());

        fs::write(&files.cert_file, &other.certificate).unwrap();
        let mismatch = served.reload().unwrap_err().to_string();
        assert!(mismatch.contains("key.pem: the key does not belong"), "{mismatch}");
        assert_eq!(served.identity().names(), ["one.example.com"]);

        fs::write(&files.key_file, &other.key).unwrap();
        assert_eq!(served.reload().unwrap().unwrap().names(), ["other.example.com"]);
        assert_eq!(served.identity().names(), ["other.example.com"]);
        assert!(served.reload().unwrap().is_none());

        let moved =
            ServerFiles { cert_file: directory.path().join("moved.pem"), key_file: directory.path().join("moved.key") };
        fs::write(&moved.cert_file, &one.certificate).unwrap();
        fs::write(&moved.key_file, &one.key).unwrap();
        served.take_over(ReadIdentity::read(moved.clone()).unwrap());
        assert_eq!(served.identity().names(), ["one.example.com"]);
        fs::write(&moved.cert_file, &other.certificate).unwrap();
        fs::write(&moved.key_file, &other.key).unwrap();
        assert_eq!(served.reload().unwrap().unwrap().names(), ["other.example.com"], "the new paths are watched");
    }
}
