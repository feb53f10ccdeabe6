//! Requests to reload the configuration. The rest of the service answers them, because the admin endpoint knows no configuration.

use tokio::sync::{mpsc, oneshot};

/// How many requests may wait. Each reload takes some milliseconds.
const WAITING_MAX: usize = 8;

/// A request to reload the configuration.
#[derive(Debug)]
pub struct ReloadRequest {
    /// Whether only to say what a reload would change.
    pub is_dry_run: bool,
    /// Takes the result.
    pub answer: oneshot::Sender<Result<Reloaded, NotReloaded>>,
}

/// The result of a reload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// The configuration file that the service reads; `None` if there is none.
    pub file: Option<String>,
    /// Every difference from the configuration that was in use.
    pub changes: Vec<SettingChange>,
    /// A sentence for each setting that is allowed but may be unintended.
    pub warnings: Vec<String>,
}

/// A difference between two configurations, without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingChange {
    /// The key.
    pub key: String,
    /// The value that was in use; `None` if there is none, or if it is secret.
    pub before: Option<String>,
    /// The new value; `None` if there is none, or if it is secret.
    pub after: Option<String>,
    /// Whether it takes effect only after a restart.
    pub needs_restart: bool,
}

/// Why nothing was reloaded. The service goes on with the configuration that it had.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum NotReloaded {
    /// The configuration has mistakes: the report of all of them.
    #[error("{0}")]
    Mistakes(String),
    /// Something else failed, and another try may succeed.
    #[error("{0}")]
    Failed(String),
}

/// Hands requests over to the part of the service that reloads.
#[derive(Clone, Debug)]
pub struct Reloads(mpsc::Sender<ReloadRequest>);

impl Reloads {
    /// Makes the sender, and the receiver for the part that reloads.
    pub fn new() -> (Reloads, mpsc::Receiver<ReloadRequest>) {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        (Reloads(sender), receiver)
    }

    /// Requests a reload, and returns its result.
    ///
    /// # Errors
    /// Nothing was reloaded.
    pub(super) async fn request(&self, is_dry_run: bool) -> Result<Reloaded, NotReloaded> {
        let (answer, result) = oneshot::channel();
        let gone = |_| NotReloaded::Failed("this service can't reload its configuration now".to_owned());
        self.0.try_send(ReloadRequest { is_dry_run, answer }).map_err(|_| gone(()))?;
        result.await.map_err(|_| gone(()))?
    }
}
