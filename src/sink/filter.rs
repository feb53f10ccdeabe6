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
