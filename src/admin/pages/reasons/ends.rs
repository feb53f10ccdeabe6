//! When sessions ended, by category.

use crate::admin::pages::numbers::count;
use crate::admin::pages::window::Window;
use crate::callback::ReasonCategory;
use crate::index::{HourCount, StopCounts};

const MINUTE_MS: i64 = 60_000;

/// How long a bar of the chart can be, in minutes.
const STEPS: [i64; 11] = [1, 2, 5, 10, 30, 60, 120, 180, 360, 720, 1440];

/// How many bars the chart has at most.
const BINS_MAX: i64 = 32;

/// When sessions ended, by category.
pub(super) struct Ends(Vec<(i64, ReasonCategory, i64)>);

/// A part of the time, and how many sessions ended in it.
pub(super) struct Bin {
    pub(super) from_ms: i64,
    pub(super) until_ms: i64,
    /// In the order of [`ReasonCategory::ALL`].
    pub(super) counts: [i64; ReasonCategory::ALL.len()],
}

impl Bin {
    /// How many ended.
    pub(super) fn total(&self) -> i64 {
        self.counts.iter().sum()
    }
}

impl Ends {
    /// The ends that were counted one by one.
    pub(super) fn of_counts(counts: &StopCounts) -> Ends {
        Ends(counts.ends.iter().map(|(ended_ms, category)| (*ended_ms, *category, 1)).collect())
    }

    /// The ends of whole hours.
    pub(super) fn of_hours(hours: &[HourCount]) -> Ends {
        let end = |hour: &HourCount| hour.label.parse().ok().map(|category| (hour.hour_ms, category, hour.count));
        Ends(hours.iter().filter_map(end).collect())
    }

    /// How many there are.
    pub(super) fn total(&self) -> i64 {
        self.0.iter().map(|(.., count)| count).sum()
    }

    /// How many are interruptions.
    pub(super) fn interruptions(&self) -> i64 {
        self.0.iter().filter(|(_, category, _)| category.is_interruption()).map(|(.., count)| count).sum()
    }

    /// The categories that occur.
    pub(super) fn categories(&self) -> impl Iterator<Item = ReasonCategory> {
        ReasonCategory::ALL.into_iter().filter(|category| self.0.iter().any(|(_, other, _)| other == category))
    }

    /// Divides them into parts of the time, which are round in a zone that is `ahead_ms` ahead of UTC.
    pub(super) fn bins(&self, window: Window, ahead_ms: i64) -> Vec<Bin> {
        let fits = |step_ms: &i64| window.length_ms() / step_ms < BINS_MAX;
        let steps_ms = STEPS.map(|minutes| minutes * MINUTE_MS);
        let step_ms = steps_ms.into_iter().find(fits).unwrap_or(window.length_ms());
        let first_ms = (window.from_ms + ahead_ms).div_euclid(step_ms) * step_ms - ahead_ms;
        let bins_count = usize::try_from((window.until_ms - first_ms + step_ms - 1) / step_ms).unwrap_or(0);
        let bin = |number: usize| {
            let from_ms = first_ms + count(number) * step_ms;
            Bin { from_ms, until_ms: from_ms + step_ms, counts: Default::default() }
        };
        let mut bins: Vec<Bin> = (0..bins_count).map(bin).collect();
        for (ended_ms, category, count) in &self.0 {
            // The first hour of a time can begin before the time.
            let number = usize::try_from((ended_ms - first_ms).max(0) / step_ms).unwrap_or(usize::MAX);
            let position = ReasonCategory::ALL.iter().position(|other| other == category);
            if let (Some(bin), Some(position)) = (bins.get_mut(number), position) {
                bin.counts[position] += count;
            }
        }
        bins
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::moment::HOUR_MS;

    #[test]
    fn ends_are_divided_by_time() {
        let category = ReasonCategory::Network;
        let counts = StopCounts { ends: vec![(25 * HOUR_MS, category), (HOUR_MS, category)], ..StopCounts::default() };
        let ends = Ends::of_counts(&counts);
        assert_eq!((ends.total(), ends.interruptions()), (2, 2));
        let window = Window { from_ms: HOUR_MS / 2, until_ms: 25 * HOUR_MS + 1, span: None };
        let bins = ends.bins(window, 0);
        assert_eq!(bins.len(), 26);
        let counted: Vec<_> = bins.iter().filter(|bin| bin.total() > 0).map(|bin| bin.from_ms / HOUR_MS).collect();
        assert_eq!(counted, [1, 25]);
        // In a zone of half an hour, bars begin at half past.
        assert_eq!(ends.bins(window, HOUR_MS / 2)[0].from_ms, HOUR_MS / 2);
    }

    #[test]
    fn hours_have_counts() {
        let hour = |label: &str| HourCount { hour_ms: HOUR_MS, label: label.to_owned(), count: 7 };
        let ends = Ends::of_hours(&[hour("client"), hour("idle"), hour("later category")]);
        assert_eq!((ends.total(), ends.interruptions()), (14, 7));
        assert_eq!(ends.categories().collect::<Vec<_>>(), [ReasonCategory::Client, ReasonCategory::Idle]);
    }
}
