//! Reports the state of the service to the service manager, by systemd's protocol (`NOTIFY_SOCKET`): ready, status, reloading, stopping, alive.
//! Without such a manager, nothing happens.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::sleep;

use crate::journal::{Journal, SqliteJournal};

/// The service takes callbacks, or waits for its turn or for space. `systemctl status` shows the text.
pub(super) fn ready(status: &str) {
    notify(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The service reloads its configuration. [`ready`] ends that.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!("the service manager gets no report of a reload: {error}"),
    }
}

/// The service has begun to stop.
pub(super) fn stopping() {
    notify(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!("the service manager can't be reached: {error}");
    }
}

/// Reports twice in each period of the watchdog that the service is alive, if the service manager wants that: the runtime takes
/// turns, and the journal answers. Otherwise the manager restarts the service. The reports end when this is dropped.
pub(super) struct Watchdog {
    _task: JoinSet<()>,
    journal: Arc<OnceLock<Arc<SqliteJournal>>>,
}

impl Watchdog {
    pub(super) fn start() -> Watchdog {
        let (mut task, journal) = (JoinSet::new(), Arc::<OnceLock<Arc<SqliteJournal>>>::default());
        if let Some(period) = sd_notify::watchdog_enabled() {
            let journal = Arc::clone(&journal);
            task.spawn(async move {
                let unanswered = || journal.get().map_or(Duration::ZERO, |journal| journal.health().busy_for);
                report_alive(period, unanswered).await;
            });
        }
        Watchdog { _task: task, journal }
    }

    /// From now on the journal must answer. Before, nothing can be asked.
    pub(super) fn watch(&self, journal: &Arc<SqliteJournal>) {
        let _ = self.journal.set(Arc::clone(journal));
    }
}

/// Reports as long as `unanswered`, the time for which the journal has not answered, is less than the period.
async fn report_alive(period: Duration, unanswered: impl Fn() -> Duration) {
    loop {
        if unanswered() < period {
            // The socket of a manager that hangs can block.
            let _ = spawn_blocking(|| notify(&[NotifyState::Watchdog])).await;
        } else {
            tracing::error!("the journal doesn't answer, so the watchdog of the service manager will restart livehook");
        }
        sleep(period / 2).await;
    }
}
