//! From times to places across the time line.

/// Places are whole hundredths of a percent of the width, so that a drawing fits any window.
const WIDTH: i64 = 10_000;

const MINUTE_MS: i64 = 60_000;

/// The distances between marks on the axis, in ms.
const STEPS_MS: [i64; 15] = [
    10_000,
    30_000,
    MINUTE_MS,
    2 * MINUTE_MS,
    5 * MINUTE_MS,
    10 * MINUTE_MS,
    15 * MINUTE_MS,
    30 * MINUTE_MS,
    60 * MINUTE_MS,
    120 * MINUTE_MS,
    180 * MINUTE_MS,
    360 * MINUTE_MS,
    720 * MINUTE_MS,
    1440 * MINUTE_MS,
    7 * 1440 * MINUTE_MS,
];

/// How many marks an axis has at most.
const MARKS_MAX: i64 = 8;

/// From times (Unix ms) to places across the time line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::admin::pages) struct Scale {
    from_ms: i64,
    until_ms: i64,
}

impl Scale {
    /// Returns the scale of a time, which is at least 1 ms long.
    pub(in crate::admin::pages) fn new(from_ms: i64, until_ms: i64) -> Scale {
        Scale { from_ms, until_ms: until_ms.max(from_ms.saturating_add(1)) }
    }

    /// The place of a time, in hundredths of a percent. A time outside is at the edge.
    pub(in crate::admin::pages) fn place(self, time_ms: i64) -> i64 {
        let passed_ms = time_ms.clamp(self.from_ms, self.until_ms) - self.from_ms;
        // In 128 bits, because a window of an odd address may be long.
        let place = i128::from(passed_ms) * i128::from(WIDTH) / i128::from(self.until_ms - self.from_ms);
        i64::try_from(place).unwrap_or(WIDTH)
    }

    /// Whether a time is within.
    pub(in crate::admin::pages) fn contains(self, time_ms: i64) -> bool {
        (self.from_ms..=self.until_ms).contains(&time_ms)
    }

    /// The times of the marks, which are round in a zone that is `ahead_ms` ahead of UTC.
    pub(in crate::admin::pages) fn marks(self, ahead_ms: i64) -> impl Iterator<Item = i64> {
        let length_ms = self.until_ms - self.from_ms;
        let fits = |step_ms: &i64| length_ms / step_ms <= MARKS_MAX;
        let step_ms = STEPS_MS.into_iter().find(fits).unwrap_or(length_ms);
        let local_ms = self.from_ms.saturating_add(ahead_ms);
        let first_ms = local_ms + (step_ms - local_ms.rem_euclid(step_ms)) % step_ms - ahead_ms;
        let until_ms = self.until_ms;
        std::iter::successors(Some(first_ms), move |mark_ms| Some(mark_ms + step_ms))
            .take_while(move |mark_ms| *mark_ms < until_ms)
    }
}

/// A place as a length of SVG, such as `12.34%`.
pub(in crate::admin::pages) fn percent(place: i64) -> String {
    format!("{}.{:02}%", place / 100, place % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_places() {
        let scale = Scale::new(1000, 2000);
        assert_eq!([0, 1000, 1234, 2000, i64::MAX].map(|time_ms| scale.place(time_ms)), [0, 0, 2340, 10_000, 10_000]);
        assert_eq!([0, 7, 1234, 10_000].map(percent), ["0.00%", "0.07%", "12.34%", "100.00%"]);
        assert_eq!(Scale::new(5, 5).place(5), 0);
    }

    #[test]
    fn marks_are_round_in_the_zone() {
        let hour_ms = 60 * MINUTE_MS;
        let marks =
            |scale: Scale, ahead_ms| scale.marks(ahead_ms).map(|mark_ms| mark_ms / MINUTE_MS).collect::<Vec<_>>();
        assert_eq!(marks(Scale::new(1, hour_ms), 0), [10, 20, 30, 40, 50]);
        assert_eq!(marks(Scale::new(0, 24 * hour_ms), 0), [0, 180, 360, 540, 720, 900, 1080, 1260]);
        // Midnight in Korea is 15:00 UTC.
        assert_eq!(marks(Scale::new(0, 7 * 24 * hour_ms), 9 * hour_ms)[..2], [900, 2340]);
        assert_eq!(marks(Scale::new(0, MINUTE_MS), 0).len(), 6);
        assert!(marks(Scale::new(0, 400 * 24 * hour_ms), 0).len() <= 2);
    }
}
