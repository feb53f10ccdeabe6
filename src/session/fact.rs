//! A fact: what an event says about its session.

use std::borrow::Cow;

use super::id::{SessionId, is_sequence};
use crate::callback::{Event, EventId, EventType, StreamEvent, StreamKey};

/// How far the time of an event may be ahead of its receipt, in ms: the clocks of CSS and of this machine differ by some
/// seconds. If the time is further ahead, the time of receipt counts.
const AHEAD_MS_MAX: i64 = 60_000;

/// The most characters that are kept of a text that only people read.
const TEXT_CHARACTERS_MAX: usize = 256;

/// What one event says about the session that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// The stream.
    pub stream: StreamKey,
    /// The vendor's number of the push.
    pub sequence: String,
    /// The event.
    pub id: EventId,
    /// When the push was seen, in Unix ms: the event's time, or its receipt if the time is more than a minute ahead of that.
    pub seen_ms: i64,
    /// What it says.
    pub kind: Kind,
}

/// The kinds of event that name a push by its sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It has started.
    Push(Push),
    /// It has stopped.
    Stop(Stop),
    /// It is on, and has trouble.
    Anomaly,
}

/// What a push says about its session. A stop repeats it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Push {
    /// The account's APPID.
    pub appid: Option<i64>,
    /// The ingest node's address.
    pub node: Option<String>,
    /// The pusher's address.
    pub user_address: Option<String>,
    /// Picture width in pixels.
    pub width: Option<i64>,
    /// Picture height in pixels.
    pub height: Option<i64>,
}

/// What a stop says about its session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stop {
    /// What a stop says of the push.
    pub push: Push,
    /// How long it lasted by CSS's own measure, in ms.
    pub push_duration_ms: Option<i64>,
    /// Why it stopped, after the vendor's table.
    pub errcode: Option<i64>,
    /// The vendor's words for it.
    pub errmsg: Option<String>,
}

impl Fact {
    /// Reads the fact of an event. `None` if the event names no push.
    pub fn of(event: &Event) -> Option<Fact> {
        let sequence = sequence_of(event)?;
        let kind = match StreamEvent::of(event) {
            Some(stream_event) if stream_event.is_stop => Kind::Stop(Stop::of(stream_event)),
            Some(stream_event) => Kind::Push(Push::of(&stream_event)),
            None => Kind::Anomaly,
        };
        let stream = StreamKey::of(event.partition_key());
        let (time_ms, received_ms) = (event.id().time_ms(), event.received_ms());
        let is_believed = time_ms <= received_ms.saturating_add(AHEAD_MS_MAX);
        let seen_ms = if is_believed { time_ms } else { received_ms };
        Some(Fact { stream, sequence: sequence.into_owned(), id: event.id(), seen_ms, kind })
    }

    /// The session of an event. `None` if the event names no push. Cheaper than [`Fact::of`].
    pub fn session_of(event: &Event) -> Option<SessionId> {
        Some(StreamKey::of(event.partition_key()).session(&sequence_of(event)?))
    }

    /// Returns whether every event of this type should have a fact. An event without one lacks its sequence.
    pub fn is_expected_of(event_type: EventType) -> bool {
        matches!(event_type, EventType::Push | EventType::Stop | EventType::PushAnomaly)
    }
}

/// The sequence of a push that an event names.
fn sequence_of(event: &Event) -> Option<Cow<'_, str>> {
    let sequence = if Fact::is_expected_of(event.event_type()) { event.sequence() } else { None };
    sequence.filter(|sequence| is_sequence(sequence))
}

impl Push {
    fn of(event: &StreamEvent<'_>) -> Push {
        Push {
            appid: event.appid,
            node: event.node.as_deref().map(bounded),
            user_address: event.user_address.as_deref().map(bounded),
            width: event.width,
            height: event.height,
        }
    }
}

impl Stop {
    fn of(event: StreamEvent<'_>) -> Stop {
        Stop {
            push: Push::of(&event),
            push_duration_ms: event.push_duration_ms,
            errcode: event.errcode,
            errmsg: event.errmsg.as_deref().map(bounded),
        }
    }
}

fn bounded(text: &str) -> String {
    text.chars().take(TEXT_CHARACTERS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::testing::event;

    #[test]
    fn times_far_ahead_do_not_count() {
        let time_ms = 1_700_000_000_000;
        for (ahead_ms, seen_ms) in
            [(-5000, time_ms), (3000, time_ms), (AHEAD_MS_MAX, time_ms), (AHEAD_MS_MAX + 1, time_ms - AHEAD_MS_MAX - 1)]
        {
            let push = event("push").stream("s").sequence("1").happened_secs(time_ms / 1000);
            let event = push.at_ms(time_ms - ahead_ms).build();
            assert_eq!(Fact::of(&event).unwrap().seen_ms, seen_ms, "{ahead_ms}");
        }
    }
}
