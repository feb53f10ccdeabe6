//! Decides how long a new record waits for others, so that one commit takes several.

use std::time::Duration;

use tokio::time::Instant;

/// The shortest time between two wake-ups of the worker under load. A commit for each record would cost more than all else.
const INTERVAL: Duration = Duration::from_millis(50);

/// The shortest time if a query waits for the records. All queries of this time share one commit.
const INTERVAL_WITH_QUERIES: Duration = Duration::from_millis(10);

/// When the worker last began to write after a pause.
#[derive(Debug, Default)]
pub(super) struct Gathering(Option<Instant>);

/// How long a record waits for others.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Waits {
    /// If no query waits for it.
    pub(super) usual: Duration,
    /// If a query does.
    pub(super) with_queries: Duration,
}

impl Gathering {
    /// Returns how long a record that arrives at `now` waits for others. After a quiet time that is zero, because a user who
    /// has just sent an event looks for it.
    pub(super) fn waits(&self, now: Instant) -> Waits {
        let until = |interval| self.0.map_or(Duration::ZERO, |last| (last + interval).saturating_duration_since(now));
        Waits { usual: until(INTERVAL), with_queries: until(INTERVAL_WITH_QUERIES) }
    }

    /// Ends the gathering: the worker begins to write at `now`.
    pub(super) fn end(&mut self, now: Instant) {
        self.0 = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_records_under_load_are_gathered() {
        let start = Instant::now();
        let mut gathering = Gathering::default();
        for (arrived_ms, usual_ms, with_queries_ms) in
            [(0, 0, 0), (10, 40, 0), (55, 45, 5), (149, 1, 0), (200, 0, 0), (10_000, 0, 0), (10_049, 1, 0)]
        {
            let arrived = start + Duration::from_millis(arrived_ms);
            let (usual, with_queries) = (Duration::from_millis(usual_ms), Duration::from_millis(with_queries_ms));
            assert_eq!(gathering.waits(arrived), Waits { usual, with_queries }, "at {arrived_ms} ms");
            gathering.end(arrived + usual);
        }
    }
}
