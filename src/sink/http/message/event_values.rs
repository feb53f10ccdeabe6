//! The parts of an event that a template sees. Every event has all of them: an absent text is empty, and an absent number is null.

use minijinja::Value;

use super::members::Members;
use super::shown::shown;
use crate::callback::{Event, EventType, KnownType, Reason, StreamEvent, end_reason};
use crate::moment::{Moment, duration};
use crate::session::Fact;

/// The parts of one event. The names of the fields are the names in the template.
#[derive(Default)]
pub(super) struct EventValues {
    id: String,
    /// `type`: the short name, for example `stop`.
    event_type: String,
    type_meaning: &'static str,
    domain: String,
    app: String,
    stream: String,
    time: String,
    received: String,
    user_address: String,
    node: String,
    reason_category: &'static str,
    reason_meaning: String,
    reason_actor: &'static str,
    reason_advice: &'static str,
    duration: String,
    duration_secs: Option<i64>,
    session_url: String,
    /// The vendor's members.
    data: Members,
}

impl EventValues {
    /// Reads an event. `dashboard_url` begins the URL of a session's page, and has no slash at its end.
    pub(super) fn of(event: &Event, dashboard_url: Option<&str>) -> EventValues {
        let (key, time_ms) = (event.partition_key(), event.id().time_ms());
        let session = dashboard_url.and_then(|url| Some(format!("{url}/sessions/{}", Fact::session_of(event)?)));
        let values = EventValues {
            id: event.id().to_string(),
            event_type: event.event_type().to_string(),
            type_meaning: meaning(event.event_type()),
            domain: shown(&key.domain()),
            app: shown(&key.app_name()),
            stream: shown(&key.stream()),
            time: Moment(if time_ms > 0 { time_ms } else { event.received_ms() }).to_string(),
            received: Moment(event.received_ms()).to_string(),
            session_url: session.unwrap_or_default(),
            data: Members::of(event),
            ..EventValues::default()
        };
        match (StreamEvent::of(event), end_reason(event)) {
            (Some(stream_event), _) => values.with_stream_event(&stream_event),
            (None, Some(why)) => EventValues { reason_meaning: shown(&why), ..values.with_reason(&Reason::manual()) },
            (None, None) => values,
        }
    }

    /// Makes an event of a type, with every part that such an event can have.
    pub(super) fn sample(event_type: EventType, dashboard_url: Option<&str>) -> EventValues {
        let values = EventValues {
            id: "0167c013-eab0-8a3c-9f0e-5b1d0c6a7e42".to_owned(),
            event_type: event_type.to_string(),
            type_meaning: meaning(event_type),
            domain: "push.example.com".to_owned(),
            app: "live".to_owned(),
            stream: "room-1".to_owned(),
            time: Moment(1_700_000_000_000).to_string(),
            received: Moment(1_700_000_000_000).to_string(),
            session_url: dashboard_url.map(|url| format!("{url}/sessions/1-5d0c1f7a")).unwrap_or_default(),
            ..EventValues::default()
        };
        if !event_type.is_push_or_stop() {
            return values;
        }
        values.with_stream_event(&StreamEvent {
            is_stop: event_type == EventType::Stop,
            node: Some("192.0.2.1".into()),
            user_address: Some("192.0.2.2".into()),
            push_duration_ms: Some(128_581),
            errcode: Some(1),
            ..StreamEvent::default()
        })
    }

    fn with_stream_event(self, event: &StreamEvent<'_>) -> EventValues {
        let values = EventValues {
            user_address: shown(event.user_address.as_deref().unwrap_or_default()),
            node: shown(event.node.as_deref().unwrap_or_default()),
            ..self
        };
        if !event.is_stop {
            return values;
        }
        EventValues {
            duration: event.push_duration_ms.map(duration).unwrap_or_default(),
            duration_secs: event.push_duration_ms.map(|duration_ms| duration_ms / 1000),
            ..values.with_reason(&Reason::of(event.errcode, event.errmsg.as_deref()))
        }
    }

    fn with_reason(self, reason: &Reason) -> EventValues {
        EventValues {
            reason_category: reason.category.label(),
            reason_meaning: reason.meaning.to_owned(),
            reason_actor: reason.actor,
            reason_advice: reason.advice,
            ..self
        }
    }

    /// The event as a template sees it.
    pub(super) fn into_value(self) -> Value {
        Value::from_pairs([
            ("id", Value::from(self.id)),
            ("type", Value::from(self.event_type)),
            ("type_meaning", Value::from(self.type_meaning)),
            ("domain", Value::from(self.domain)),
            ("app", Value::from(self.app)),
            ("stream", Value::from(self.stream)),
            ("time", Value::from(self.time)),
            ("received", Value::from(self.received)),
            ("user_address", Value::from(self.user_address)),
            ("node", Value::from(self.node)),
            ("reason_category", Value::from(self.reason_category)),
            ("reason_meaning", Value::from(self.reason_meaning)),
            ("reason_actor", Value::from(self.reason_actor)),
            ("reason_advice", Value::from(self.reason_advice)),
            ("duration", Value::from(self.duration)),
            ("duration_secs", self.duration_secs.map_or_else(|| Value::from(()), Value::from)),
            ("data", Value::from_object(self.data)),
            // The user wrote its beginning, and the id of a session has plain characters. Escaped, it would be no link.
            ("session_url", Value::from_safe_string(self.session_url)),
        ])
    }
}

fn meaning(event_type: EventType) -> &'static str {
    match KnownType::of(event_type) {
        Some(known) => known.meaning,
        None if event_type == EventType::SessionEnded => "a person ended a session",
        None => "an event of a type that livehook does not know",
    }
}
