//! Which events the page of events shows, as its address says.

use maud::{Markup, html};

use super::format::outside;
use super::icons::icon;
use super::view::View;
use crate::callback::{DomainPattern, EventSelection, EventType, NamePattern, StreamSelection};
use crate::history::EventQuery;
use crate::index::Order;
use crate::journal::Offset;
use crate::moment::{self, TimeRange};

/// How many events a page shows.
pub(super) const EVENTS_MAX: usize = 50;

/// The parameters of the filter, apart from the text.
const FIELDS: [&str; 5] = ["type", "domain", "stream", "since", "until"];

/// Which events are wanted.
pub(super) struct EventFilter {
    pub(super) query: EventQuery,
    /// A text that the line of an event contains, in lower case; empty for every event.
    pub(super) text: String,
    /// The offset at which a person has paused the list.
    pub(super) paused: Option<i64>,
    /// Whether the page shows older events than the newest.
    pub(super) is_older: bool,
}

/// A parameter that can't be read.
pub(super) struct Mistake {
    field: &'static str,
    rule: String,
}

impl EventFilter {
    /// Reads the parameters of the address.
    pub(super) fn of(view: &View) -> Result<EventFilter, Mistake> {
        let moment = |text: &str| moment::parse(text, view.now_ms);
        let received = TimeRange { since_ms: read(view, "since", moment)?, until_ms: read(view, "until", moment)? };
        let streams = StreamSelection {
            domains: read(view, "domain", DomainPattern::new)?.into_iter().collect(),
            names: read(view, "stream", NamePattern::new)?.into_iter().collect(),
            ..StreamSelection::default()
        };
        let types = read(view, "type", |text| text.parse::<EventType>())?.into_iter().collect();
        let number = |name: &str| view.choice(name, |text| text.parse::<i64>().ok());
        let (after, paused) = (number("after"), number("paused"));
        let query = EventQuery {
            selection: EventSelection { types, streams, received },
            order: Order::Descending,
            // The newest comes first, so the list begins before this offset.
            after: after.or(paused.map(|offset| offset.saturating_add(1))).map(Offset),
            limit: EVENTS_MAX,
        };
        let text = view.parameter("text").unwrap_or_default().to_lowercase();
        Ok(EventFilter { query, text, paused, is_older: after.is_some() })
    }
}

fn read<T, E: ToString>(
    view: &View,
    field: &'static str,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Option<T>, Mistake> {
    let parsed = view.parameter(field).map(|text| parse(text.trim()));
    parsed.transpose().map_err(|error| Mistake { field, rule: error.to_string() })
}

/// Shows the fields of the filter.
pub(super) fn filter_form(view: &View, mistake: Option<&Mistake>) -> Markup {
    let value = |name: &str| view.parameter(name).unwrap_or_default();
    let chosen = view.parameter("type");
    let has_filter = FIELDS.iter().chain(&["text"]).any(|name| view.parameter(name).is_some());
    let known: Vec<String> =
        EventType::known().chain([EventType::SessionEnded]).map(|event_type| event_type.to_string()).collect();
    html! {
        form.event-filter role="search" method="get" action="/events" {
            @if let Some(paused) = view.parameter("paused") { input type="hidden" name="paused" value=(paused); }
            div.filter {
                (icon("search"))
                input type="search" name="text" value=(value("text")) placeholder=(view.text("events-find"))
                    aria-label=(view.text("events-find")) data-submits;
            }
            label {
                span { (view.text("column-event")) }
                select name="type" data-submits {
                    option value="" { (view.text("events-all-types")) }
                    @for name in &known { option value=(name) selected[chosen.as_ref() == Some(name)] { (name) } }
                    // The catalogue lacks the types that the vendor has added since.
                    @if let Some(other) = chosen.as_ref().filter(|name| !known.contains(name)) {
                        option value=(other) selected { (other) }
                    }
                }
            }
            (field(view, "domain", "events-domain", "*.example.com", mistake))
            (field(view, "stream", "column-name", "room-*", mistake))
            (field(view, "since", "events-since", "2h", mistake))
            (field(view, "until", "events-until", "2026-05-01", mistake))
            button { (view.text("apply")) }
            @if has_filter { a.quiet href="/events" { (view.text("events-clear")) } }
            @if let Some(mistake) = mistake {
                p #filter-error.error role="alert" lang="en" { (mistake.field) ": " (outside(&mistake.rule)) }
            }
        }
    }
}

fn field(view: &View, name: &'static str, label: &str, example: &str, mistake: Option<&Mistake>) -> Markup {
    let is_wrong = mistake.is_some_and(|mistake| mistake.field == name);
    html! {
        label {
            span { (view.text(label)) }
            input name=(name) value=(view.parameter(name).unwrap_or_default()) placeholder=(example) autocomplete="off"
                aria-invalid=[is_wrong.then_some("true")] aria-describedby=[is_wrong.then_some("filter-error")];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::view::testing::view;
    use super::*;

    #[test]
    fn address_selects_events() {
        let filter = |uri: &str| EventFilter::of(&view(uri, 10_000)).map_err(|mistake| mistake.field);
        let found = filter("/events?type=stop&domain=*.a.com&stream=room-*&since=5s&text=ABC&paused=7").ok().unwrap();
        assert_eq!(found.query.selection.types, [EventType::Stop]);
        assert_eq!(found.query.selection.received, TimeRange { since_ms: Some(5000), until_ms: None });
        assert!(found.query.selection.streams.takes("x.a.com", "live", "room-1"));
        assert_eq!((found.text.as_str(), found.query.after, found.is_older), ("abc", Some(Offset(8)), false));
        let older = filter("/events?paused=7&after=3&until=").ok().unwrap();
        assert_eq!((older.query.after, older.is_older), (Some(Offset(3)), true));
        for (uri, field) in [("/events?since=then", "since"), ("/events?type=pushed", "type")] {
            assert_eq!(filter(uri).err(), Some(field), "{uri}");
        }
    }
}
