//! Reads, checks and fills the template of a message.
//!
//! The language is Jinja's. Fuel bounds the time and the memory of one message, so a template can neither loop for ever nor grow
//! without bound. Text of an event is always escaped: as a JSON string if the body is JSON, and as the chat tool needs it.

use minijinja::value::ValueKind;
use minijinja::{Environment, Error, Output, UndefinedBehavior, Value};
use serde::de::IgnoredAny;

use super::escape::Escape;
use super::event_values::EventValues;
use crate::callback::EventType;
use crate::journal::Record;
use crate::printable::printable;

#[cfg(test)]
mod tests;

/// The most events of a message that a template sees. Of the others, it sees the number.
const EVENTS_SHOWN_MAX: usize = 20;

/// The work that one message may cost: about this many instructions, or 64 bytes of memory for each of them.
const FUEL: u64 = 100_000;

/// The name of the template in the environment.
const NAME: &str = "template";

/// The characters of a message that a mistake shows.
const EXCERPT_CHARACTERS_MAX: usize = 80;

/// The keys that shape a message.
#[derive(Clone, Copy)]
pub(in crate::sink::http) struct TemplateOptions<'o> {
    pub(in crate::sink::http) text: &'o str,
    pub(in crate::sink::http) escape: Escape,
    /// Whether the content type of the message is JSON.
    pub(in crate::sink::http) is_json: bool,
    pub(in crate::sink::http) dashboard_url: Option<&'o str>,
}

/// A template that was read.
pub(in crate::sink::http) struct MessageTemplate {
    environment: Environment<'static>,
    is_json: bool,
    dashboard_url: Option<String>,
}

/// Why a template gives no message, for example ``line 3, column 12: undefined value: `event.streem` ``.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub(in crate::sink::http) struct TemplateError(String);

impl MessageTemplate {
    /// Reads a template.
    ///
    /// # Errors
    /// The text breaks the language of templates.
    pub(in crate::sink::http) fn new(options: TemplateOptions<'_>) -> Result<MessageTemplate, TemplateError> {
        let TemplateOptions { text, escape, is_json, dashboard_url } = options;
        let mut environment = Environment::new();
        // With it, an error has the place of its cause.
        environment.set_debug(true);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        environment.set_formatter(move |output, _, value| write_value(output, value, escape, is_json));
        environment.add_template_owned(NAME, text.to_owned()).map_err(|error| placed(&error, text))?;
        let dashboard_url = dashboard_url.map(|url| url.trim_end_matches('/').to_owned());
        Ok(MessageTemplate { environment, is_json, dashboard_url })
    }

    /// Fills the template for an event of each type, and for a digest of many events.
    ///
    /// # Errors
    /// It gives no message for one of them.
    pub(in crate::sink::http) fn check(&self) -> Result<(), TemplateError> {
        let sample = |event_type| EventValues::sample(event_type, self.dashboard_url.as_deref());
        for event_type in EventType::known().chain([EventType::SessionEnded, EventType::Unknown(777)]) {
            self.fill(vec![sample(event_type)], 1).map_err(|TemplateError(reason)| {
                TemplateError(format!("{reason} (in a message about an event of type \"{event_type}\")"))
            })?;
        }
        let shown = std::iter::repeat_with(|| sample(EventType::Stop)).take(EVENTS_SHOWN_MAX).collect();
        let many = |TemplateError(reason)| TemplateError(format!("{reason} (in a message about 1000 events)"));
        self.fill(shown, 1000).map(drop).map_err(many)
    }

    /// Returns the message about these events, oldest first.
    ///
    /// # Errors
    /// The template fails for one of them.
    pub(in crate::sink::http) fn message(&self, records: &[&Record]) -> Result<String, TemplateError> {
        let url = self.dashboard_url.as_deref();
        let shown = records.iter().take(EVENTS_SHOWN_MAX).map(|record| EventValues::of(&record.event, url));
        self.fill(shown.collect(), records.len())
    }

    fn fill(&self, shown: Vec<EventValues>, count: usize) -> Result<String, TemplateError> {
        let more = count - shown.len();
        let events: Vec<Value> = shown.into_iter().map(EventValues::into_value).collect();
        let names = Value::from_pairs([
            ("event", events.first().cloned().unwrap_or_default()),
            ("events", Value::from(events)),
            ("count", Value::from(count)),
            ("more", Value::from(more)),
        ]);
        let filled = self.environment.get_template(NAME).and_then(|template| template.render(names));
        let message = filled.map_err(|error| placed(&error, error.template_source().unwrap_or_default()))?;
        match serde_json::from_str::<IgnoredAny>(&message) {
            Err(error) if self.is_json => Err(not_json(&message, &error)),
            _ => Ok(message),
        }
    }
}

/// Writes a value of an event. Within JSON, it is the part of a string between its quotes.
fn write_value(output: &mut Output<'_>, value: &Value, escape: Escape, is_json: bool) -> Result<(), Error> {
    match value.kind() {
        ValueKind::Undefined => return Ok(()),
        ValueKind::None => return Ok(output.write_str(if is_json { "null" } else { "" })?),
        ValueKind::Bool | ValueKind::Number => return Ok(write!(output, "{value}")?),
        _ => {}
    }
    let text = value.to_string();
    let escaped = if value.is_safe() { text.as_str().into() } else { escape.text(&text) };
    if !is_json {
        return Ok(output.write_str(&escaped)?);
    }
    let string = serde_json::Value::from(escaped).to_string();
    Ok(output.write_str(&string[1..string.len() - 1])?)
}

/// The error with the line and the column of its cause, both from 1.
fn placed(error: &Error, source: &str) -> TemplateError {
    let cause = match error.detail() {
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    };
    let Some(line) = error.line() else { return TemplateError(cause) };
    let before = error.range().and_then(|range| source.get(..range.start));
    let column = before.map(|before| before.rsplit('\n').next().unwrap_or_default().chars().count() + 1);
    let place = column.map_or(format!("line {line}"), |column| format!("line {line}, column {column}"));
    TemplateError(format!("{place}: {cause}"))
}

fn not_json(message: &str, error: &serde_json::Error) -> TemplateError {
    let line = message.lines().nth(error.line().saturating_sub(1)).unwrap_or_default();
    let shown = printable(line, EXCERPT_CHARACTERS_MAX);
    TemplateError(format!(
        "the message is not JSON: {error}, where it is `{shown}`; put text between quotes: \"{{{{ event.stream }}}}\""
    ))
}
