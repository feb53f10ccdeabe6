//! The clock: one function type, passed to whatever needs the time, so that a test can choose it.

#[cfg(test)]
pub(crate) mod testing;

/// Returns the current time in Unix ms.
pub type Clock = fn() -> i64;

/// Returns the time of the system clock in Unix ms.
pub fn system_clock() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
