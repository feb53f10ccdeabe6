//! The clock: a function that returns the time. Code that needs the time takes it as an argument, so that a test can set the time.

#[cfg(test)]
pub(crate) mod testing;

/// Returns the current time in Unix ms.
pub type Clock = fn() -> i64;

/// Returns the time of the system clock in Unix ms.
pub fn system_clock() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
