//! How long to wait before the next attempt: a pure value. Sleeping is the worker's business.

use std::time::Duration;

use super::RetryOptions;

impl RetryOptions {
    /// The wait after attempt number `attempt` (from 1) has failed. It doubles with each attempt up to the longest, and
    /// `jitter`, from 0 to 1, takes up to half of it away, so that sinks that failed together do not come back together.
    /// What the other side asked for is honoured where it is longer, up to the longest wait too.
    pub fn wait(&self, attempt: u32, jitter: f64, retry_after: Option<Duration>) -> Duration {
        let doublings = attempt.saturating_sub(1).min(32);
        let wait_ms = self.wait_ms_first.saturating_mul(1 << doublings).min(self.wait_ms_max);
        let wait = Duration::from_millis(wait_ms).mul_f64(1.0 - jitter.clamp(0.0, 1.0) / 2.0);
        let asked = retry_after.unwrap_or_default().min(Duration::from_millis(self.wait_ms_max));
        wait.max(asked)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn doubles_up_to_the_longest() {
        let retry = RetryOptions { wait_ms_first: 500, wait_ms_max: 3000, ..RetryOptions::default() };
        let waits: Vec<u128> = (1..6).map(|attempt| retry.wait(attempt, 0.0, None).as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 3000, 3000]);
        assert_eq!(retry.wait(1, 1.0, None).as_millis(), 250);
        assert_eq!(retry.wait(1, 0.0, Some(Duration::from_secs(2))).as_millis(), 2000);
        assert_eq!(retry.wait(1, 0.0, Some(Duration::from_secs(9999))).as_millis(), 3000);
    }

    proptest! {
        #[test]
        fn stays_within_its_bounds(
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
