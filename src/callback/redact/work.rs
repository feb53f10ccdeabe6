//! Counts how many characters the redaction looks at, so that a test can prove that the work grows no faster than the text. Only
//! tests count.

#[cfg(test)]
thread_local! {
    static CHARACTERS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Adds to the work of this thread.
#[cfg(test)]
pub(super) fn count(characters: usize) {
    // One more, because a step without a character is work too.
    CHARACTERS.set(CHARACTERS.get() + characters + 1);
}

#[cfg(not(test))]
#[inline(always)]
pub(super) fn count(_: usize) {}

/// Returns the work since the last call.
#[cfg(test)]
pub(super) fn take() -> usize {
    CHARACTERS.take()
}
