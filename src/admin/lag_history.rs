//! How far each sink was behind in the last three hours, in memory. The pages draw it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::sources::{Sources, lag};
use crate::delivery::Status;

/// How far the history reaches back, in ms.
pub(super) const SPAN_MS: i64 = 3 * 3600 * 1000;

/// The time between two samples.
const INTERVAL: Duration = Duration::from_secs(60);

/// How many samples each sink has at most.
const SAMPLES_MAX: usize = 181;

/// How far a sink was behind at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LagSample {
    /// The moment, in Unix ms.
    pub(super) moment_ms: i64,
    /// How many records the sink was behind the journal's head.
    pub(super) records: i64,
    /// For how long its oldest pending event had waited, in ms.
    pub(super) age_ms: i64,
}

/// The samples of every sink.
#[derive(Default)]
pub(super) struct LagHistory {
    /// By the name of the sink, the oldest sample first.
    sinks: Mutex<BTreeMap<String, VecDeque<LagSample>>>,
}

impl LagHistory {
    /// Takes a sample of every sink once a minute, until the service is stopping.
    pub(super) async fn run(&self, sources: &Sources) {
        let mut stopping = sources.stopping.clone();
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => self.step(sources),
                _ = stopping.wait_for(|stopping| *stopping) => return,
            }
        }
    }

    /// Takes a sample of every sink.
    fn step(&self, sources: &Sources) {
        self.add(sources.sinks.all().iter().map(|status| (status.sink.clone(), sample(sources, status))).collect());
    }

    /// Takes in a sample of each sink. Forgets the sinks that have none.
    fn add(&self, fresh: Vec<(String, LagSample)>) {
        let mut sinks = self.sinks.lock().unwrap_or_else(PoisonError::into_inner);
        sinks.retain(|known, _| fresh.iter().any(|(name, _)| name == known));
        for (name, sample) in fresh {
            let samples = sinks.entry(name).or_default();
            // After the clock was set back, samples of the future would hide the present.
            samples.retain(|earlier| earlier.moment_ms < sample.moment_ms);
            if samples.len() == SAMPLES_MAX {
                samples.pop_front();
            }
            samples.push_back(sample);
        }
    }

    /// Returns the samples of the last three hours of a sink, the oldest first. The last one is of this moment.
    pub(super) fn samples(&self, sources: &Sources, status: &Status) -> Vec<LagSample> {
        let sinks = self.sinks.lock().unwrap_or_else(PoisonError::into_inner);
        let mut samples: Vec<LagSample> = sinks.get(&status.sink).into_iter().flatten().copied().collect();
        drop(sinks);
        samples.push(sample(sources, status));
        if let Some(begin_ms) = samples.last().map(|sample| sample.moment_ms - SPAN_MS) {
            samples.retain(|sample| sample.moment_ms >= begin_ms);
        }
        samples
    }
}

/// Returns how far a sink is behind now.
fn sample(sources: &Sources, status: &Status) -> LagSample {
    let view = status.view();
    let moment_ms = (sources.clock)();
    let age_ms = view.oldest_pending_ms.map_or(0, |received_ms| moment_ms.saturating_sub(received_ms).max(0));
    LagSample { moment_ms, records: lag(sources.journal.health().head.0, view.cursor), age_ms }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(moment_ms: i64) -> LagSample {
        LagSample { moment_ms, records: 1, age_ms: 2 }
    }

    fn moments(history: &LagHistory) -> Vec<i64> {
        history.sinks.lock().unwrap()["archive"].iter().map(|sample| sample.moment_ms).collect()
    }

    #[test]
    fn history_is_bounded() {
        let history = LagHistory::default();
        let add = |sample| history.add(vec![("archive".to_owned(), sample)]);
        for minute in 0..500 {
            add(sample(minute * 60_000));
        }
        assert_eq!((moments(&history).len(), moments(&history)[0]), (SAMPLES_MAX, (500 - 181) * 60_000));
        add(sample(60_000));
        assert_eq!(moments(&history), [60_000], "the clock was set back");
        history.add(Vec::new());
        assert!(history.sinks.lock().unwrap().is_empty(), "the sink was removed");
    }
}
