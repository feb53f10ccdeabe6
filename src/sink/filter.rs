//! Which events a sink is given.

use serde::Deserialize;

use crate::callback::{DomainPattern, Event, EventType, NamePattern};

/// Each list that is not empty must hold something that the event matches.
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

impl Filter {
    /// Whether the event passes.
    pub fn passes(&self, event: &Event) -> bool {
        let key = event.partition_key();
        (self.types.is_empty() || self.types.contains(&event.event_type()))
            && (self.domains.is_empty() || self.domains.iter().any(|pattern| pattern.matches(&key.domain())))
            && (self.streams.is_empty() || self.streams.iter().any(|pattern| pattern.matches(&key.stream())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::testing::event;

    fn filter(toml: &str) -> Filter {
        toml::from_str(toml).unwrap()
    }

    #[test]
    fn each_list_that_is_not_empty_must_match() {
        let push = r#"{"event_type":1,"app":"Push.Example.com","appname":"live","stream_id":"room-1"}"#;
        let recording = r#"{"event_type":332,"domain":"other.org","stream_id":"room/2 x"}"#;
        let nameless = r#"{"event_type":777}"#;
        for (rules, passing) in [
            ("", [true, true, true]),
            (r#"types = ["push"]"#, [true, false, false]),
            (r#"types = ["stop", 332, 777]"#, [false, true, true]),
            (r#"domains = ["*.example.com"]"#, [true, false, false]),
            (r#"domains = ["example.com", "OTHER.org"]"#, [false, true, false]),
            (r#"streams = ["room-*", "room/2 x"]"#, [true, true, false]),
            (r#"streams = ["*"]"#, [true, true, true]),
            (r#"streams = ["Room-1"]"#, [false, false, false]),
            ("types = [\"push\", 332]\ndomains = [\"*.example.com\"]\nstreams = [\"*1\"]", [true, false, false]),
            ("types = [\"push\"]\ndomains = [\"other.org\"]", [false, false, false]),
        ] {
            let filter = filter(rules);
            let passed = [push, recording, nameless].map(|body| filter.passes(&event(body)));
            assert_eq!(passed, passing, "{rules}");
        }
    }

    #[test]
    fn patterns_and_types_that_are_none_are_refused() {
        for rules in [r#"types = ["pushed"]"#, r#"domains = ["a.*.com"]"#, r#"streams = [""]"#] {
            assert!(toml::from_str::<Filter>(rules).is_err(), "{rules}");
        }
    }
}
