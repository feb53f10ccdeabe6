//! The broadcast of a session: its other sessions, before, at the same time and after.

use maud::{Markup, html};

use super::format::{self, duration, moment};
use super::timeline::single;
use super::view::View;
use crate::index::{IndexError, Lane, LanePage, LaneSession, Reader, SessionView};
use crate::moment::Moment;
use crate::session::{SessionId, StreamKey, broadcasts};

/// How far from the session its broadcast is searched, in ms.
const REACH_MS: i64 = 24 * 3_600_000;

/// How many sessions at the same time are listed.
const PARALLEL_MAX: usize = 5;

/// The sessions of a broadcast, in the order of their starts.
pub(super) struct SessionBroadcast {
    page: LanePage,
    current: SessionId,
}

impl SessionBroadcast {
    /// Reads the broadcast of a session; `None` if it has no other session.
    pub(super) fn read(index: &Reader, session: &SessionView, now_ms: i64) -> Result<Option<Self>, IndexError> {
        let key = StreamKey::from_parts(&session.domain, &session.app_name, &session.stream);
        let until_ms = session.ended.map_or(now_ms, |ended| ended.0).saturating_add(REACH_MS);
        let mut page = index.lane_of(&key, (session.started.0.saturating_sub(REACH_MS), until_ms), now_ms)?;
        let Some(lane) = page.lanes.first_mut() else { return Ok(None) };
        let spans: Vec<_> = lane.sessions.iter().map(LaneSession::span).collect();
        let place = lane.sessions.iter().position(|other| other.id == session.id);
        let own = broadcasts(&spans, page.bridge_gap_ms).into_iter().find(|broadcast| {
            place.is_some_and(|at| (broadcast.first..broadcast.first + broadcast.count).contains(&at))
        });
        let Some(own) = own.filter(|broadcast| broadcast.count > 1) else { return Ok(None) };
        lane.sessions = lane.sessions.drain(own.first..own.first + own.count).collect();
        lane.complete_from_ms = None;
        Ok(Some(SessionBroadcast { page, current: session.id.clone() }))
    }

    /// Shows the broadcast as a lane, and the neighbours of the session.
    pub(super) fn markup(&self, view: &View) -> Markup {
        let Some(Lane { sessions, .. }) = self.page.lanes.first() else { return html! {} };
        let Some(at) = sessions.iter().position(|session| session.id == self.current) else { return html! {} };
        let current = &sessions[at];
        let until_ms = |session: &LaneSession| session.until_ms.max(session.started_ms).min(view.now_ms);
        let overlaps = |other: &&LaneSession| {
            other.id != current.id && other.started_ms < current.until_ms && other.until_ms > current.started_ms
        };
        let previous = sessions[..at].iter().rev().find(|other| !overlaps(other));
        let next = sessions[at + 1..].iter().find(|other| !overlaps(other));
        let from_ms = sessions.first().map_or(0, |first| first.started_ms);
        let end_ms = sessions.iter().map(until_ms).max().unwrap_or(view.now_ms);
        let space_ms = ((end_ms - from_ms) / 40).max(1000);
        html! {
            (single(view, (from_ms - space_ms, end_ms + space_ms), &self.page, Some(&self.current)))
            ul.neighbours {
                @if let Some(previous) = previous { (neighbour(view, "neighbour-before", previous)) }
                @for parallel in sessions.iter().filter(overlaps).take(PARALLEL_MAX) {
                    (neighbour(view, "neighbour-parallel", parallel))
                }
                @if let Some(next) = next { (neighbour(view, "neighbour-after", next)) }
            }
        }
    }
}

fn neighbour(view: &View, relation: &str, session: &LaneSession) -> Markup {
    let lasted_ms = session.until_ms.min(view.now_ms).saturating_sub(session.started_ms);
    html! {
        li data-session=(session.id) data-state=(session.state.label()) {
            span.muted { (view.text(relation)) }
            a href={ "/sessions/" (session.id) } { (moment(Moment(session.started_ms))) }
            span { (duration(view.texts, lasted_ms)) }
            span {
                @if let Some(reason) = &session.reason {
                    (format::category(view, reason.category)) " " (view.meaning(reason))
                } @else { (format::state(view, session.state)) }
            }
        }
    }
}
