//! The current time, on the system clock and on a monotonic clock.

use std::time::{Duration, Instant};

use crate::clock::Clock;

/// The current time. The system clock may jump; the monotonic one does not.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Now {
    /// Unix time in ms, by the system clock.
    pub(super) wall_ms: i64,
    /// Since the journal was opened.
    pub(super) monotonic: Duration,
}

impl Now {
    /// The monotonic time in whole seconds.
    pub(super) fn monotonic_secs(self) -> u32 {
        u32::try_from(self.monotonic.as_secs()).unwrap_or(u32::MAX)
    }
}

/// The clocks that make a [`Now`].
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Clocks {
    system: Clock,
    began: Instant,
}

impl Clocks {
    /// Starts the monotonic clock.
    pub(in super::super) fn start(system: Clock) -> Clocks {
        Clocks { system, began: Instant::now() }
    }

    /// The current time.
    pub(in super::super) fn now(&self) -> Now {
        Now { wall_ms: (self.system)(), monotonic: self.began.elapsed() }
    }
}
