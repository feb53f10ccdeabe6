//! The form of an event in a message that has headers of its own.

use serde::Deserialize;

use crate::callback::Event;
use crate::sink::Format;

/// `format`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageFormat {
    /// The body is the whole event, as every sink and the API give it.
    #[default]
    CloudEvents,
    /// The body is the vendor's members alone, and the headers hold the rest of the event.
    Binary,
    /// The body is the vendor's members alone, without `sign` and `t`.
    Data,
}

impl MessageFormat {
    /// Returns the body of an event's message.
    pub(in crate::sink) fn body(self, event: &Event) -> &str {
        self.of_body().text(event)
    }

    /// The content type of a message.
    pub(in crate::sink) fn content_type(self) -> &'static str {
        self.of_body().content_type()
    }

    fn of_body(self) -> Format {
        match self {
            MessageFormat::CloudEvents => Format::CloudEvents,
            MessageFormat::Binary | MessageFormat::Data => Format::Data,
        }
    }
}
