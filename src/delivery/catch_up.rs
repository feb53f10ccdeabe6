//! How long a sink needs to catch up with the journal, measured over the last minute.

use std::collections::VecDeque;

/// The time over which the speed is measured, in ms.
const SPAN_MS: i64 = 60_000;

/// The time between two samples, in ms.
const INTERVAL_MS: i64 = 1000;

/// Samples of a sink's lag.
#[derive(Debug, Default)]
pub(super) struct CatchUp {
    /// The moment in Unix ms, and the records behind the journal's head.
    samples: VecDeque<(i64, i64)>,
}

impl CatchUp {
    /// Takes in the lag at this moment.
    pub(super) fn note(&mut self, now_ms: i64, lag: i64) {
        // A clock that was set back makes all samples useless.
        if self.samples.back().is_some_and(|(last_ms, _)| now_ms < *last_ms) {
            self.samples.clear();
        }
        if self.samples.len() > 1 && self.samples.back().is_some_and(|(last_ms, _)| now_ms - last_ms < INTERVAL_MS) {
            self.samples.pop_back();
        }
        self.samples.push_back((now_ms, lag));
        while self.samples.front().is_some_and(|(first_ms, _)| now_ms - first_ms > SPAN_MS) {
            self.samples.pop_front();
        }
    }

    /// Returns the seconds until the sink has caught up at the present speed; `None` if it isn't behind, or doesn't catch up.
    pub(super) fn secs(&self) -> Option<i64> {
        let (&(first_ms, lag_before), &(last_ms, lag)) = (self.samples.front()?, self.samples.back()?);
        let (passed_ms, caught_up) = (last_ms - first_ms, lag_before - lag);
        (lag > 0 && passed_ms > 0 && caught_up > 0).then(|| lag.saturating_mul(passed_ms) / caught_up / 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_speed_is_that_of_the_last_minute() {
        let mut catch_up = CatchUp::default();
        assert_eq!(catch_up.secs(), None);
        for second in 0..200 {
            // 10 records a second, and 50 in the last minute.
            let lag = if second < 139 { 10_000 - 10 * second } else { 8610 - 50 * (second - 139) };
            for part in 0..10 {
                catch_up.note(second * 1000 + part, lag);
            }
        }
        assert_eq!(catch_up.secs(), Some(5610 / 50));
        assert!(catch_up.samples.len() <= 62);
        catch_up.note(200_000, 9000);
        assert_eq!(catch_up.secs(), None, "it falls behind");
        catch_up.note(100_000, 100);
        assert_eq!(catch_up.secs(), None, "the clock was set back");
    }
}
