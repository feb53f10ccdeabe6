//! A name with fields, for example `livehook.{domain}.{type}`, which each event fills with its own values.

use std::fmt::Write;

use serde::{Deserialize, Deserializer};

use crate::callback::Event;

/// A part of an event that a name can contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sink) enum Field {
    /// `{domain}`
    Domain,
    /// `{app}`
    App,
    /// `{stream}`
    Stream,
    /// `{type}`
    Type,
}

const FIELDS: [(&str, Field); 4] =
    [("domain", Field::Domain), ("app", Field::App), ("stream", Field::Stream), ("type", Field::Type)];

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Field(Field),
    /// The text within braces that is no field.
    Unknown(String),
}

/// A name with fields. A wrong one is kept, so that the configuration can report it with the other mistakes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    text: String,
    parts: Vec<Part>,
}

impl Template {
    /// Reads a template.
    pub(in crate::sink) fn new(text: &str) -> Template {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            let (before, after) = rest.split_at(open);
            let name = after[1..].split('}').next().unwrap_or_default();
            let is_closed = after[1..].len() > name.len();
            let field = FIELDS.iter().find(|(known, _)| *known == name && is_closed);
            parts.push(Part::Text(before.to_owned()));
            parts.push(field.map_or_else(|| Part::Unknown(name.to_owned()), |(_, field)| Part::Field(*field)));
            rest = after[1 + name.len()..].strip_prefix('}').unwrap_or_default();
        }
        parts.push(Part::Text(rest.to_owned()));
        Template { text: text.to_owned(), parts }
    }

    /// The template as it is configured.
    pub(in crate::sink) fn text(&self) -> &str {
        &self.text
    }

    /// Returns the rule that the template breaks; `None` if it has these fields alone.
    pub(in crate::sink) fn broken_rule(&self, allowed: &[Field]) -> Option<String> {
        let is_wrong = |part: &Part| match part {
            Part::Text(text) => text.contains('}'),
            Part::Field(field) => !allowed.contains(field),
            Part::Unknown(_) => true,
        };
        let names: Vec<String> =
            FIELDS.iter().filter(|(_, field)| allowed.contains(field)).map(|(name, _)| format!("{{{name}}}")).collect();
        self.parts.iter().any(is_wrong).then(|| format!("may contain {} in braces, and no other", names.join(", ")))
    }

    /// Returns the name for an event, with each value as `escape` writes it.
    pub(in crate::sink) fn fill(&self, event: &Event, escape: fn(&str) -> String) -> String {
        let key = event.partition_key();
        let mut name = String::with_capacity(self.text.len() + 32);
        for part in &self.parts {
            match part {
                Part::Text(text) => name.push_str(text),
                Part::Field(Field::Domain) => name.push_str(&escape(&key.domain())),
                Part::Field(Field::App) => name.push_str(&escape(&key.app_name())),
                Part::Field(Field::Stream) => name.push_str(&escape(&key.stream())),
                Part::Field(Field::Type) => name.push_str(&escape(&event.event_type().to_string())),
                Part::Unknown(_) => {}
            }
        }
        name
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Template, D::Error> {
        Ok(Template::new(&String::deserialize(deserializer)?))
    }
}

/// Percent-encodes a value for a name whose tokens are separated by dots: all but ASCII letters, digits, `-` and `_`. An empty
/// value is `_`, because no token may be empty.
pub(in crate::sink) fn escaped_token(value: &str) -> String {
    match value {
        "" => return "_".to_owned(),
        "_" => return "%5F".to_owned(),
        _ => {}
    }
    let mut token = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            token.push(char::from(byte));
        } else {
            let _ = write!(token, "%{byte:02X}");
        }
    }
    token
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::testing::event;

    #[test]
    fn fields_take_the_values_of_the_event() {
        let event = event("push").stream_key("push.example.com/live/a.b* c").build();
        let template = Template::new("css.{domain}.{app}.{stream}.{type}");
        assert_eq!(template.broken_rule(&[Field::Domain, Field::App, Field::Stream, Field::Type]), None);
        assert_eq!(template.fill(&event, escaped_token), "css.push%2Eexample%2Ecom.live.a%2Eb%2A%20c.push");
        assert_eq!(Template::new("events").fill(&event, escaped_token), "events");
    }

    #[test]
    fn tokens_differ_if_the_values_do() {
        let values = ["", "_", "%5F", "a", "a.b", "a%2Eb", ">", "*", "é", "a b"];
        let tokens: std::collections::HashSet<String> = values.iter().map(|value| escaped_token(value)).collect();
        assert_eq!(tokens.len(), values.len());
        assert!(tokens.iter().all(|token| !token.is_empty() && !token.contains(['.', '*', '>', '#', ' '])));
    }

    #[test]
    fn wrong_fields_are_mistakes() {
        let allowed = [Field::Type, Field::Domain];
        for (text, is_right) in [
            ("css-{type}", true),
            ("{domain}{type}", true),
            ("css-{stream}", false),
            ("css-{typ}", false),
            ("css-{type", false),
            ("css-}", false),
            ("css-{}", false),
        ] {
            assert_eq!(Template::new(text).broken_rule(&allowed).is_none(), is_right, "{text}");
        }
    }
}
