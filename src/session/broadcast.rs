//! Broadcasts: sessions of one stream with only short gaps between them, which viewers see as one broadcast.
//!
//! CSS reports a loss of network of more than 70 s as a stop and a new push.

use std::cmp::Reverse;

use super::state::State;

/// The time of one session, in Unix ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// When it started.
    pub started_ms: i64,
    /// When it was last on, see [`super::Session::until_ms`].
    pub until_ms: i64,
    /// Its state.
    pub state: State,
}

/// Consecutive sessions of one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broadcast {
    /// The index of its first session in the list.
    pub first: usize,
    /// How many sessions it has, starting with the first.
    pub count: usize,
    /// When the first one started, in Unix ms.
    pub started_ms: i64,
    /// When one of them was last on, in Unix ms.
    pub until_ms: i64,
    /// The state of the session that was on last. If an ended and a stale session were on equally long, it is ended.
    pub state: State,
    /// The number of gaps without a push.
    pub interruptions: usize,
    /// The longest gap, in ms.
    pub longest_gap_ms: i64,
    /// The sum of all gaps, in ms.
    pub gaps_ms: i64,
}

/// Groups the sessions of one stream into broadcasts. The sessions must be in the order of their starts; the order of equal starts
/// does not matter.
///
/// A session belongs to the broadcast before it if it starts at most `bridge_gap_ms` after the end of all earlier sessions.
/// Sessions that overlap or touch have no interruption between them.
pub fn broadcasts(spans: &[Span], bridge_gap_ms: i64) -> Vec<Broadcast> {
    let mut broadcasts: Vec<Broadcast> = Vec::new();
    for (position, span) in spans.iter().enumerate() {
        // The clocks of CSS may give an end before the start, and a gap must not become longer by it.
        let until_ms = span.until_ms.max(span.started_ms);
        let gap_ms = broadcasts.last().map(|last| span.started_ms.saturating_sub(last.until_ms));
        match (broadcasts.last_mut(), gap_ms) {
            (Some(last), Some(gap_ms)) if gap_ms <= bridge_gap_ms => {
                last.count += 1;
                if gap_ms > 0 {
                    last.interruptions += 1;
                    last.longest_gap_ms = last.longest_gap_ms.max(gap_ms);
                    last.gaps_ms += gap_ms;
                }
                // At equal ends, live counts before ended, and ended before stale. That is the order of `State`.
                let end = (last.until_ms, Reverse(last.state)).max((until_ms, Reverse(span.state)));
                (last.until_ms, Reverse(last.state)) = end;
            }
            _ => broadcasts.push(Broadcast {
                first: position,
                count: 1,
                started_ms: span.started_ms,
                until_ms,
                state: span.state,
                interruptions: 0,
                longest_gap_ms: 0,
                gaps_ms: 0,
            }),
        }
    }
    broadcasts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn span(started: i64, ended: impl Into<Option<i64>>) -> Span {
        let (until_ms, state) = match ended.into() {
            Some(ended) => (ended * 1000, State::Ended),
            None => (i64::MAX, State::Live),
        };
        Span { started_ms: started * 1000, until_ms, state }
    }

    fn of(spans: &[Span]) -> Vec<(usize, usize, Option<i64>, usize, i64)> {
        let all = broadcasts(spans, 70_000);
        let ended = |b: &Broadcast| (b.state != State::Live).then_some(b.until_ms / 1000);
        all.iter().map(|b| (b.first, b.count, ended(b), b.interruptions, b.longest_gap_ms / 1000)).collect()
    }

    #[test]
    fn gaps_up_to_the_bridge_are_bridged() {
        assert_eq!(of(&[]), []);
        assert_eq!(of(&[span(0, 100), span(170, 200)]), [(0, 2, Some(200), 1, 70)]);
        assert_eq!(of(&[span(0, 100), span(171, 200)]), [(0, 1, Some(100), 0, 0), (1, 1, Some(200), 0, 0)]);
        assert_eq!(of(&[span(0, 100), span(110, 120), span(150, None)]), [(0, 3, None, 2, 30)]);
    }

    #[test]
    fn touching_sessions_are_not_interrupted() {
        assert_eq!(of(&[span(0, 100), span(100, 120)]), [(0, 2, Some(120), 0, 0)]);
        let (short, long) = (span(0, 0), span(0, 100));
        assert_eq!(of(&[short, long]), of(&[long, short]));
    }

    #[test]
    fn stale_last_session_makes_it_stale() {
        let stale = |started, until| Span { state: State::Stale, ..span(started, until) };
        let state = |spans: &[Span]| broadcasts(spans, 70_000)[0].state;
        assert_eq!(state(&[stale(0, 0)]), State::Stale);
        assert_eq!(state(&[span(0, 50), stale(40, 60)]), State::Stale);
        assert_eq!(state(&[stale(0, 10), span(20, 60)]), State::Ended);
        assert_eq!(state(&[stale(0, 10), span(20, None)]), State::Live);
        assert_eq!(
            (state(&[stale(0, 9), span(0, 9)]), state(&[span(0, 9), stale(0, 9)])),
            (State::Ended, State::Ended)
        );
    }

    #[test]
    fn backup_push_holds_a_broadcast_together() {
        assert_eq!(of(&[span(0, 1000), span(10, 20), span(900, 950)]), [(0, 3, Some(1000), 0, 0)]);
        assert_eq!(of(&[span(0, None), span(10, 20), span(5000, 6000)]), [(0, 3, None, 0, 0)]);
        assert_eq!(of(&[span(0, 50), span(40, 100)]), [(0, 2, Some(100), 0, 0)], "a replaced push");
    }

    #[test]
    fn end_before_the_start_is_harmless() {
        assert_eq!(of(&[span(100, 50), span(160, 170)]), [(0, 2, Some(170), 1, 60)]);
    }

    proptest! {
        #[test]
        fn every_session_is_in_one_broadcast(
            mut spans in prop::collection::vec((0..10_000i64, prop::option::weighted(0.9, 0..500i64)), 0..30), bridge in 0..200i64,
        ) {
            spans.sort_unstable_by_key(|(started, _)| *started);
            let spans: Vec<Span> = spans.into_iter()
                .map(|(started_ms, lasted)| match lasted {
                    Some(lasted) => Span { started_ms, until_ms: started_ms + lasted, state: State::Ended },
                    None => Span { started_ms, until_ms: i64::MAX, state: State::Live },
                })
                .collect();
            let all = broadcasts(&spans, bridge);
            prop_assert_eq!(all.iter().map(|broadcast| broadcast.count).sum::<usize>(), spans.len());
            for pair in all.windows(2) {
                prop_assert_eq!(pair[0].first + pair[0].count, pair[1].first);
                prop_assert!(pair[1].started_ms.saturating_sub(pair[0].until_ms) > bridge);
            }
            for broadcast in all {
                prop_assert!(broadcast.longest_gap_ms <= bridge && broadcast.interruptions < broadcast.count);
            }
        }
    }
}
