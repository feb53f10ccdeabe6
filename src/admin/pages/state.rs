//! What the handlers of the pages share.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::admin::Sources;
use crate::admin::access::SharedAccess;
use crate::admin::api::Api;
use crate::admin::lag_history::LagHistory;
use crate::admin::logins::Logins;
use crate::admin::updates::Updates;

/// How many wrong tokens are answered at once. Each waits for a second.
const WRONG_TOKENS_MAX: usize = 16;

/// What the handlers of the pages share.
pub(in crate::admin) struct Pages {
    pub(super) api: Arc<Api>,
    pub(super) sources: Arc<Sources>,
    pub(super) logins: Arc<Logins>,
    pub(super) lag_history: Arc<LagHistory>,
    pub(super) updates: Arc<Updates>,
    pub(super) access: SharedAccess,
    /// Held by each answer to a wrong token while it waits.
    pub(super) wrong_tokens: Semaphore,
}

impl Pages {
    /// Makes the state of the pages.
    pub(in crate::admin) fn new(
        access: SharedAccess,
        api: Arc<Api>,
        sources: Arc<Sources>,
        logins: Arc<Logins>,
        lag_history: Arc<LagHistory>,
        updates: Arc<Updates>,
    ) -> Pages {
        let wrong_tokens = Semaphore::new(WRONG_TOKENS_MAX);
        Pages { api, sources, logins, lag_history, updates, access, wrong_tokens }
    }
}
