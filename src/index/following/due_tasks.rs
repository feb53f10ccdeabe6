//! The regular tasks of the index's worker: count the live streams, make the index durable, remove old rows, and give their
//! space back to the disk.

use std::time::Duration;

use super::follower::Follower;
use crate::index::{IndexError, Store};
use crate::journal::Offset;

/// How often the live streams are counted while records come.
const COUNT_INTERVAL: Duration = Duration::from_secs(1);

/// How long the worker may wait if no record comes. A session becomes stale without any event, so the count of live streams changes
/// with time alone.
const IDLE_WAIT: Duration = Duration::from_secs(10);

/// How often the index is made durable. If many events arrive, that happens earlier: see [`Follower::must_save`].
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(10);

/// How often old events and sessions are removed.
const PRUNE_INTERVAL: Duration = Duration::from_secs(60);

/// When each task was done last, in Unix ms; 0 before the first time.
#[derive(Default)]
pub(super) struct DueTasks {
    counted_ms: i64,
    /// The newest record of the last count.
    counted: Offset,
    checkpointed_ms: i64,
    pruned_ms: i64,
}

impl DueTasks {
    /// Does the tasks that are due at `now_ms` (Unix ms). Returns whether there is more to do at once.
    ///
    /// # Errors
    /// The index cannot be read or written, or the journal cannot be read or take the report.
    pub(super) async fn run(&mut self, follower: &mut Follower, now_ms: i64) -> Result<bool, IndexError> {
        if is_due(now_ms, self.counted_ms, COUNT_INTERVAL) {
            let count = follower.index.run(move |store| store.live_streams(now_ms)).await?;
            follower.status.set_live_streams(count);
            self.counted_ms = now_ms;
            self.counted = follower.cursor();
        }
        if is_due(now_ms, self.checkpointed_ms, CHECKPOINT_INTERVAL) || follower.must_save() {
            follower.save().await?;
            self.checkpointed_ms = now_ms;
        }
        if !is_due(now_ms, self.pruned_ms, PRUNE_INTERVAL) {
            return Ok(false);
        }
        let (first, _) = follower.bounds().await?;
        let prune = move |store: &mut Store| Ok((store.prune(first, now_ms)?, store.give_back()?));
        let (has_more_to_prune, space) = follower.index.run(prune).await?;
        follower.metrics.disk().index(space.used_bytes(), space.file_bytes());
        let has_more = has_more_to_prune || space.has_surplus();
        // The next step prunes the next slice, so that new records don't wait for all slices.
        if !has_more {
            self.pruned_ms = now_ms;
        }
        Ok(has_more)
    }

    /// Returns how long the worker may wait for records before a task is due.
    pub(super) fn wait(&self, follower: &Follower) -> Duration {
        if self.counted == follower.cursor() { IDLE_WAIT } else { COUNT_INTERVAL }
    }
}

/// Returns whether an interval has passed since `last_ms`. A clock that was set back makes a task due, so that it is not
/// delayed for long.
pub(super) fn is_due(now_ms: i64, last_ms: i64, interval: Duration) -> bool {
    now_ms < last_ms || now_ms - last_ms >= interval.as_millis() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_set_back_makes_a_task_due() {
        let secs = Duration::from_secs;
        for (now_ms, last_ms, is_expected) in [(10_999, 1000, false), (11_000, 1000, true), (999, 1000, true)] {
            assert_eq!(is_due(now_ms, last_ms, secs(10)), is_expected, "{now_ms}");
        }
    }
}
