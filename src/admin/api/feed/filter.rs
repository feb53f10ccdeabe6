//! Which messages of the feed a subscriber wants.

use serde::Deserialize;
use utoipa::ToSchema;

use crate::callback::{EventSelection, EventType};

/// The kinds of messages, apart from gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = FeedKind)]
pub(in crate::admin::api) enum MessageKind {
    /// An event.
    Event,
    /// A session that an event has changed.
    Session,
}

/// Which messages a subscriber wants. Streams and times apply to both kinds of messages, types to events alone.
#[derive(Clone, Debug, Default)]
pub(in crate::admin::api) struct Filter {
    kinds: Vec<MessageKind>,
    selection: EventSelection,
}

impl Filter {
    /// Makes a filter for messages of these kinds, or of all kinds if there are none.
    pub(in crate::admin::api) fn new(kinds: Vec<MessageKind>, selection: EventSelection) -> Filter {
        Filter { kinds, selection }
    }

    /// Whether everything is wanted.
    pub(super) fn is_open(&self) -> bool {
        self.kinds.is_empty() && self.selection == EventSelection::default()
    }

    /// Whether changes of sessions are wanted.
    pub(super) fn wants_sessions(&self) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&MessageKind::Session)
    }

    /// Whether only changes of sessions are wanted.
    pub(in crate::admin::api) fn wants_sessions_alone(&self) -> bool {
        !self.kinds.is_empty() && !self.kinds.contains(&MessageKind::Event)
    }

    /// Whether events of a type are wanted.
    pub(super) fn wants_events(&self, event_type: EventType) -> bool {
        !self.wants_sessions_alone() && self.selection.takes_type(event_type)
    }

    /// Whether messages about a stream are wanted, if they come from an event that was received at this time in Unix ms.
    pub(super) fn wants(&self, names: &Names, received_ms: i64) -> bool {
        self.selection.received.contains(received_ms)
            && self.selection.streams.takes(&names.domain, &names.app_name, &names.stream)
    }
}

/// The names of a stream, decoded once for all subscribers.
#[derive(Debug)]
pub(super) struct Names {
    pub(super) domain: String,
    pub(super) app_name: String,
    pub(super) stream: String,
}

#[cfg(test)]
mod tests;
