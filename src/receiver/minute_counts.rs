//! How many callbacks were verified and refused in each of the last 60 minutes, in memory.

use std::collections::VecDeque;

/// How many minutes are kept.
const MINUTES_MAX: usize = 60;

const MINUTE_MS: i64 = 60_000;

/// The callbacks of one minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MinuteCount {
    /// How many were verified: stored, or stored before.
    pub(crate) verified: u64,
    /// How many got any other answer.
    pub(crate) refused: u64,
}

/// The callbacks of the last 60 minutes.
#[derive(Debug, Default)]
pub(super) struct MinuteCounts {
    /// The minutes with callbacks, oldest first, each with its number since 1970.
    minutes: VecDeque<(i64, MinuteCount)>,
    /// When the newest callback arrived, in Unix ms.
    last_ms: Option<i64>,
}

impl MinuteCounts {
    /// Counts a callback that arrived at `time_ms` (Unix ms).
    pub(super) fn count(&mut self, is_verified: bool, time_ms: i64) {
        self.last_ms = Some(time_ms);
        let minute = time_ms.div_euclid(MINUTE_MS);
        // If the clock was set back far, the newest minute lies in the future, and the chart would not show what counts for it. After
        // a small step back, callbacks count for the newest minute until it comes again.
        if self.minutes.back().is_some_and(|(newest, _)| *newest > minute + 1) {
            self.minutes.clear();
        }
        if self.minutes.back().is_none_or(|(newest, _)| *newest < minute) {
            if self.minutes.len() == MINUTES_MAX {
                self.minutes.pop_front();
            }
            self.minutes.push_back((minute, MinuteCount::default()));
        }
        if let Some((_, count)) = self.minutes.back_mut() {
            *(if is_verified { &mut count.verified } else { &mut count.refused }) += 1;
        }
    }

    /// Returns the counts of the 60 minutes that end at `now_ms`, oldest first. The last one is the minute that has begun.
    pub(super) fn minutes(&self, now_ms: i64) -> [MinuteCount; MINUTES_MAX] {
        let first = now_ms.div_euclid(MINUTE_MS) - (MINUTES_MAX as i64 - 1);
        let mut counts = [MinuteCount::default(); MINUTES_MAX];
        for (minute, count) in &self.minutes {
            let position = usize::try_from(minute - first).ok();
            if let Some(place) = position.and_then(|position| counts.get_mut(position)) {
                *place = *count;
            }
        }
        counts
    }

    /// When the newest callback arrived, in Unix ms.
    pub(super) fn last_ms(&self) -> Option<i64> {
        self.last_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_end_at_now() {
        let mut counts = MinuteCounts::default();
        for (is_verified, minute) in [(true, 0), (true, 1), (false, 1), (true, 1), (true, 60)] {
            counts.count(is_verified, minute * MINUTE_MS + 59_999);
        }
        let of = |verified, refused| MinuteCount { verified, refused };
        let minutes = counts.minutes(60 * MINUTE_MS);
        assert_eq!((minutes[0], minutes[1], minutes[59]), (of(2, 1), of(0, 0), of(1, 0)));
        assert_eq!(counts.minutes(200 * MINUTE_MS), [MinuteCount::default(); MINUTES_MAX]);
        assert_eq!(counts.last_ms(), Some(60 * MINUTE_MS + 59_999));
    }

    #[test]
    fn memory_is_bounded() {
        let mut counts = MinuteCounts::default();
        for minute in (0..1000).chain([998]) {
            counts.count(true, minute * MINUTE_MS);
        }
        assert_eq!(counts.minutes.len(), MINUTES_MAX);
        assert_eq!(counts.minutes(999 * MINUTE_MS)[59].verified, 2, "the clock was set back by a moment");
    }

    #[test]
    fn clock_that_was_ahead_hides_no_minute() {
        let mut counts = MinuteCounts::default();
        counts.count(true, 500 * MINUTE_MS);
        counts.count(true, 380 * MINUTE_MS);
        counts.count(false, 381 * MINUTE_MS);
        let minutes = counts.minutes(381 * MINUTE_MS);
        assert_eq!((minutes[58].verified, minutes[59].refused), (1, 1));
    }
}
