//! The filter of a sink, as the configuration writes it.

use serde::Deserialize;

use crate::callback::{DomainPattern, EventSelection, EventType, NamePattern, StreamSelection};

/// `filter` of `[[sinks]]`. An event passes if it matches an entry of each list that is not empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Filter {
    /// Event types, by name or number.
    pub types: Vec<EventType>,
    /// Domains, with `*.` wildcards.
    pub domains: Vec<DomainPattern>,
    /// Stream names, with `*`.
    pub streams: Vec<NamePattern>,
}

impl From<Filter> for EventSelection {
    fn from(Filter { types, domains, streams }: Filter) -> EventSelection {
        let streams = StreamSelection { domains, names: streams, ..StreamSelection::default() };
        EventSelection { types, streams, ..EventSelection::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_selects_by_its_lists() {
        let text = "types = [\"push\", 332]\ndomains = [\"*.example.com\"]\nstreams = [\"*1\"]";
        let selection = EventSelection::from(toml::from_str::<Filter>(text).unwrap());
        assert_eq!(selection.types, [EventType::Push, EventType::RecordingStatus]);
        assert!(selection.streams.takes("a.example.com", "live", "room-1"));
        assert!(!selection.streams.takes("example.com", "live", "room-1"));
        assert!(!selection.streams.takes("a.example.com", "live", "room-2"));
        assert_eq!(EventSelection::from(toml::from_str::<Filter>("").unwrap()), EventSelection::default());
    }

    #[test]
    fn bad_patterns_and_types_are_refused() {
        for rules in [r#"types = ["pushed"]"#, r#"domains = ["a.*.com"]"#, r#"streams = [""]"#] {
            assert!(toml::from_str::<Filter>(rules).is_err(), "{rules}");
        }
    }
}
