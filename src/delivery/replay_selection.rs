//! Which recorded events a replay sends, as people asked for it and as it is kept.

use serde::{Deserialize, Serialize};

use crate::callback::{DomainPattern, Event, NamePattern};
use crate::sink::Filter;

/// Which of the recorded events are meant: those that are all of what is given. What is left out means all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReplaySelection {
    /// Received then or later, in Unix ms.
    pub since_ms: Option<i64>,
    /// Received before, in Unix ms.
    pub until_ms: Option<i64>,
    /// Event types, by name or number.
    pub types: Vec<String>,
    /// Domains, with `*.` wildcards.
    pub domains: Vec<String>,
    /// Stream names, with `*`.
    pub streams: Vec<String>,
}

/// A selection that is ready to be matched.
#[derive(Clone, Debug)]
pub struct ReplayFilter {
    since_ms: Option<i64>,
    until_ms: Option<i64>,
    asked: Filter,
    of_sink: Filter,
}

impl ReplaySelection {
    /// Reads the patterns. A replay gives a sink nothing that the sink's own filter leaves out.
    ///
    /// # Errors
    /// The member that holds what is no type or pattern, and why.
    pub fn filter(&self, of_sink: &Filter) -> Result<ReplayFilter, (&'static str, String)> {
        let asked = Filter {
            types: read("types", &self.types, |text| text.parse())?,
            domains: read("domains", &self.domains, DomainPattern::new)?,
            streams: read("streams", &self.streams, NamePattern::new)?,
        };
        Ok(ReplayFilter { since_ms: self.since_ms, until_ms: self.until_ms, asked, of_sink: of_sink.clone() })
    }
}

fn read<T, E: ToString>(
    member: &'static str,
    texts: &[String],
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Vec<T>, (&'static str, String)> {
    texts.iter().map(|text| parse(text).map_err(|error| (member, error.to_string()))).collect()
}

impl ReplayFilter {
    /// Whether the event is meant.
    pub fn takes(&self, event: &Event) -> bool {
        let received_ms = event.received_ms();
        self.since_ms.is_none_or(|since_ms| received_ms >= since_ms)
            && self.until_ms.is_none_or(|until_ms| received_ms < until_ms)
            && self.asked.passes(event)
            && self.of_sink.passes(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::{Callback, Options, Verifier};

    fn event(stream: &str, received_ms: i64) -> Event {
        let verifier = Verifier::new(Options { allow_unsigned: true, ..Options::default() }).unwrap();
        let body = format!(r#"{{"event_type":1,"app":"d.com","appname":"live","stream_id":"{stream}"}}"#);
        verifier.verify(&Callback::parse(body.as_bytes()).unwrap(), received_ms).unwrap()
    }

    #[test]
    fn everything_given_must_match_and_the_sinks_filter_too() {
        let selection = ReplaySelection {
            since_ms: Some(10),
            until_ms: Some(20),
            streams: vec!["room-*".to_owned()],
            ..ReplaySelection::default()
        };
        let filter = selection.filter(&Filter::default()).unwrap();
        let taken = [("room-1", 10), ("room-1", 19), ("room-1", 9), ("room-1", 20), ("hall", 10)]
            .map(|(stream, received_ms)| filter.takes(&event(stream, received_ms)));
        assert_eq!(taken, [true, true, false, false, false]);
        let of_sink = Filter { types: vec!["stop".parse().unwrap()], ..Filter::default() };
        assert!(!ReplaySelection::default().filter(&of_sink).unwrap().takes(&event("room-1", 10)));
    }

    #[test]
    fn what_is_no_pattern_is_told_by_its_member() {
        let selection = ReplaySelection { types: vec!["pushed".to_owned()], ..ReplaySelection::default() };
        assert_eq!(selection.filter(&Filter::default()).unwrap_err().0, "types");
    }

    #[test]
    fn a_selection_is_kept_as_it_was_asked_for() {
        let selection =
            ReplaySelection { since_ms: Some(1), domains: vec!["*.d.com".to_owned()], ..Default::default() };
        let kept = serde_json::to_string(&selection).unwrap();
        assert_eq!(serde_json::from_str::<ReplaySelection>(&kept).unwrap(), selection);
    }
}
