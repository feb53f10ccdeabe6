//! A clock for tests. Each thread, and so each test on a current-thread runtime, has its own time.

use std::cell::Cell;

thread_local! {
    static NOW_MS: Cell<i64> = const { Cell::new(0) };
}

/// Returns the time of the test, in Unix ms. It stands still until the test changes it.
pub(crate) fn test_clock() -> i64 {
    NOW_MS.get()
}

/// Sets the time of the test, in Unix ms.
pub(crate) fn set_test_clock(now_ms: i64) {
    NOW_MS.set(now_ms);
}

/// Moves the time of the test forward, in ms.
pub(crate) fn advance_test_clock(ms: i64) {
    NOW_MS.set(NOW_MS.get() + ms);
}
