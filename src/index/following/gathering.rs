//! Decides how long a new record waits for others, so that one commit takes several.

use std::time::Duration;

use tokio::time::Instant;

/// The shortest time between two wake-ups of the worker under load. A commit for each record would cost more than all else.
const GATHER_INTERVAL: Duration = Duration::from_millis(50);

/// When the worker last began to write after a pause.
#[derive(Debug, Default)]
pub(super) struct Gathering(Option<Instant>);

impl Gathering {
    /// Returns how long a record that arrives at `now` waits for others. After a quiet time that is zero, because a user who
    /// has just sent an event looks for it.
    pub(super) fn wait(&mut self, now: Instant) -> Duration {
        let next = self.0.map_or(now, |last| last + GATHER_INTERVAL).max(now);
        self.0 = Some(next);
        next - now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_records_under_load_are_gathered() {
        let start = Instant::now();
        let mut gathering = Gathering::default();
        for (arrived_ms, expected_ms) in [(0, 0), (10, 40), (60, 40), (149, 1), (200, 0), (10_000, 0), (10_050, 0)] {
            let wait = gathering.wait(start + Duration::from_millis(arrived_ms));
            assert_eq!(wait, Duration::from_millis(expected_ms), "at {arrived_ms} ms");
        }
    }
}
