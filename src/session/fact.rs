//! Reads the fact of an event: the part that changes the event's session.

use std::borrow::Cow;

use super::id::{SessionId, is_sequence};
use crate::callback::{Event, EventId, EventType, StreamEvent, StreamKey, end_reason};

/// How far the time of an event may be ahead of its receipt, in ms, because the clocks of CSS and of this machine differ by some
/// seconds. If the time is further ahead, the time of receipt counts.
const AHEAD_MS_MAX: i64 = 60_000;

/// How many characters are stored of a text that only people read.
const TEXT_CHARACTERS_MAX: usize = 256;

/// One event's contribution to its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// The stream.
    pub stream: StreamKey,
    /// The vendor's number of the push.
    pub sequence: String,
    /// The id of the event.
    pub id: EventId,
    /// When the push was seen, in Unix ms: the time of the event, or its receipt if the time is more than a minute later.
    pub seen_ms: i64,
    /// The kind of event.
    pub kind: Kind,
}

/// The kinds of events that belong to a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The push started.
    Push(Push),
    /// The push stopped.
    Stop(Stop),
    /// The push goes on, with anomalies.
    Anomaly,
    /// A person ended the session.
    ManualEnd(ManualEnd),
}

/// The members of a push that its session stores. A stop has them too.
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

/// The members of a stop that its session stores.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stop {
    /// The members that a push has too.
    pub push: Push,
    /// How long the push lasted, as CSS measured it, in ms.
    pub push_duration_ms: Option<i64>,
    /// The vendor's code of the reason.
    pub errcode: Option<i64>,
    /// The vendor's text of the reason.
    pub errmsg: Option<String>,
}

/// The end of a session that a person set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ManualEnd {
    /// Why, in the person's words.
    pub why: Option<String>,
}

impl Fact {
    /// Reads the fact of an event. `None` if the event has no sequence of a push.
    pub fn of(event: &Event) -> Option<Fact> {
        let sequence = sequence_of(event)?;
        let kind = match StreamEvent::of(event) {
            Some(stream_event) if stream_event.is_stop => Kind::Stop(Stop::of(stream_event)),
            Some(stream_event) => Kind::Push(Push::of(&stream_event)),
            None if event.event_type() == EventType::SessionEnded => {
                Kind::ManualEnd(ManualEnd { why: end_reason(event).as_deref().map(bounded) })
            }
            None => Kind::Anomaly,
        };
        let stream = StreamKey::of(event.partition_key());
        // The id starts with the event's time, so the line need not be parsed for it.
        let (time_ms, received_ms) = (event.id().time_ms(), event.received_ms());
        let is_believed = time_ms <= received_ms.saturating_add(AHEAD_MS_MAX);
        let seen_ms = if is_believed { time_ms } else { received_ms };
        Some(Fact { stream, sequence: sequence.into_owned(), id: event.id(), seen_ms, kind })
    }

    /// Returns the session of an event, and costs less than [`Fact::of`]. `None` if the event has no sequence of a push.
    pub fn session_of(event: &Event) -> Option<SessionId> {
        Some(StreamKey::of(event.partition_key()).session(&sequence_of(event)?))
    }

    /// Returns whether events of this type belong to sessions. Such an event has no fact only if its sequence is missing.
    pub fn is_expected_of(event_type: EventType) -> bool {
        let of_sessions = [EventType::Push, EventType::Stop, EventType::PushAnomaly, EventType::SessionEnded];
        of_sessions.contains(&event_type)
    }
}

/// Returns the sequence of the push that an event belongs to.
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
    if text.len() <= TEXT_CHARACTERS_MAX {
        return text.to_owned();
    }
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
