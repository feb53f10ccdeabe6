//! Broadcasts: the sessions of one stream that follow each other so closely that people see one broadcast.
//!
//! CSS tells a loss of network of more than 70 s as a stop and a new push. Who watches sees the same broadcast go on.

/// The time of one session, in Unix ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// When it started.
    pub started_ms: i64,
    /// When it ended, or for a stale one the last sign of it; `None` while it is live.
    pub ended_ms: Option<i64>,
}

/// Sessions of one stream in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broadcast {
    /// The place of its first session among those given.
    pub first: usize,
    /// How many sessions it has, the next ones in order.
    pub count: usize,
    /// When the first one started, in Unix ms.
    pub started_ms: i64,
    /// When the last one ended, in Unix ms; `None` while one is live.
    pub ended_ms: Option<i64>,
    /// How often nothing was pushed in between.
    pub interruptions: usize,
    /// How long that was at most, in ms.
    pub longest_gap_ms: i64,
    /// How long that was together, in ms.
    pub gaps_ms: i64,
}

/// Puts the sessions of one stream, in the order of their starts, together into broadcasts: a session that starts at most
/// `bridge_gap_ms` after all before it have ended belongs to the same one. Sessions that overlap do as well, and that is no
/// interruption.
pub fn broadcasts(spans: &[Span], bridge_gap_ms: i64) -> Vec<Broadcast> {
    let mut broadcasts: Vec<Broadcast> = Vec::new();
    for (position, span) in spans.iter().enumerate() {
        let gap_ms =
            broadcasts.last().map(|last| last.ended_ms.map_or(-1, |ended_ms| span.started_ms.saturating_sub(ended_ms)));
        match (broadcasts.last_mut(), gap_ms) {
            (Some(last), Some(gap_ms)) if gap_ms <= bridge_gap_ms => {
                last.count += 1;
                if gap_ms >= 0 {
                    last.interruptions += 1;
                    last.longest_gap_ms = last.longest_gap_ms.max(gap_ms);
                    last.gaps_ms += gap_ms;
                }
                last.ended_ms = last.ended_ms.zip(end_of(span)).map(|(last, this)| last.max(this));
            }
            _ => broadcasts.push(Broadcast {
                first: position,
                count: 1,
                started_ms: span.started_ms,
                ended_ms: end_of(span),
                interruptions: 0,
                longest_gap_ms: 0,
                gaps_ms: 0,
            }),
        }
    }
    broadcasts
}

/// The end of a session, which is not before its start whatever its events say.
fn end_of(span: &Span) -> Option<i64> {
    span.ended_ms.map(|ended_ms| ended_ms.max(span.started_ms))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn span(started: i64, ended: impl Into<Option<i64>>) -> Span {
        Span { started_ms: started * 1000, ended_ms: ended.into().map(|ended| ended * 1000) }
    }

    fn of(spans: &[Span]) -> Vec<(usize, usize, Option<i64>, usize, i64)> {
        let all = broadcasts(spans, 70_000);
        all.iter()
            .map(|b| (b.first, b.count, b.ended_ms.map(|ms| ms / 1000), b.interruptions, b.longest_gap_ms / 1000))
            .collect()
    }

    #[test]
    fn gaps_up_to_the_bridge_are_bridged() {
        assert_eq!(of(&[]), []);
        assert_eq!(of(&[span(0, 100), span(170, 200)]), [(0, 2, Some(200), 1, 70)]);
        assert_eq!(of(&[span(0, 100), span(171, 200)]), [(0, 1, Some(100), 0, 0), (1, 1, Some(200), 0, 0)]);
        assert_eq!(of(&[span(0, 100), span(110, 120), span(150, None)]), [(0, 3, None, 2, 30)]);
        assert_eq!(of(&[span(0, 100), span(100, 120)]), [(0, 2, Some(120), 1, 0)]);
    }

    #[test]
    fn a_backup_push_is_no_interruption_and_holds_the_broadcast_together() {
        assert_eq!(of(&[span(0, 1000), span(10, 20), span(900, 950)]), [(0, 3, Some(1000), 0, 0)]);
        assert_eq!(of(&[span(0, None), span(10, 20), span(5000, 6000)]), [(0, 3, None, 0, 0)]);
        assert_eq!(of(&[span(0, 50), span(40, 100)]), [(0, 2, Some(100), 0, 0)], "a replaced push");
    }

    #[test]
    fn an_end_before_the_start_harms_nothing() {
        assert_eq!(of(&[span(100, 50), span(160, 170)]), [(0, 2, Some(170), 1, 60)]);
    }

    proptest! {
        #[test]
        fn every_session_is_in_one_broadcast_and_gaps_between_them_are_wide(
            mut spans in prop::collection::vec((0..10_000i64, prop::option::weighted(0.9, 0..500i64)), 0..30), bridge in 0..200i64,
        ) {
            spans.sort_unstable_by_key(|(started, _)| *started);
            let spans: Vec<Span> = spans.into_iter()
                .map(|(started_ms, lasted)| Span { started_ms, ended_ms: lasted.map(|lasted| started_ms + lasted) })
                .collect();
            let all = broadcasts(&spans, bridge);
            prop_assert_eq!(all.iter().map(|broadcast| broadcast.count).sum::<usize>(), spans.len());
            for pair in all.windows(2) {
                prop_assert_eq!(pair[0].first + pair[0].count, pair[1].first);
                prop_assert!(pair[0].ended_ms.is_some_and(|ended_ms| pair[1].started_ms - ended_ms > bridge));
            }
            for broadcast in all {
                prop_assert!(broadcast.longest_gap_ms <= bridge && broadcast.interruptions < broadcast.count);
            }
        }
    }
}
