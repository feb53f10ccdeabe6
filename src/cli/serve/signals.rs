//! The signals of `livehook serve`: which ones stop it, which one reloads its configuration, and which ones it survives.

use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// Signals within this time after the first one count as the same order to stop. `timeout` and some supervisors signal both
/// the process and its group, and this must not cut the drain short.
const SAME_ORDER: Duration = Duration::from_secs(1);

/// The signals that have arrived.
pub(super) struct Signals {
    /// How many orders to stop.
    pub(super) stops: watch::Receiver<u32>,
    /// A message for each order to reload. Orders that come while one waits are one.
    pub(super) reloads: mpsc::Receiver<()>,
}

/// Subscribes to signals.
///
/// From now on the process survives SIGHUP, SIGUSR1, SIGUSR2 and SIGXFSZ. With SIGXFSZ handled, a write beyond the file size
/// limit fails with an error, which the writer handles.
///
/// # Errors
/// The system refuses the subscription.
pub(super) fn subscribe() -> anyhow::Result<Signals> {
    let subscribe = |kind| signal(kind).context("cannot subscribe to signals");
    let mut terminate: Signal = subscribe(SignalKind::terminate())?;
    let mut interrupt: Signal = subscribe(SignalKind::interrupt())?;
    let mut quit: Signal = subscribe(SignalKind::quit())?;
    let mut hangup: Signal = subscribe(SignalKind::hangup())?;
    // Other services reopen their logs after these, so scripts send them to livehook too.
    let mut user_1: Signal = subscribe(SignalKind::user_defined1())?;
    let mut user_2: Signal = subscribe(SignalKind::user_defined2())?;
    // The handler stays installed after the drop, and has nothing to do.
    drop(subscribe(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?);
    let (counter, stops) = watch::channel(0);
    let (reload, reloads) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut orders = Orders::default();
        loop {
            let name = tokio::select! {
                Some(()) = terminate.recv() => "SIGTERM",
                Some(()) = interrupt.recv() => "SIGINT",
                Some(()) = quit.recv() => "SIGQUIT",
                Some(()) = hangup.recv() => {
                    let _ = reload.try_send(());
                    continue;
                }
                Some(()) = user_1.recv() => {
                    tracing::info!("received SIGUSR1, which does nothing");
                    continue;
                }
                Some(()) = user_2.recv() => {
                    tracing::info!("received SIGUSR2, which does nothing");
                    continue;
                }
                () = counter.closed() => return,
                else => return,
            };
            tracing::info!("received {name}");
            counter.send_replace(orders.after(Instant::now()));
        }
    });
    Ok(Signals { stops, reloads })
}

/// Counts orders to stop, where several signals may be one order.
#[derive(Debug, Default)]
struct Orders {
    first: Option<Instant>,
    count: u32,
}

impl Orders {
    /// Counts a signal that arrives `now`, and returns the number of orders.
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
    fn signals_within_a_second() {
        let (mut orders, first) = (Orders::default(), Instant::now());
        let counts = [0, 3, 999, 1000, 1500].map(|after_ms| orders.after(first + Duration::from_millis(after_ms)));
        assert_eq!(counts, [1, 1, 1, 2, 3]);
    }
}
