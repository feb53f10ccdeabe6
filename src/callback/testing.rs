//! Builds callbacks and their events, for the tests of every module.
//!
//! ```text
//! event("push").stream_key("d.com/live/s").sequence("1").at_ms(1_700_000_000_000).build()
//! ```

use serde_json::{Map, Value};

use super::{Callback, CallbackKey, Event, EventType, KeyOptions, KnownType, Verifier, VerifierOptions};

/// When livehook receives an event unless its test sets another time, in Unix ms.
pub(crate) const RECEIVED_MS: i64 = 1_700_000_000_000;

/// Returns the event of an unsigned body. Prefer [`event`], unless the test is about the text of the body.
pub(crate) fn event_of(body: &str, received_ms: i64) -> Event {
    let verifier = Verifier::new(VerifierOptions { allow_unsigned: true, ..VerifierOptions::default() }).unwrap();
    verifier.verify(&Callback::parse(body.as_bytes()).unwrap(), received_ms).unwrap()
}

/// Starts an event of a type, given as `push` or `321`. It names no stream until a test sets one.
pub(crate) fn event(event_type: &str) -> EventBuilder {
    let event_type: EventType = event_type.parse().unwrap();
    let members = Map::from_iter([("event_type".to_owned(), event_type.number().into())]);
    EventBuilder { event_type, members, received_ms: RECEIVED_MS }
}

/// An event that a test describes. Each event type has its own names for some members; the builder uses them.
#[derive(Clone)]
pub(crate) struct EventBuilder {
    event_type: EventType,
    members: Map<String, Value>,
    received_ms: i64,
}

impl EventBuilder {
    /// Sets domain, app name and stream name at once, such as `push.example.com/live/demo`.
    pub(crate) fn stream_key(self, key: &str) -> EventBuilder {
        let [domain, app_name, stream] = key.split('/').collect::<Vec<_>>().try_into().unwrap();
        self.domain(domain).app(app_name).stream(stream)
    }

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

    /// Sets the sequence of the push, given as text or as a number.
    pub(crate) fn sequence(self, sequence: impl ToString) -> EventBuilder {
        self.member("sequence", sequence.to_string())
    }

    /// Sets the event's own time, in Unix seconds.
    pub(crate) fn happened_secs(self, secs: i64) -> EventBuilder {
        let time = self.known().and_then(|known| known.time);
        let (name, units_per_sec) = time.map_or(("event_time", 1), |time| (time.name, 1000 / time.unit.length_ms()));
        self.member(name, secs * units_per_sec)
    }

    /// Sets any other member of the callback.
    pub(crate) fn member(mut self, name: &str, value: impl Into<Value>) -> EventBuilder {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// Sets when livehook receives the callback, in Unix ms.
    pub(crate) fn at_ms(self, received_ms: i64) -> EventBuilder {
        EventBuilder { received_ms, ..self }
    }

    /// Returns the body that CSS posts, without `t` and `sign`.
    pub(crate) fn body(&self) -> String {
        serde_json::to_string(&self.members).unwrap()
    }

    /// Returns the event of the callback without a signature.
    pub(crate) fn build(&self) -> Event {
        event_of(&self.body(), self.received_ms)
    }

    /// Returns the event of the same callback with a signature.
    pub(crate) fn build_signed(&self) -> Event {
        let key = CallbackKey::new("test").unwrap();
        let t = (self.received_ms / 1000 + 600).to_string();
        let sign = hex::encode(key.sign(&t));
        let body = self.clone().member("t", t).member("sign", sign).body();
        let keys = vec![KeyOptions { key, domains: None }];
        let verifier = Verifier::new(VerifierOptions { keys, ..VerifierOptions::default() }).unwrap();
        verifier.verify(&Callback::parse(body.as_bytes()).unwrap(), self.received_ms).unwrap()
    }

    fn known(&self) -> Option<&'static KnownType> {
        KnownType::of(self.event_type)
    }
}
