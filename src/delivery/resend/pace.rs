//! How many events a turn of a resend has: as many as the sink takes in a moment, so that new events don't wait for long.

use crate::delivery::outlet::Outlet;
use crate::journal::Record;
use crate::sink::Outcome;

/// The most events of a turn.
pub(super) const EVENTS_MAX: usize = 256;

/// The events of the first batch of a turn. Each further batch is up to twice as large, if the sink is quick.
const EVENTS_FIRST: usize = 8;

/// The length of a turn, in ms. A new event waits for this long, and until the batch in progress ends.
const TURN_MS: i64 = 200;

/// The speed of a sink, as the last turn measured it.
#[derive(Default)]
pub(super) struct Pace {
    /// The events that the sink takes in the time of a turn; `None` if it took them in no time.
    events_per_turn: Option<usize>,
}

impl Pace {
    /// Delivers the first of these events: as many as the sink takes in the time of a turn, and none after one that failed.
    /// Returns an outcome for each event that was delivered.
    pub(super) async fn deliver(&mut self, outlet: &mut Outlet, events: &[Record]) -> Vec<Outcome> {
        let mut outcomes: Vec<Outcome> = Vec::new();
        let mut count = self.events_first();
        let end_ms = outlet.now_ms().saturating_add(TURN_MS);
        while count > 0 && outcomes.len() < events.len() {
            let rest = &events[outcomes.len()..];
            let batch = &rest[..count.min(rest.len())];
            let began_ms = outlet.now_ms();
            let delivered = outlet.deliver(batch).await;
            let now_ms = outlet.now_ms();
            let took_ms = now_ms.saturating_sub(began_ms);
            self.events_per_turn = events_within(TURN_MS, batch.len(), took_ms);
            let has_failed = delivered.iter().any(|outcome| *outcome != Outcome::Delivered);
            outcomes.extend(delivered);
            if has_failed {
                break;
            }
            let fitting = events_within(end_ms.saturating_sub(now_ms), batch.len(), took_ms);
            count = fitting.map_or(2 * count, |fitting| fitting.min(2 * count));
        }
        outcomes
    }

    /// Returns the number of events of the first batch.
    fn events_first(&self) -> usize {
        self.events_per_turn.map_or(EVENTS_FIRST, |events| events.clamp(1, EVENTS_FIRST))
    }
}

/// The number of events that fit into `left_ms`, if `events` took `took_ms`. `None` if they took no time.
fn events_within(left_ms: i64, events: usize, took_ms: i64) -> Option<usize> {
    let events = i64::try_from(events).unwrap_or(i64::MAX);
    // Negative if the clock was set back during the batch. That measures nothing.
    let fitting = left_ms.max(0).saturating_mul(events).checked_div(took_ms.max(0))?;
    usize::try_from(fitting).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_sink_gets_fewer_events() {
        assert_eq!(events_within(200, 8, 0), None);
        assert_eq!(events_within(200, 8, 1600), Some(1));
        assert_eq!(events_within(199, 8, 1600), Some(0));
        assert_eq!(events_within(-5, 8, 1600), Some(0));
        assert_eq!(events_within(100, 8, -7), None, "the clock was set back");
        assert_eq!(events_within(i64::MAX, usize::MAX, 1), usize::try_from(i64::MAX).ok());
        for (events_per_turn, first) in [(None, 8), (Some(0), 1), (Some(3), 3), (Some(5000), 8)] {
            assert_eq!(Pace { events_per_turn }.events_first(), first);
        }
    }
}
