//! The form in which a receiver or a server gets an event.

use serde::Deserialize;

use crate::callback::Event;

/// `format`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// The whole event, as every sink and the API give it.
    #[default]
    CloudEvents,
    /// The vendor's members alone, without `sign` and `t`.
    Data,
}

impl Format {
    /// Returns the text of an event in this form.
    pub(in crate::sink) fn text(self, event: &Event) -> &str {
        match self {
            Format::CloudEvents => event.line(),
            Format::Data => event.data(),
        }
    }

    /// The content type of one event in this form.
    pub(in crate::sink) fn content_type(self) -> &'static str {
        match self {
            Format::CloudEvents => "application/cloudevents+json",
            Format::Data => "application/json",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::testing::event;

    #[test]
    fn data_is_the_vendors_object() {
        let event = event("push").stream("a").build();
        let data: serde_json::Value = serde_json::from_str(Format::Data.text(&event)).unwrap();
        let whole: serde_json::Value = serde_json::from_str(Format::CloudEvents.text(&event)).unwrap();
        assert_eq!(data, whole["data"]);
        assert!(data.get("sign").is_none() && data.get("stream_id").is_some());
    }
}
