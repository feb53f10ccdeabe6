//! A session: the merge of its facts, in whatever order they come.

use std::fmt;
use std::str::FromStr;

use super::fact::{Fact, Kind, ManualEnd, Push, Stop};
use crate::callback::{EventId, InvalidText, Reason};

/// One push, as far as its events are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// The id and the members of the push event with the smallest id.
    pub push: Option<(EventId, Push)>,
    /// The id and the members of the stop event with the smallest id.
    pub stop: Option<(EventId, Stop)>,
    /// The id and the members of the manual end with the smallest id. It counts only if there is no stop.
    pub manual_end: Option<(EventId, ManualEnd)>,
    /// The times of the earliest and the latest event, in Unix ms. `None` before the first fact.
    pub seen_ms: Option<(i64, i64)>,
}

/// Whether a push is live, has ended, or is stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, utoipa::ToSchema)]
#[schema(as = SessionState, rename_all = "lowercase")]
pub enum State {
    /// It has not ended.
    Live,
    /// It has stopped, or a person ended it.
    Ended,
    /// It has not ended, and its latest event is so old that it no longer counts as live.
    Stale,
}

impl Session {
    /// Adds a fact. The order of facts and their repetition make no difference. Of several pushes, stops or manual ends, the one
    /// with the smallest event id counts. It happened first, because ids start with the time.
    pub fn apply(&mut self, fact: Fact) {
        let seen_ms = fact.seen_ms;
        let (first_ms, last_ms) = self.seen_ms.unwrap_or((seen_ms, seen_ms));
        self.seen_ms = Some((first_ms.min(seen_ms), last_ms.max(seen_ms)));
        match fact.kind {
            Kind::Push(push) => keep_smallest(&mut self.push, fact.id, push),
            Kind::Stop(stop) => keep_smallest(&mut self.stop, fact.id, stop),
            Kind::ManualEnd(end) => keep_smallest(&mut self.manual_end, fact.id, end),
            Kind::Anomaly => {}
        }
    }

    /// When it started, in Unix ms: the time of the push. Without a push it is the time of the stop minus the duration, and
    /// without these it is the time of the first event.
    pub fn started_ms(&self) -> i64 {
        match (&self.push, &self.stop) {
            (Some((id, _)), _) => id.time_ms(),
            (None, Some((id, Stop { push_duration_ms: Some(duration_ms), .. }))) => {
                id.time_ms().saturating_sub(*duration_ms)
            }
            _ => self.first_ms(),
        }
    }

    /// When it ended, in Unix ms, but never before its start, because the clocks of CSS may differ. Without a stop it is the time
    /// that a person set. `None` without both.
    pub fn ended_ms(&self) -> Option<i64> {
        self.end_id().map(|id| id.time_ms().max(self.started_ms()))
    }

    /// Whether it has ended.
    pub fn is_ended(&self) -> bool {
        self.end_id().is_some()
    }

    /// The id of the event that ended it: the stop, or the manual end if there is no stop.
    fn end_id(&self) -> Option<EventId> {
        let stop = self.stop.as_ref().map(|(id, _)| *id);
        stop.or_else(|| self.manual_end.as_ref().map(|(id, _)| *id))
    }

    /// How long it lasted, in ms: the duration that CSS measured, or the time from push to stop. `None` if neither is known.
    pub fn duration_ms(&self) -> Option<i64> {
        let end_id = self.end_id()?;
        let measured_ms = self.stop.as_ref().and_then(|(_, stop)| stop.push_duration_ms);
        measured_ms.or_else(|| {
            let (push_id, _) = self.push.as_ref()?;
            // A stop can have an earlier time than its push, because the clocks of CSS may differ.
            Some(end_id.time_ms().saturating_sub(push_id.time_ms()).max(0))
        })
    }

    /// The time of the earliest event, in Unix ms.
    pub fn first_ms(&self) -> i64 {
        self.seen_ms.map_or(0, |(first_ms, _)| first_ms)
    }

    /// The time of the latest event, in Unix ms.
    pub fn last_ms(&self) -> i64 {
        self.seen_ms.map_or(0, |(_, last_ms)| last_ms)
    }

    /// The state at `now_ms`. Without an end, the session is stale when its latest event is older than `stale_after_ms`. If that
    /// is `None`, it never becomes stale.
    pub fn state(&self, now_ms: i64, stale_after_ms: Option<i64>) -> State {
        if self.is_ended() {
            State::Ended
        } else if self.last_ms() < State::live_since_ms(now_ms, stale_after_ms) {
            State::Stale
        } else {
            State::Live
        }
    }

    /// When it was last on, as far as is known at `now_ms`, in Unix ms: the end of an ended session, the latest event of a stale
    /// one, and `i64::MAX` for a live one.
    pub fn until_ms(&self, now_ms: i64, stale_after_ms: Option<i64>) -> i64 {
        match self.state(now_ms, stale_after_ms) {
            State::Ended => self.ended_ms().unwrap_or(i64::MAX),
            State::Stale => self.last_ms(),
            State::Live => i64::MAX,
        }
    }

    /// Why it ended. `None` without an end.
    pub fn reason(&self) -> Option<Reason> {
        match (&self.stop, &self.manual_end) {
            (Some((_, stop)), _) => Some(Reason::of(stop.errcode, stop.errmsg.as_deref())),
            (None, Some(_)) => Some(Reason::manual()),
            (None, None) => None,
        }
    }

    /// The text that came with the reason: the vendor's message, or the words of the person who ended it.
    pub fn reason_text(&self) -> Option<&str> {
        match (&self.stop, &self.manual_end) {
            (Some((_, stop)), _) => stop.errmsg.as_deref(),
            (None, Some((_, end))) => end.why.as_deref(),
            (None, None) => None,
        }
    }

    /// The APPID from the push, or from the stop if the push has none.
    pub fn appid(&self) -> Option<i64> {
        self.either(|push| push.appid)
    }

    /// The ingest node from the push, or from the stop if the push has none.
    pub fn node(&self) -> Option<&str> {
        self.either(|push| push.node.as_deref())
    }

    /// The pusher's address from the push, or from the stop if the push has none.
    pub fn user_address(&self) -> Option<&str> {
        self.either(|push| push.user_address.as_deref())
    }

    /// Width and height of the picture in pixels, from the push or the stop. CSS often knows them only at the end.
    pub fn size(&self) -> Option<(i64, i64)> {
        self.either(|push| push.width.zip(push.height))
    }

    fn either<'s, T>(&'s self, part: impl Fn(&'s Push) -> Option<T>) -> Option<T> {
        let push = self.push.as_ref().map(|(_, push)| push);
        let stop = self.stop.as_ref().map(|(_, stop)| &stop.push);
        push.and_then(&part).or_else(|| stop.and_then(&part))
    }
}

fn keep_smallest<T>(kept: &mut Option<(EventId, T)>, id: EventId, value: T) {
    if kept.as_ref().is_none_or(|(kept, _)| id < *kept) {
        *kept = Some((id, value));
    }
}

impl State {
    /// The latest event of a live session is at this time or later, in Unix ms.
    pub fn live_since_ms(now_ms: i64, stale_after_ms: Option<i64>) -> i64 {
        stale_after_ms.map_or(i64::MIN, |stale_after_ms| now_ms.saturating_sub(stale_after_ms))
    }

    /// The name of the state in every output, in lower case.
    pub fn label(self) -> &'static str {
        match self {
            State::Live => "live",
            State::Ended => "ended",
            State::Stale => "stale",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `pad` keeps to the width of a column.
        formatter.pad(self.label())
    }
}

impl serde::Serialize for State {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.label())
    }
}

impl FromStr for State {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<State, InvalidText> {
        let states = [State::Live, State::Ended, State::Stale];
        states
            .into_iter()
            .find(|state| state.label() == text)
            .ok_or_else(|| InvalidText::new(text, "a session state", "live, ended or stale"))
    }
}

#[cfg(test)]
mod tests;
