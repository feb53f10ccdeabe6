//! The retry rules of a sink: how long to wait before the next attempt, and when to give up. The worker does the waiting.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;

/// The retry rules of a sink: `retry` in its configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct RetryOptions {
    /// The first wait, in ms. It doubles with each attempt.
    pub wait_ms_first: u64,
    /// The longest wait, in ms.
    pub wait_ms_max: u64,
    /// The number of attempts after which an event becomes a dead letter. Unset means no limit.
    pub attempts_max: Option<u32>,
    /// The age at which an event becomes a dead letter, in seconds since livehook received it. Unset means no limit.
    pub age_secs_max: Option<u64>,
}

impl Default for RetryOptions {
    fn default() -> RetryOptions {
        RetryOptions { wait_ms_first: 500, wait_ms_max: 60_000, attempts_max: None, age_secs_max: None }
    }
}

/// For people, for example `from 500 to 60000 ms, at most 3 attempts`.
impl fmt::Display for RetryOptions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "from {} to {} ms", self.wait_ms_first, self.wait_ms_max)?;
        if let Some(attempts) = self.attempts_max {
            write!(formatter, ", at most {attempts} attempts")?;
        }
        match self.age_secs_max {
            Some(secs) => write!(formatter, ", at most {secs} s"),
            None => Ok(()),
        }
    }
}

impl RetryOptions {
    /// Returns the wait after attempt number `attempt` (from 1) has failed. It doubles with each attempt, up to the longest.
    ///
    /// `jitter`, from 0 to 1, takes up to half of it away, so that sinks that failed together don't all return at the same
    /// moment. A longer `retry_after` replaces the wait, up to the longest wait.
    pub fn wait(&self, attempt: u32, jitter: f64, retry_after: Option<Duration>) -> Duration {
        // 32 doublings of 1 ms are 49 days, and a shift by 64 would overflow.
        let doublings = attempt.saturating_sub(1).min(32);
        let wait_ms = self.wait_ms_first.saturating_mul(1 << doublings).min(self.wait_ms_max);
        let wait = Duration::from_millis(wait_ms).mul_f64(1.0 - jitter.clamp(0.0, 1.0) / 2.0);
        let asked = retry_after.unwrap_or_default().min(Duration::from_millis(self.wait_ms_max));
        wait.max(asked)
    }

    /// Whether an event becomes a dead letter after `attempts` failed attempts, `age_ms` after livehook received it.
    pub(super) fn gives_up(&self, attempts: u32, age_ms: i64) -> bool {
        // A negative age means that the clock was set back. Such an event is not old.
        let is_old = |age_secs_max| u64::try_from(age_ms / 1000).is_ok_and(|age_secs| age_secs >= age_secs_max);
        self.age_secs_max.is_some_and(is_old) || self.attempts_max.is_some_and(|attempts_max| attempts >= attempts_max)
    }
}

/// A pause before the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pause {
    /// When it began, in Unix ms.
    pub(super) since_ms: i64,
    pub(super) length: Duration,
}

impl Pause {
    /// Returns the rest of the pause. It ends at once if the clock was set back.
    pub(super) fn left(self, now_ms: i64) -> Duration {
        // The clock may have been set back by hours, and the pause must not last until it catches up.
        let passed = u64::try_from(now_ms.saturating_sub(self.since_ms)).map_or(self.length, Duration::from_millis);
        self.length.saturating_sub(passed)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let retry = RetryOptions { wait_ms_first: 500, wait_ms_max: 3000, ..RetryOptions::default() };
        let waits: Vec<u128> = (1..6).map(|attempt| retry.wait(attempt, 0.0, None).as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 3000, 3000]);
        assert_eq!(retry.wait(1, 1.0, None).as_millis(), 250);
        assert_eq!(retry.wait(1, 0.0, Some(Duration::from_secs(2))).as_millis(), 2000);
        assert_eq!(retry.wait(1, 0.0, Some(Duration::from_secs(9999))).as_millis(), 3000);
    }

    #[test]
    fn attempts_and_age_are_limited() {
        let retry = RetryOptions { attempts_max: Some(3), age_secs_max: Some(60), ..RetryOptions::default() };
        assert!(!retry.gives_up(2, 59_999));
        assert!(retry.gives_up(3, 0));
        assert!(retry.gives_up(1, 60_000));
        assert!(!retry.gives_up(1, -1), "the clock was set back, and the event is from the future");
        assert!(!RetryOptions::default().gives_up(u32::MAX, i64::MAX));
    }

    #[test]
    fn a_pause_ends_if_the_clock_is_set_back() {
        let pause = Pause { since_ms: 10_000, length: Duration::from_secs(2) };
        let left = |now_ms| pause.left(now_ms).as_millis();
        assert_eq!((left(10_000), left(11_500), left(12_000), left(9_999)), (2000, 500, 0, 0));
    }

    proptest! {
        #[test]
        fn waits_stay_within_their_bounds(
            first in 1..100_000u64, more in 0..100_000_000u64, attempt in any::<u32>(), jitter in any::<f64>(), asked in any::<u32>(),
        ) {
            let retry = RetryOptions { wait_ms_first: first, wait_ms_max: first + more, ..RetryOptions::default() };
            let jitter = if jitter.is_nan() { 0.5 } else { jitter };
            let wait = retry.wait(attempt, jitter, Some(Duration::from_secs(asked.into())));
            prop_assert!(wait >= Duration::from_millis(first).mul_f64(0.49));
            prop_assert!(wait <= Duration::from_millis(first + more));
        }
    }
}
