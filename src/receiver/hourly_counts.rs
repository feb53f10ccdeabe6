//! Counts callbacks by hour and outcome, and by minute, in memory, since the service started.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::minute_counts::{MinuteCount, MinuteCounts};
use crate::moment::{HOUR_MS, hour_of};

/// How many hours with callbacks are kept.
const HOURS_MAX: usize = 48;

/// How many callbacks had each outcome, in each of the last 48 hours in which callbacks arrived.
#[derive(Debug)]
pub struct HourlyCounts(Mutex<Hours>);

#[derive(Debug)]
struct Hours {
    since_ms: i64,
    /// By the start of the hour in Unix ms. An hour has few outcomes, so a linear search finds them.
    counts: BTreeMap<i64, Vec<(&'static str, u64)>>,
    minutes: MinuteCounts,
}

impl HourlyCounts {
    /// Starts to count at `since_ms` (Unix ms).
    pub fn new(since_ms: i64) -> HourlyCounts {
        HourlyCounts(Mutex::new(Hours { since_ms, counts: BTreeMap::new(), minutes: MinuteCounts::default() }))
    }

    /// Counts a callback that arrived at `time_ms` (Unix ms). `outcome` must come from a closed set, because each is
    /// stored.
    pub(crate) fn count(&self, outcome: &'static str, time_ms: i64) {
        let mut hours = self.lock();
        hours.minutes.count(matches!(outcome, "stored" | "duplicate"), time_ms);
        let outcomes = hours.counts.entry(hour_of(time_ms)).or_default();
        match outcomes.iter_mut().find(|(known, _)| *known == outcome) {
            Some((_, count)) => *count += 1,
            None => outcomes.push((outcome, 1)),
        }
        // After a jump of the clock the oldest hour can be this very one. The bound matters more than its count.
        if hours.counts.len() > HOURS_MAX
            && let Some((oldest_ms, _)) = hours.counts.pop_first()
        {
            hours.since_ms = hours.since_ms.max(oldest_ms + HOUR_MS);
        }
    }

    /// Returns the counts of the 60 minutes that end at `now_ms` (Unix ms), oldest first.
    pub(crate) fn minutes(&self, now_ms: i64) -> [MinuteCount; 60] {
        self.lock().minutes.minutes(now_ms)
    }

    /// When the newest callback arrived, in Unix ms; `None` if none has come since the service started.
    pub(crate) fn last_callback_ms(&self) -> Option<i64> {
        self.lock().minutes.last_ms()
    }

    /// The time from which on the counts are complete, in Unix ms.
    pub(crate) fn since_ms(&self) -> i64 {
        self.lock().since_ms
    }

    /// Returns the counts of the hours that start at or after `since_ms` and before `until_ms`. Each count is the start
    /// of the hour in Unix ms, the outcome and the number of callbacks; they are sorted in this order.
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
        let counts = HourlyCounts::new(5);
        for (outcome, time_ms) in
            [("stored", 0), ("stored", HOUR_MS - 1), ("malformed", 1), ("stored", HOUR_MS), ("duplicate", 3 * HOUR_MS)]
        {
            counts.count(outcome, time_ms);
        }
        let all = [(0, "malformed", 1), (0, "stored", 2), (HOUR_MS, "stored", 1), (3 * HOUR_MS, "duplicate", 1)];
        assert_eq!(counts.hours(i64::MIN, i64::MAX), all);
        assert_eq!(counts.hours(1, 3 * HOUR_MS), all[2..3]);
        assert_eq!(counts.hours(HOUR_MS, HOUR_MS), []);
        assert_eq!(counts.since_ms(), 5);
    }

    /// Also if the clock jumps.
    #[test]
    fn only_the_last_hours_are_kept() {
        let counts = HourlyCounts::new(0);
        for hour in 0..100 {
            counts.count("stored", hour * HOUR_MS);
        }
        let hours = counts.hours(i64::MIN, i64::MAX);
        assert_eq!((hours.len(), hours[0]), (48, (52 * HOUR_MS, "stored", 1)));
        assert_eq!(counts.since_ms(), 52 * HOUR_MS);
        counts.count("stored", 0);
        counts.count("stored", i64::MAX);
        counts.count("stored", i64::MIN);
        assert_eq!(counts.hours(i64::MIN, i64::MAX).len(), 48);
    }
}
