//! Selects events for the filters of sinks, for replays, for the API and for the command line.
//!
//! If a list is not empty, the event must match one of its entries. Empty lists and absent bounds select every event.

use super::event::Event;
use super::event_type::EventType;
use super::pattern::{DomainPattern, NamePattern};
use super::stream_key::StreamKey;
use crate::moment::TimeRange;

/// Selects events by type, by stream and by the time of receipt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventSelection {
    /// Event types.
    pub types: Vec<EventType>,
    /// The streams that the events are about.
    pub streams: StreamSelection,
    /// When livehook received the events.
    pub received: TimeRange,
}

/// Selects streams by their names, and with them their events and sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamSelection {
    /// Domains, with `*.` wildcards.
    pub domains: Vec<DomainPattern>,
    /// App names, each in full.
    pub apps: Vec<String>,
    /// Stream names, which may contain `*`.
    pub names: Vec<NamePattern>,
    /// Only this stream. A `*` in its names is an ordinary character.
    pub key: Option<StreamKey>,
}

impl EventSelection {
    /// Returns whether the event is selected.
    pub fn takes(&self, event: &Event) -> bool {
        self.takes_type(event.event_type()) && self.received.contains(event.received_ms()) && self.takes_stream(event)
    }

    /// Returns whether events of this type are selected, if their stream and time fit too.
    pub fn takes_type(&self, event_type: EventType) -> bool {
        self.types.is_empty() || self.types.contains(&event_type)
    }

    fn takes_stream(&self, event: &Event) -> bool {
        // Without this, every event's key would be decoded for nothing.
        if self.streams == StreamSelection::default() {
            return true;
        }
        let key = event.partition_key();
        self.streams.takes(&key.domain(), &key.app_name(), &key.stream())
    }
}

impl StreamSelection {
    /// Selects one stream. A name that the stream does not have is empty.
    pub fn of_stream(domain: &str, app_name: &str, stream: &str) -> StreamSelection {
        let key = StreamKey::from_parts(domain, app_name, stream);
        StreamSelection { key: Some(key), ..StreamSelection::default() }
    }

    /// Returns whether the stream with these names is selected. A name that the stream does not have is empty.
    pub fn takes(&self, domain: &str, app_name: &str, stream: &str) -> bool {
        (self.domains.is_empty() || self.domains.iter().any(|pattern| pattern.matches(domain)))
            && (self.names.is_empty() || self.names.iter().any(|pattern| pattern.matches(stream)))
            && self.key.as_ref().is_none_or(|key| *key == StreamKey::from_parts(domain, app_name, stream))
            && (self.apps.is_empty() || self.apps.iter().any(|app| app == app_name))
    }

    /// Returns whether the selection has the full names of its streams. Then the index finds the streams by name.
    pub fn names_streams(&self) -> bool {
        self.key.is_some() || self.exact_names().is_some()
    }

    /// Returns the stream names if all of them are full names. `None` if one has a `*`, or if there are no names.
    pub fn exact_names(&self) -> Option<Vec<&str>> {
        if self.names.is_empty() {
            return None;
        }
        self.names.iter().map(NamePattern::exact).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::event;
    use super::*;

    fn selection(types: &[&str], domains: &[&str], apps: &[&str], names: &[&str]) -> EventSelection {
        EventSelection {
            types: types.iter().map(|text| text.parse().unwrap()).collect(),
            streams: StreamSelection {
                domains: domains.iter().map(|text| DomainPattern::new(text).unwrap()).collect(),
                apps: apps.iter().map(|&app| app.to_owned()).collect(),
                names: names.iter().map(|text| NamePattern::new(text).unwrap()).collect(),
                key: None,
            },
            received: TimeRange::default(),
        }
    }

    #[test]
    fn each_list_must_match() {
        let events = [
            event("push").domain("Push.Example.com").app("live").stream("room-1").build(),
            event("recording-status").domain("other.org").stream("room/2 x").build(),
            event("777").build(),
        ];
        for (selection, taken) in [
            (selection(&[], &[], &[], &[]), [true, true, true]),
            (selection(&["push"], &[], &[], &[]), [true, false, false]),
            (selection(&["stop", "332", "777"], &[], &[], &[]), [false, true, true]),
            (selection(&[], &["*.example.com"], &[], &[]), [true, false, false]),
            (selection(&[], &["example.com", "OTHER.org"], &[], &[]), [false, true, false]),
            (selection(&[], &[], &["live"], &[]), [true, false, false]),
            (selection(&[], &[], &["Live", ""], &[]), [false, true, true]),
            (selection(&[], &[], &[], &["room-*", "room/2 x"]), [true, true, false]),
            (selection(&[], &[], &[], &["*"]), [true, true, true]),
            (selection(&[], &[], &[], &["Room-1"]), [false, false, false]),
            (selection(&["push", "332"], &["*.example.com"], &[], &["*1"]), [true, false, false]),
            (selection(&["push"], &["other.org"], &[], &[]), [false, false, false]),
        ] {
            assert_eq!(events.each_ref().map(|event| selection.takes(event)), taken, "{selection:?}");
        }
    }

    #[test]
    fn received_has_bounds() {
        let received = TimeRange { since_ms: Some(10), until_ms: Some(20) };
        let selection = EventSelection { received, ..EventSelection::default() };
        let taken = [9, 10, 19, 20].map(|received_ms| selection.takes(&event("push").at_ms(received_ms).build()));
        assert_eq!(taken, [false, true, true, false]);
    }

    #[test]
    fn one_stream_is_itself_alone() {
        let selection = StreamSelection::of_stream("D.com", "", "a*");
        assert!(selection.takes("d.COM", "", "a*") && selection.names_streams());
        assert!(!selection.takes("d.com", "", "ab") && !selection.takes("d.com", "live", "a*"));
    }

    #[test]
    fn exact_names_have_no_star() {
        assert_eq!(selection(&[], &[], &[], &["a", "b"]).streams.exact_names(), Some(vec!["a", "b"]));
        assert_eq!(selection(&[], &[], &[], &["a", "b*"]).streams.exact_names(), None);
        assert_eq!(StreamSelection::default().exact_names(), None);
    }
}
