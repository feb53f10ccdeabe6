//! The changes that a person can make to deliveries. The routes of the API and the pages share them.

use std::time::Duration;

use super::state::{Api, not_changed};
use crate::admin::problem::Problem;
use crate::delivery::SkipSelection;
use crate::journal::{ChangedDeadLetters, DeadLetterAction, DeadLetterSelection};

/// How long a request to give up on events waits for the worker, which may be in the middle of a delivery.
const SKIP_TIMEOUT: Duration = Duration::from_secs(60);

impl Api {
    /// Redrives or drops dead letters.
    pub(in crate::admin) async fn change_dead_letters(
        &self,
        action: DeadLetterAction,
        selection: DeadLetterSelection,
    ) -> Result<ChangedDeadLetters, Problem> {
        let changed = self.journal.change_dead_letters(action, selection).await.map_err(not_changed)?;
        let count = changed.count;
        match action {
            DeadLetterAction::Redrive => tracing::info!(count, "dead letters were redriven on request"),
            DeadLetterAction::Drop => tracing::warn!(count, "dead letters were dropped on request"),
        }
        Ok(changed)
    }

    /// Ends every pause of a sink.
    pub(in crate::admin) fn retry_sink(&self, name: &str) -> Result<(), Problem> {
        self.sink_of_path(name)?.requests.retry();
        tracing::info!(sink = name, "the pauses of a sink were ended on request");
        Ok(())
    }

    /// Makes dead letters of events that a sink has read and not delivered. Returns their number.
    pub(in crate::admin) async fn skip_events(&self, name: &str, selection: SkipSelection) -> Result<u64, Problem> {
        let sink = self.sink_of_path(name)?;
        let skipped = sink.requests.skip(selection);
        let count = tokio::time::timeout(SKIP_TIMEOUT, skipped).await.ok().flatten().ok_or_else(|| {
            Problem::unavailable(
                "unavailable",
                "the sink has not answered: it is stopping, it could not start yet, or a delivery takes long. Look at its dead letters, and try again",
            )
        })?;
        tracing::info!(sink = name, count, "events of a sink were given up on request");
        Ok(count)
    }

    /// Ends a replay that is running.
    pub(in crate::admin) async fn cancel_replay(&self, number: i64) -> Result<(), Problem> {
        if self.journal.cancel_replay(number).await.map_err(not_changed)? {
            tracing::info!(replay = number, "a replay was cancelled on request");
        }
        Ok(())
    }
}
