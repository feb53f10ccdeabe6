//! What a subscriber wants of the feed.

use crate::admin::api::parameters::{Parameters, word};
use crate::admin::api::streams::selection;
use crate::admin::problem::Problem;
use crate::callback::{EventSelection, EventType};

/// The kinds of messages that can be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Event,
    Session,
}

/// What a subscriber wants. Streams are chosen for both kinds of messages, types for events alone.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    kinds: Vec<Kind>,
    selection: EventSelection,
}

impl Filter {
    /// Takes the filter out of a request's parameters.
    pub(super) fn of(parameters: &mut Parameters) -> Result<Filter, Problem> {
        let kinds = [("event", Kind::Event), ("session", Kind::Session)];
        Ok(Filter {
            kinds: parameters.list("kind", |text| word(text, &kinds))?,
            selection: EventSelection {
                streams: selection(parameters)?,
                types: parameters.list("type", str::parse::<EventType>)?,
                ..EventSelection::default()
            },
        })
    }

    /// The same, of records received at a time, in Unix ms, or later.
    pub(super) fn since(mut self, since_ms: i64) -> Filter {
        self.selection.received.since_ms = Some(since_ms);
        self
    }

    /// Whether everything is wanted.
    pub(super) fn is_open(&self) -> bool {
        self.kinds.is_empty() && self.selection == EventSelection::default()
    }

    /// Whether changes of sessions are wanted.
    pub(super) fn wants_sessions(&self) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&Kind::Session)
    }

    /// Whether nothing but changes of sessions is wanted.
    pub(super) fn wants_sessions_alone(&self) -> bool {
        !self.kinds.is_empty() && !self.kinds.contains(&Kind::Event)
    }

    /// Whether events of a type are wanted.
    pub(super) fn wants_events(&self, event_type: EventType) -> bool {
        !self.wants_sessions_alone() && self.selection.takes_type(event_type)
    }

    /// Whether anything is wanted of a stream at a time.
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
mod tests {
    use super::*;

    fn filter(query: &str) -> Filter {
        let mut parameters = Parameters::of(Some(query));
        let filter = Filter::of(&mut parameters).unwrap();
        parameters.finish().unwrap();
        filter
    }

    fn names(stream: &str) -> Names {
        Names { domain: "Push.example.com".to_owned(), app_name: "live".to_owned(), stream: stream.to_owned() }
    }

    #[test]
    fn nothing_given_is_everything_wanted() {
        let open = filter("");
        assert!(open.is_open() && open.wants_sessions() && open.wants_events(EventType::Push));
        assert!(open.wants(&names("a"), 0));
        for query in ["kind=event", "type=push", "stream=a", "domain=*.example.com", "app_name=live"] {
            assert!(!filter(query).is_open(), "{query}");
        }
    }

    #[test]
    fn kinds_and_types_choose_messages() {
        for (query, push, stop, session) in [
            ("kind=event", true, true, false),
            ("kind=session", false, false, true),
            ("kind=session&kind=event", true, true, true),
            ("type=push", true, false, true),
            ("type=push&type=0", true, true, true),
            ("type=push&kind=event", true, false, false),
            ("type=push&kind=session", false, false, true),
        ] {
            let filter = filter(query);
            let wants = (filter.wants_events(EventType::Push), filter.wants_events(EventType::Stop));
            assert_eq!((wants, filter.wants_sessions()), ((push, stop), session), "{query}");
        }
    }

    #[test]
    fn streams_and_times_choose_records() {
        for (query, stream, wanted) in [
            ("stream=a", "a", true),
            ("stream=a", "b", false),
            ("stream=room-*&domain=push.EXAMPLE.com", "room-1", true),
            ("stream=a&domain=other.example.com", "a", false),
            ("stream=a&app_name=Live", "a", false),
        ] {
            assert_eq!(filter(query).wants(&names(stream), 0), wanted, "{query}");
        }
        let since = Filter::default().since(5);
        assert!(!since.wants(&names("a"), 4) && since.wants(&names("a"), 5) && !since.is_open());
    }

    #[test]
    fn a_kind_that_is_none_is_named() {
        let told = Filter::of(&mut Parameters::of(Some("kind=sessions"))).unwrap_err();
        let told = serde_json::to_value(&told).unwrap();
        assert_eq!(told["detail"], "`kind`: `sessions` is none of event, session");
    }
}
