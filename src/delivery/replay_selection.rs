//! The events that a replay sends again, in the form that the API takes and the journal stores.

use serde::{Deserialize, Serialize};

use crate::callback::{DomainPattern, EventSelection, NamePattern, StreamSelection};
use crate::moment::TimeRange;

/// An [`EventSelection`] as text: the journal stores it in this form, and a later version must still read it.
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

impl ReplaySelection {
    /// Reads the types and patterns.
    ///
    /// # Errors
    /// The member that holds a wrong type or pattern, and the reason.
    pub fn selection(&self) -> Result<EventSelection, (&'static str, String)> {
        Ok(EventSelection {
            types: read("types", &self.types, |text| text.parse())?,
            streams: StreamSelection {
                domains: read("domains", &self.domains, DomainPattern::new)?,
                names: read("streams", &self.streams, NamePattern::new)?,
                ..StreamSelection::default()
            },
            received: TimeRange { since_ms: self.since_ms, until_ms: self.until_ms },
        })
    }
}

fn read<T, E: ToString>(
    member: &'static str,
    texts: &[String],
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<Vec<T>, (&'static str, String)> {
    texts.iter().map(|text| parse(text).map_err(|error| (member, error.to_string()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_is_read() {
        let texts = |text: &str| vec![text.to_owned()];
        let selection = ReplaySelection {
            since_ms: Some(10),
            until_ms: Some(20),
            types: texts("push"),
            domains: texts("*.d.com"),
            streams: texts("room-*"),
        };
        let selection = selection.selection().unwrap();
        assert_eq!(selection.types, ["push".parse().unwrap()]);
        assert!(selection.streams.takes("a.d.com", "live", "room-1"));
        assert!(
            !selection.streams.takes("d.com", "live", "room-1") && !selection.streams.takes("a.d.com", "live", "hall")
        );
        assert_eq!(selection.received, TimeRange { since_ms: Some(10), until_ms: Some(20) });
        assert_eq!(ReplaySelection::default().selection(), Ok(EventSelection::default()));
    }

    #[test]
    fn a_wrong_type_is_reported_by_its_member() {
        let selection = ReplaySelection { types: vec!["pushed".to_owned()], ..ReplaySelection::default() };
        assert_eq!(selection.selection().unwrap_err().0, "types");
    }

    #[test]
    fn the_stored_form_stays() {
        let stored = r#"{"since_ms":1,"until_ms":null,"types":["push"],"domains":["*.d.com"],"streams":[]}"#;
        let selection: ReplaySelection = serde_json::from_str(stored).unwrap();
        assert_eq!(serde_json::to_string(&selection).unwrap(), stored);
        assert_eq!(serde_json::from_str::<ReplaySelection>("{}").unwrap(), ReplaySelection::default());
    }
}
