//! A configuration without mistakes that the service may take over.

use tokio::sync::oneshot;

use crate::config::{Change, Config};

/// A configuration to compare with the running one, and to take over.
pub(in crate::app) struct Proposal {
    pub(in crate::app) config: Box<Config>,
    /// Whether only to compare.
    pub(in crate::app) is_dry_run: bool,
    /// Takes the differences, or the reason why nothing was taken over.
    pub(in crate::app) answer: oneshot::Sender<anyhow::Result<Vec<Change>>>,
}
