//! The body of a request: one event, or a list of events.

use super::options::Options;
use crate::journal::Record;
use crate::sink::Format;

/// The content type of CloudEvents 1.0 for a list of events.
const LIST: &str = "application/cloudevents-batch+json";

/// The form of every body of a sink.
pub(super) struct BodyForm {
    format: Format,
    is_list: bool,
}

impl BodyForm {
    /// Makes the form that the options describe.
    pub(super) fn new(options: &Options) -> BodyForm {
        BodyForm { format: options.format, is_list: options.batch_events_max > 1 }
    }

    /// The content type, unless `content_type` sets another one.
    pub(super) fn content_type(&self) -> &'static str {
        if self.is_list && self.format == Format::CloudEvents { LIST } else { self.format.content_type() }
    }

    /// Returns the body of a request with these events.
    pub(super) fn body(&self, records: &[&Record]) -> String {
        let texts = records.iter().map(|record| self.format.text(&record.event));
        if !self.is_list {
            return texts.collect();
        }
        // The texts are JSON already. Joined as they are, they give the receiver the same bytes as single events.
        let bytes = texts.clone().map(str::len).sum();
        let mut body = String::with_capacity(list_bytes(bytes, records.len()));
        for (position, text) in texts.enumerate() {
            body.push(if position == 0 { '[' } else { ',' });
            body.push_str(text);
        }
        body.push(']');
        body
    }
}

/// The length of a list of `events` whose texts have `bytes` in total: brackets and commas included.
pub(super) fn list_bytes(bytes: usize, events: usize) -> usize {
    bytes + events + 1
}
