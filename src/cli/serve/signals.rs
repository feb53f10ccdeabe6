//! The signals of `livehook serve`: which stop it, and which it outlives. Nowhere else are signals seen.

use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::Instant;

/// For how long after the first signal to stop a further one is taken for the same: `timeout` and some supervisors signal
/// the process and its group, and one order must not cut its own drain short.
const SAME_ORDER: Duration = Duration::from_secs(1);

/// How many times the service was told to stop. Subscribed to at once, so that none is missed while the service starts.
///
/// From here on the service also outlives SIGHUP, and SIGXFSZ: a write beyond the limit of a file's size then fails, and
/// what fails to be written is handled where it is.
///
/// # Errors
/// The system gives no signals.
pub(super) fn count_stops() -> anyhow::Result<watch::Receiver<u32>> {
    let subscribe = |kind| signal(kind).context("signals cannot be subscribed to");
    let mut terminate: Signal = subscribe(SignalKind::terminate())?;
    let mut interrupt: Signal = subscribe(SignalKind::interrupt())?;
    let mut quit: Signal = subscribe(SignalKind::quit())?;
    let mut hangup: Signal = subscribe(SignalKind::hangup())?;
    // Its handler stays when this is dropped, and there is nothing for it to do.
    drop(subscribe(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?);
    let (counter, count) = watch::channel(0);
    tokio::spawn(async move {
        let mut orders = Orders::default();
        loop {
            let name = tokio::select! {
                Some(()) = terminate.recv() => "SIGTERM",
                Some(()) = interrupt.recv() => "SIGINT",
                Some(()) = quit.recv() => "SIGQUIT",
                Some(()) = hangup.recv() => {
                    tracing::info!("SIGHUP has come: there is nothing to reload; restart livehook for a new configuration");
                    continue;
                }
                () = counter.closed() => return,
                else => return,
            };
            tracing::info!("{name} has come");
            counter.send_replace(orders.after(Instant::now()));
        }
    });
    Ok(count)
}

/// How many of the signals to stop are orders of their own.
#[derive(Debug, Default)]
struct Orders {
    first: Option<Instant>,
    count: u32,
}

impl Orders {
    /// The number of orders once a signal has come `now`.
    fn after(&mut self, now: Instant) -> u32 {
        let first = *self.first.get_or_insert(now);
        if self.count == 0 || now.duration_since(first) >= SAME_ORDER {
            self.count += 1;
        }
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_that_follows_within_a_second_is_the_same_order() {
        let (mut orders, first) = (Orders::default(), Instant::now());
        let counts = [0, 3, 999, 1000, 1500].map(|after_ms| orders.after(first + Duration::from_millis(after_ms)));
        assert_eq!(counts, [1, 1, 1, 2, 3]);
    }
}
