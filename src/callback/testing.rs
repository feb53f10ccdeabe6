//! Builds events for the tests of every module.

use serde_json::{Map, Value};

use super::{Callback, Event, EventType, KnownType, Options, Verifier};

/// When a test's event is received unless the test says so, in Unix ms.
pub(crate) const RECEIVED_MS: i64 = 1_700_000_000_000;

/// Returns the event of a body that nobody signed.
pub(crate) fn event_of(body: &str, received_ms: i64) -> Event {
    let verifier = Verifier::new(Options { allow_unsigned: true, ..Options::default() }).unwrap();
    verifier.verify(&Callback::parse(body.as_bytes()).unwrap(), received_ms).unwrap()
}

/// Begins an event of a type, such as `push` or `321`, of the stream `//`.
pub(crate) fn event(event_type: &str) -> EventBuilder {
    let event_type: EventType = event_type.parse().unwrap();
    let members = Map::from_iter([("event_type".to_owned(), event_type.number().into())]);
    EventBuilder { event_type, members, received_ms: RECEIVED_MS }
}

/// An event that a test describes. Its members bear the names that its type has for them.
pub(crate) struct EventBuilder {
    event_type: EventType,
    members: Map<String, Value>,
    received_ms: i64,
}

impl EventBuilder {
    /// Sets the domain.
    pub(crate) fn domain(self, domain: &str) -> EventBuilder {
        let name = self.known().and_then(|known| known.names.domain).unwrap_or("domain");
        self.member(name, domain)
    }

    /// Sets the app name.
    pub(crate) fn app(self, app_name: &str) -> EventBuilder {
        let name = self.known().and_then(|known| known.names.app_name).unwrap_or("appname");
        self.member(name, app_name)
    }

    /// Sets the stream name.
    pub(crate) fn stream(self, stream: &str) -> EventBuilder {
        let name = self.known().map_or("stream_id", |known| known.names.stream);
        self.member(name, stream)
    }

    /// Sets the sequence of the push.
    pub(crate) fn sequence(self, sequence: &str) -> EventBuilder {
        self.member("sequence", sequence)
    }

    /// Sets another member of the callback.
    pub(crate) fn member(mut self, name: &str, value: impl Into<Value>) -> EventBuilder {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// Sets when livehook receives the callback, in Unix ms.
    pub(crate) fn at(self, received_ms: i64) -> EventBuilder {
        EventBuilder { received_ms, ..self }
    }

    /// Returns the event.
    pub(crate) fn build(self) -> Event {
        event_of(&Value::Object(self.members).to_string(), self.received_ms)
    }

    fn known(&self) -> Option<&'static KnownType> {
        KnownType::of(self.event_type)
    }
}
