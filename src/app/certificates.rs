//! The certificates of the listeners with TLS: takes over renewed files while the service runs, and warns before a certificate
//! expires.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use rustls::ServerConfig;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::clock::Clock;
use crate::config::Config;
use crate::http::HANDSHAKE_FAILURES;
use crate::telemetry::Metrics;
use crate::tls::{Identity, ReadIdentity, ServedIdentity, ServerFiles, UnusableFile};

/// How often the files are compared with the certificates in use.
const CHECK_INTERVAL: Duration = Duration::from_secs(10);

/// How long a warning about the same certificate is not repeated, in ms.
const WARNING_INTERVAL_MS: i64 = 24 * 3600 * 1000;

/// The certificates of both listeners.
pub(super) struct Certificates {
    pub(super) receiver: Option<ListenerCertificate>,
    pub(super) admin: Option<ListenerCertificate>,
}

/// Files that the listeners may use instead of the ones so far; `None` for a listener without TLS.
pub(super) struct OtherFiles {
    receiver: Option<ReadIdentity>,
    admin: Option<ReadIdentity>,
}

/// The certificate of one listener.
pub(super) struct ListenerCertificate {
    listener: &'static str,
    served: Arc<ServedIdentity>,
    server_config: Arc<ServerConfig>,
    metrics: Arc<Metrics>,
    clock: Clock,
    noted: Mutex<Noted>,
}

/// What the log has said about a certificate.
struct Noted {
    /// The failure of the last check.
    failure: Option<String>,
    /// When the log last warned of the certificate's end, in Unix ms.
    warned_ms: i64,
}

impl Certificates {
    /// Reads the files of the listeners that have TLS.
    ///
    /// # Errors
    /// A file can't be read or used.
    pub(super) fn open(config: &Config, metrics: &Arc<Metrics>, clock: Clock) -> anyhow::Result<Certificates> {
        let open = |listener, files: &Option<ServerFiles>| {
            let files = files.clone();
            files.map(|files| ListenerCertificate::open(listener, files, Arc::clone(metrics), clock)).transpose()
        };
        Ok(Certificates { receiver: open("receiver", &config.receiver.tls)?, admin: open("admin", &config.admin.tls)? })
    }

    /// Reads the files of all listeners again, and uses them from the next handshake on if they have changed. Returns for each
    /// listener a sentence if it has new certificates, and an error if its files can't be used: it then keeps its certificates so far.
    /// It blocks while it reads.
    pub(super) fn reload(&self) -> Vec<(&ListenerCertificate, Result<Option<String>, UnusableFile>)> {
        self.listeners().map(|listener| (listener, listener.reload())).collect()
    }

    /// Reads the files that another configuration names, for each listener that has TLS now. It blocks while it reads.
    ///
    /// # Errors
    /// A file can't be read or used.
    pub(super) fn read(&self, receiver: Option<ServerFiles>, admin: Option<ServerFiles>) -> anyhow::Result<OtherFiles> {
        let read = |listener: &Option<ListenerCertificate>, files: Option<ServerFiles>| {
            let files = listener.as_ref().and(files);
            files.map(ReadIdentity::read).transpose()
        };
        let receiver = read(&self.receiver, receiver).context("receiver.tls")?;
        Ok(OtherFiles { receiver, admin: read(&self.admin, admin).context("admin.tls")? })
    }

    /// Uses other files from the next handshake on.
    pub(super) fn take_over(&self, OtherFiles { receiver, admin }: OtherFiles) {
        for (listener, read) in [(&self.receiver, receiver), (&self.admin, admin)] {
            if let (Some(listener), Some(read)) = (listener, read) {
                let identity = listener.served.take_over(read);
                listener.show(&identity);
            }
        }
    }

    /// Compares the files with the certificates in use, now and then, for as long as the service runs. Without TLS it returns at
    /// once, so that it never wakes the process.
    pub(super) async fn watch(self: Arc<Certificates>) {
        while self.listeners().next().is_some() {
            sleep(CHECK_INTERVAL).await;
            let certificates = Arc::clone(&self);
            // A read from a mount that hangs must not stop the service.
            let _ = spawn_blocking(move || certificates.step()).await;
        }
    }

    fn step(&self) {
        for (listener, reloaded) in self.reload() {
            listener.note(reloaded);
        }
    }

    fn listeners(&self) -> impl Iterator<Item = &ListenerCertificate> {
        self.receiver.iter().chain(&self.admin)
    }
}

impl ListenerCertificate {
    fn open(
        listener: &'static str,
        files: ServerFiles,
        metrics: Arc<Metrics>,
        clock: Clock,
    ) -> anyhow::Result<ListenerCertificate> {
        let served = Arc::new(ServedIdentity::open(files).with_context(|| format!("{listener}.tls"))?);
        let server_config = served.server_config()?;
        metrics.tls().not_after(listener, served.identity().not_after_secs());
        metrics.tls().expect_handshakes(listener, &HANDSHAKE_FAILURES);
        // The warnings of the configuration have just said it.
        let noted = Mutex::new(Noted { failure: None, warned_ms: clock() });
        Ok(ListenerCertificate { listener, served, server_config, metrics, clock, noted })
    }

    /// The settings of TLS, for the port.
    pub(super) fn server_config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.server_config)
    }

    /// Reads the files again. Returns a sentence if there are new certificates.
    fn reload(&self) -> Result<Option<String>, UnusableFile> {
        let Some(identity) = self.served.reload()? else { return Ok(None) };
        self.show(&identity);
        for doubt in identity.doubts((self.clock)() / 1000) {
            tracing::warn!(listener = self.listener, "{doubt}");
        }
        Ok(Some(format!("{}.tls: new certificate, valid until {}", self.listener, identity.valid_until())))
    }

    /// Shows other certificates in the metrics, and forgets what the log has said about the last ones.
    fn show(&self, identity: &Identity) {
        self.metrics.tls().not_after(self.listener, identity.not_after_secs());
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        *noted = Noted { failure: None, warned_ms: (self.clock)() };
    }

    /// Logs new certificates, files that can't be used, and once a day an end that comes near.
    fn note(&self, reloaded: Result<Option<String>, UnusableFile>) {
        match reloaded {
            Ok(Some(text)) => tracing::info!("{text}"),
            Ok(None) => {
                self.noted.lock().unwrap_or_else(PoisonError::into_inner).failure = None;
                self.warn_of_end(&self.served.identity());
            }
            Err(error) => self.note_failure(error.to_string()),
        }
    }

    /// Warns once of files that can't be used. They are tried again at each check, because the certificate and the key are often
    /// replaced one after the other.
    fn note_failure(&self, failure: String) {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.failure.as_ref() != Some(&failure) {
            tracing::warn!(
                listener = self.listener,
                "the new files of TLS can't be used, so the certificate so far stays in use: {failure}"
            );
            noted.failure = Some(failure);
        }
    }

    fn warn_of_end(&self, identity: &Identity) {
        let now_ms = (self.clock)();
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        if now_ms - noted.warned_ms < WARNING_INTERVAL_MS {
            return;
        }
        if let Some(doubt) = identity.doubts(now_ms / 1000).into_iter().find(|doubt| doubt.is_about_time()) {
            noted.warned_ms = now_ms;
            tracing::warn!(listener = self.listener, "{doubt}");
        }
    }
}
