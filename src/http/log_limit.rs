//! Limits how many lines of a kind are logged, so that no sender can fill the disk: a burst in full, a flood in
//! samples.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many lines of a kind are logged in a burst.
const BURST: u32 = 10;

/// After this time one more line may be logged.
const INTERVAL: Duration = Duration::from_secs(1);

/// A token bucket for each kind of line, so that a flood of one kind does not hide another.
#[derive(Debug, Default)]
pub struct LogLimit {
    buckets: Mutex<Vec<(&'static str, Bucket)>>,
}

#[derive(Debug)]
struct Bucket {
    tokens: u32,
    refilled: Instant,
    suppressed: u64,
}

impl LogLimit {
    /// Returns `None` if a line of this kind must not be logged at `now`. Otherwise returns how many lines of the kind
    /// were suppressed since the last one. `kind` must come from a closed set, because each kind is stored.
    pub fn admit(&self, kind: &'static str, now: Instant) -> Option<u64> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        // There are few kinds, so a linear search finds them quickly.
        let position = match buckets.iter().position(|(known, _)| *known == kind) {
            Some(position) => position,
            None => {
                buckets.push((kind, Bucket { tokens: BURST, refilled: now, suppressed: 0 }));
                buckets.len() - 1
            }
        };
        buckets[position].1.take(now)
    }
}

impl Bucket {
    fn take(&mut self, now: Instant) -> Option<u64> {
        let intervals = now.saturating_duration_since(self.refilled).as_secs() / INTERVAL.as_secs();
        let intervals = u32::try_from(intervals).unwrap_or(u32::MAX);
        // A full bucket saves nothing for later, so that a long silence allows one burst and not more.
        if intervals >= BURST - self.tokens {
            self.tokens = BURST;
            self.refilled = now;
        } else {
            self.tokens += intervals;
            self.refilled += INTERVAL * intervals;
        }
        if self.tokens == 0 {
            self.suppressed += 1;
            return None;
        }
        self.tokens -= 1;
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn burst_is_logged_then_one_line_a_second() {
        let log = LogLimit::default();
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        for _ in 0..10 {
            assert_eq!(log.admit("malformed", at(0)), Some(0));
        }
        for _ in 0..3 {
            assert_eq!(log.admit("malformed", at(999)), None);
        }
        assert_eq!(log.admit("malformed", at(1500)), Some(3));
        assert_eq!(log.admit("malformed", at(1600)), None);
        assert_eq!(log.admit("malformed", at(2000)), Some(1), "the half second before counts");
        assert_eq!(log.admit("malformed", at(2001)), None);
        for _ in 0..10 {
            assert!(log.admit("malformed", at(1_000_000)).is_some());
        }
        assert_eq!(log.admit("malformed", at(1_000_000)), None, "a long silence allows one burst, and not more");
    }

    #[test]
    fn flood_of_one_kind_hides_no_other() {
        let log = LogLimit::default();
        let now = Instant::now();
        for _ in 0..100 {
            log.admit("not_found", now);
        }
        assert_eq!(log.admit("signature_missing", now), Some(0));
        assert_eq!(log.admit("not_found", now - Duration::from_millis(1)), None, "the clock may go backwards");
    }
}
