//! The body of a request: one event, a list of events, or a message made from a template.

use super::message::MessageTemplate;
use super::options::Options;
use crate::journal::Record;
use crate::sink::{Failure, Format};

/// The content type of CloudEvents 1.0 for a list of events.
const LIST: &str = "application/cloudevents-batch+json";

/// The form of every body of a sink.
pub(super) struct BodyForm {
    format: Format,
    is_list: bool,
    template: Option<MessageTemplate>,
}

impl BodyForm {
    /// Makes the form that the options describe.
    ///
    /// # Errors
    /// The template is wrong.
    pub(super) fn new(options: &Options) -> Result<BodyForm, Failure> {
        let template = options.template().map(|(key, template)| {
            MessageTemplate::new(template).map_err(|error| Failure::outage(format!("{key}: {error}")))
        });
        Ok(BodyForm { format: options.format, is_list: options.batch_events_max > 1, template: template.transpose()? })
    }

    /// The content type, unless `content_type` sets another one.
    pub(super) fn content_type(&self) -> &'static str {
        match self.format {
            _ if self.template.is_some() => Format::Data.content_type(),
            Format::CloudEvents if self.is_list => LIST,
            format => format.content_type(),
        }
    }

    /// Returns the body of a request with these events.
    ///
    /// # Errors
    /// The template fails for one of them.
    pub(super) fn body(&self, records: &[&Record]) -> Result<String, String> {
        if let Some(template) = &self.template {
            return template.message(records).map_err(|error| format!("the template fails for this event: {error}"));
        }
        let texts = records.iter().map(|record| self.format.text(&record.event));
        if !self.is_list {
            return Ok(texts.collect());
        }
        // The texts are JSON already. Joined as they are, they give the receiver the same bytes as single events.
        let bytes = texts.clone().map(str::len).sum();
        let mut body = String::with_capacity(list_bytes(bytes, records.len()));
        for (position, text) in texts.enumerate() {
            body.push(if position == 0 { '[' } else { ',' });
            body.push_str(text);
        }
        body.push(']');
        Ok(body)
    }
}

/// The length of a list of `events` whose texts have `bytes` in total: brackets and commas included.
pub(super) fn list_bytes(bytes: usize, events: usize) -> usize {
    bytes + events + 1
}
