//! Where the bars of a lane are: in which row, from where to where, and which sessions share one.

use super::kinds::Kind;
use super::scale::Scale;
use crate::index::LaneSession;
use crate::session::{Broadcast, Span, broadcasts};

/// How many rows a lane has at most. Pushes beyond them share the last row.
const ROWS_MAX: usize = 4;

/// The sessions of a lane as they are drawn.
pub(super) struct Bars<'l> {
    pub(super) rows: usize,
    pub(super) bars: Vec<Bar<'l>>,
    /// The broadcasts of more than one session.
    pub(super) broadcasts: Vec<Broadcast>,
}

/// A bar: one session, or several that would each be too narrow to see. Places are hundredths of a percent.
pub(super) struct Bar<'l> {
    /// Counted from the top.
    pub(super) row: usize,
    pub(super) start: i64,
    pub(super) end: i64,
    /// At least one.
    pub(super) sessions: Vec<&'l LaneSession>,
}

impl Bar<'_> {
    /// How it looks. Among several sessions, a live one counts, otherwise the most frequent kind.
    pub(super) fn kind(&self) -> Kind {
        let mut counts: Vec<(Kind, usize)> = Vec::new();
        for session in &self.sessions {
            let kind = Kind::of(session);
            match counts.iter_mut().find(|(counted, _)| *counted == kind) {
                Some((_, count)) => *count += 1,
                None => counts.push((kind, 1)),
            }
        }
        let most = counts.iter().max_by_key(|(kind, count)| (*kind == Kind::Live, *count));
        most.map_or(Kind::Live, |(kind, _)| *kind)
    }
}

impl<'l> Bars<'l> {
    /// Places sessions, which are in the order of their starts. Bars narrower than `narrow` that are as close together become one.
    /// A live session ends at `now_ms` (Unix ms).
    pub(super) fn of(
        sessions: &'l [LaneSession],
        scale: Scale,
        narrow: i64,
        bridge_gap_ms: i64,
        now_ms: i64,
    ) -> Bars<'l> {
        let mut ends_ms: Vec<i64> = Vec::new();
        // The last bar of each row, by its place in the list.
        let mut lasts: Vec<usize> = Vec::new();
        let mut bars: Vec<Bar<'l>> = Vec::new();
        for session in sessions {
            let row = match ends_ms.iter().position(|end_ms| *end_ms <= session.started_ms) {
                Some(free) => free,
                None if ends_ms.len() < ROWS_MAX => ends_ms.len(),
                None => ROWS_MAX - 1,
            };
            let until_ms = session.until_ms.max(session.started_ms);
            let drawn_until_ms = until_ms.min(now_ms).max(session.started_ms);
            let (start, end) = (scale.place(session.started_ms), scale.place(drawn_until_ms));
            if row == ends_ms.len() {
                ends_ms.push(until_ms);
                lasts.push(bars.len());
            } else {
                ends_ms[row] = ends_ms[row].max(until_ms);
                let last = &mut bars[lasts[row]];
                let is_close = start - last.end < narrow;
                if is_close && end - start < narrow && (last.sessions.len() > 1 || last.end - last.start < narrow) {
                    last.end = last.end.max(end);
                    last.sessions.push(session);
                    continue;
                }
                lasts[row] = bars.len();
            }
            bars.push(Bar { row, start, end, sessions: vec![session] });
        }
        let spans: Vec<Span> = sessions.iter().map(LaneSession::span).collect();
        let mut broadcasts = broadcasts(&spans, bridge_gap_ms);
        broadcasts.retain(|broadcast| broadcast.count > 1);
        Bars { rows: ends_ms.len().max(1), bars, broadcasts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::Reason;
    use crate::session::{State, StreamKey};

    fn session(started_ms: i64, until_ms: i64, errcode: i64) -> LaneSession {
        let is_live = until_ms == i64::MAX;
        LaneSession {
            id: StreamKey::from_parts("d", "a", "s").session(&started_ms.to_string()),
            started_ms,
            until_ms,
            state: if is_live { State::Live } else { State::Ended },
            reason: (!is_live).then(|| Reason::of(Some(errcode), None)),
            user_address: None,
        }
    }

    /// The row, the ends and the number of sessions of each bar, on a scale of 1 ms a hundredth of a percent.
    fn placed(sessions: &[LaneSession]) -> Vec<(usize, i64, i64, usize)> {
        let bars = Bars::of(sessions, Scale::new(0, 10_000), 20, 70, 10_000);
        bars.bars.iter().map(|bar| (bar.row, bar.start, bar.end, bar.sessions.len())).collect()
    }

    #[test]
    fn overlapping_pushes_have_rows() {
        let sessions = [session(0, 500, 1), session(100, 900, 1), session(500, 800, 1), session(600, i64::MAX, 0)];
        assert_eq!(placed(&sessions), [(0, 0, 500, 1), (1, 100, 900, 1), (0, 500, 800, 1), (2, 600, 10_000, 1)]);
        let many: Vec<_> = (0..6).map(|number| session(number * 100, 5000, 1)).collect();
        assert_eq!(Bars::of(&many, Scale::new(0, 10_000), 20, 70, 10_000).rows, ROWS_MAX);
        assert_eq!(Bars::of(&[], Scale::new(0, 10_000), 20, 70, 10_000).rows, 1);
    }

    #[test]
    fn narrow_bars_become_one() {
        let narrow: Vec<_> = (0..50).map(|number| session(number * 15, number * 15 + 5, 12)).collect();
        assert_eq!(placed(&narrow), [(0, 0, 740, 50)]);
        let apart = [session(0, 5, 1), session(30, 35, 1), session(40, 400, 1), session(405, 410, 1)];
        assert_eq!(placed(&apart), [(0, 0, 5, 1), (0, 30, 35, 1), (0, 40, 400, 1), (0, 405, 410, 1)]);
    }

    #[test]
    fn shared_bar_looks_like_most_of_it() {
        let sessions = [session(0, 1, 12), session(2, 3, 1), session(4, 5, 12)];
        let bar = Bar { row: 0, start: 0, end: 5, sessions: sessions.iter().collect() };
        assert_eq!(bar.kind().word(), "network");
        let live = [session(0, 1, 12), session(2, i64::MAX, 0)];
        let bar = Bar { row: 0, start: 0, end: 5, sessions: live.iter().collect() };
        assert_eq!(bar.kind(), Kind::Live);
    }

    #[test]
    fn broadcasts_group_sessions() {
        let sessions = [session(0, 500, 12), session(560, 900, 1), session(2000, 3000, 1)];
        let bars = Bars::of(&sessions, Scale::new(0, 10_000), 20, 70, 10_000);
        assert_eq!(bars.broadcasts.len(), 1);
        assert_eq!((bars.broadcasts[0].count, bars.broadcasts[0].interruptions), (2, 1));
    }
}
