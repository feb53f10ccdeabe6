//! How many callbacks came to which end, by hour: counted in memory since the service started.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::moment::{HOUR_MS, hour_of};

/// How many hours are kept.
const HOURS_MAX: usize = 48;

/// The outcomes of callbacks in the last hours in which any came.
#[derive(Debug)]
pub struct HourlyCounts(Mutex<Hours>);

#[derive(Debug)]
struct Hours {
    since_ms: i64,
    /// By the beginning of the hour. An hour has few outcomes, so they are looked for one by one.
    counts: BTreeMap<i64, Vec<(&'static str, u64)>>,
}

impl HourlyCounts {
    /// Nothing yet, at `since_ms` (Unix ms).
    pub fn new(since_ms: i64) -> HourlyCounts {
        HourlyCounts(Mutex::new(Hours { since_ms, counts: BTreeMap::new() }))
    }

    /// Counts a callback that came at `time_ms` (Unix ms). `outcome` must come from a closed set, since each is remembered.
    pub(crate) fn count(&self, outcome: &'static str, time_ms: i64) {
        let mut hours = self.lock();
        let outcomes = hours.counts.entry(hour_of(time_ms)).or_default();
        match outcomes.iter_mut().find(|(known, _)| *known == outcome) {
            Some((_, count)) => *count += 1,
            None => outcomes.push((outcome, 1)),
        }
        if hours.counts.len() > HOURS_MAX
            && let Some((oldest_ms, _)) = hours.counts.pop_first()
        {
            hours.since_ms = hours.since_ms.max(oldest_ms + HOUR_MS);
        }
    }

    /// Since when all are counted, in Unix ms.
    pub(crate) fn since_ms(&self) -> i64 {
        self.lock().since_ms
    }

    /// The hours that began from `since_ms` to before `until_ms` with what came in them, in that order.
    pub(crate) fn hours(&self, since_ms: i64, until_ms: i64) -> Vec<(i64, &'static str, u64)> {
        let mut counts: Vec<_> = {
            let hours = self.lock();
            let range = hours.counts.iter().filter(|(hour_ms, _)| (since_ms..until_ms).contains(*hour_ms));
            range
                .flat_map(|(hour, outcomes)| outcomes.iter().map(|(outcome, count)| (*hour, *outcome, *count)))
                .collect()
        };
        counts.sort_unstable();
        counts
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Hours> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_counted_by_hour() {
        let tally = HourlyCounts::new(5);
        for (outcome, time_ms) in
            [("stored", 0), ("stored", HOUR_MS - 1), ("malformed", 1), ("stored", HOUR_MS), ("duplicate", 3 * HOUR_MS)]
        {
            tally.count(outcome, time_ms);
        }
        let all = [(0, "malformed", 1), (0, "stored", 2), (HOUR_MS, "stored", 1), (3 * HOUR_MS, "duplicate", 1)];
        assert_eq!(tally.hours(i64::MIN, i64::MAX), all);
        assert_eq!(tally.hours(1, 3 * HOUR_MS), all[2..3]);
        assert_eq!(tally.hours(HOUR_MS, HOUR_MS), []);
        assert_eq!(tally.since_ms(), 5);
    }

    #[test]
    fn no_more_than_its_hours_are_kept_whatever_the_clock_does() {
        let tally = HourlyCounts::new(0);
        for hour in 0..100 {
            tally.count("stored", hour * HOUR_MS);
        }
        let hours = tally.hours(i64::MIN, i64::MAX);
        assert_eq!((hours.len(), hours[0]), (48, (52 * HOUR_MS, "stored", 1)));
        assert_eq!(tally.since_ms(), 52 * HOUR_MS);
        tally.count("stored", 0);
        tally.count("stored", i64::MAX);
        tally.count("stored", i64::MIN);
        assert_eq!(tally.hours(i64::MIN, i64::MAX).len(), 48);
    }
}
