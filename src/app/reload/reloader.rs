//! The sequence of a reload: read the configuration, let the service take it over, and say what has changed or what is wrong.

use std::path::{PathBuf, absolute};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::proposal::Proposal;
use super::secret_watch::SecretWatch;
use super::source::ReloadSource;
use crate::admin::{NotReloaded, ReloadRequest, Reloaded, SettingChange};
use crate::app::service_manager;
use crate::clock;
use crate::config::{Change, Config, SecretFile};
use crate::telemetry::Metrics;

/// How long reading the configuration may take. A file system that hangs never answers.
const READING_MAX: Duration = Duration::from_secs(10);

/// Reloads the configuration when a signal, a request or a changed secret file asks for that.
pub(in crate::app) struct Reloader {
    source: Arc<ReloadSource>,
    signals: mpsc::Receiver<()>,
    requests: mpsc::Receiver<ReloadRequest>,
    changed_secrets: mpsc::Receiver<PathBuf>,
    watch: SecretWatch,
    proposals: mpsc::Sender<Proposal>,
    metrics: Arc<Metrics>,
    /// The status that the service manager shows.
    status: String,
}

impl Reloader {
    /// Watches `secret_files` from now on. Proposals go to `proposals`.
    pub(in crate::app) fn new(
        source: ReloadSource,
        signals: mpsc::Receiver<()>,
        requests: mpsc::Receiver<ReloadRequest>,
        secret_files: Vec<SecretFile>,
        proposals: mpsc::Sender<Proposal>,
        metrics: Arc<Metrics>,
        status: String,
    ) -> Reloader {
        let (mut watch, changed_secrets) = SecretWatch::new();
        watch.watch(secret_files);
        Reloader { source: Arc::new(source), signals, requests, changed_secrets, watch, proposals, metrics, status }
    }

    /// Reloads until the service ends.
    pub(in crate::app) async fn run(mut self) {
        loop {
            tokio::select! {
                Some(()) = self.signals.recv() => {
                    tracing::info!("received SIGHUP: reloading the configuration");
                    let _ = self.reload().await;
                }
                Some(path) = self.changed_secrets.recv() => {
                    tracing::info!("{} has changed: reloading the configuration", path.display());
                    let _ = self.reload().await;
                }
                Some(ReloadRequest { is_dry_run, answer }) = self.requests.recv() => {
                    let result = if is_dry_run {
                        self.propose(true).await.map(|(reloaded, _)| reloaded)
                    } else {
                        tracing::info!("a request to the API reloads the configuration");
                        self.reload().await
                    };
                    // The caller may have stopped waiting.
                    let _ = answer.send(result);
                }
                else => return,
            }
        }
    }

    /// Reads the configuration and takes it over. Tells the service manager, the metrics and the log.
    async fn reload(&mut self) -> Result<Reloaded, NotReloaded> {
        service_manager::reloading();
        let result = self.propose(false).await;
        service_manager::ready(&self.status);
        let (reloaded, secret_files) = result.inspect_err(|error| {
            self.metrics.config().not_loaded();
            tracing::error!("the configuration was not reloaded, and nothing has changed: {error}");
        })?;
        self.watch.watch(secret_files);
        self.metrics.config().loaded(clock::system_clock());
        for warning in &reloaded.warnings {
            tracing::warn!("{warning}");
        }
        Ok(reloaded)
    }

    /// Reads the configuration, and lets the service take it over or only compare it. Also returns the files of its secrets.
    async fn propose(&self, is_dry_run: bool) -> Result<(Reloaded, Vec<SecretFile>), NotReloaded> {
        let config = self.read().await?;
        let file =
            config.file.as_ref().map(|path| absolute(path).unwrap_or_else(|_| path.clone()).display().to_string());
        let (mut warnings, secret_files) = (config.warnings.clone(), config.secret_files.clone());
        let (answer, result) = oneshot::channel();
        let proposal = Proposal { config: Box::new(config), is_dry_run, answer };
        let stopping = || NotReloaded::Failed("livehook is stopping".to_owned());
        self.proposals.send(proposal).await.map_err(|_| stopping())?;
        let changes = result.await.map_err(|_| stopping())?;
        let changes = changes.map_err(|error| NotReloaded::Failed(format!("{error:#}")))?;
        if !is_dry_run {
            log(&changes);
        }
        warnings.extend(changes.iter().filter_map(Change::risk));
        Ok((Reloaded { file, changes: changes.into_iter().map(shown).collect(), warnings }, secret_files))
    }

    async fn read(&self) -> Result<Config, NotReloaded> {
        let source = Arc::clone(&self.source);
        let reading = tokio::task::spawn_blocking(move || (source.read)());
        match timeout(READING_MAX, reading).await {
            Ok(Ok(Ok(config))) => Ok(config),
            Ok(Ok(Err(mistakes))) => Err(NotReloaded::Mistakes(mistakes.to_string())),
            Ok(Err(error)) => Err(NotReloaded::Failed(format!("the configuration could not be read: {error}"))),
            Err(_) => Err(NotReloaded::Failed(format!(
                "the configuration could not be read within {} s: does a mount hang?",
                READING_MAX.as_secs()
            ))),
        }
    }
}

fn log(changes: &[Change]) {
    if changes.is_empty() {
        tracing::info!("the configuration was reloaded: nothing has changed");
    }
    for change in changes {
        if change.needs_restart {
            tracing::warn!("the configuration was reloaded, except: {change}");
        } else {
            tracing::info!("the configuration was reloaded: {change}");
        }
    }
}

fn shown(Change { key, before, after, needs_restart }: Change) -> SettingChange {
    SettingChange { key, before, after, needs_restart }
}
