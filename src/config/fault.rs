//! The error of the deserializer: says in plain words why serde cannot read a value.

use std::fmt;

use serde::de::{self, Unexpected};
use toml::Value;

use super::key_path::member_path;
use super::mistake::Mistake;
use super::shown_value::shown;
use super::suggestion::{closest, did_you_mean, instead_of, listed};

/// The rule that a key breaks which does not exist.
pub(super) const UNKNOWN_KEY: &str = "unknown key";

/// A value that serde cannot read. [`Fault::into_mistake`] makes the mistake of it.
#[derive(Debug)]
pub(super) struct Fault {
    /// The path of the value. The innermost reader sets it while the error travels up.
    pub(super) path: Option<String>,
    /// The value, if it may be shown.
    value: Option<String>,
    /// The key in the table at `path` that is missing or unknown.
    member: Option<String>,
    rule: String,
    cure: Option<String>,
}

impl Fault {
    pub(super) fn new(rule: impl Into<String>) -> Fault {
        Fault { path: None, value: None, member: None, rule: rule.into(), cure: None }
    }

    /// Sets path and value, unless a reader further in has set them.
    pub(super) fn at(mut self, path: &str, value: &Value) -> Fault {
        if self.path.is_none() {
            self.path = Some(path.to_owned());
            self.value = shown(path, value);
            // The mistake shows the value before the rule, so the rule doesn't repeat it.
            if let (Value::String(text), Some(_)) = (value, &self.value)
                && let Some(rest) = self.rule.strip_prefix(&format!("`{}`", escaped(text)))
            {
                self.rule = rest.trim_start_matches([':', ' ']).to_owned();
            }
        }
        self
    }

    /// Returns the mistake. Its path is `path`, unless a reader further in has set one.
    pub(super) fn into_mistake(self, path: &str, value: &Value) -> Mistake {
        let fault = self.at(path, value);
        let path = fault.path.unwrap_or_default();
        let mistake = match fault.member {
            Some(member) => Mistake::new(member_path(&path, &member), fault.rule),
            None => Mistake { value: fault.value, ..Mistake::new(path, fault.rule) },
        };
        Mistake { cure: fault.cure, ..mistake }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.rule)
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Fault {
        let message = message.to_string();
        // This is how the standard library reports a socket address that it cannot parse. It shows no right form.
        if message == "invalid socket address syntax" {
            return Fault::new(format!("must be {}", plain("socket address")));
        }
        // The message may repeat a part of the value.
        Fault::new(escaped(&message))
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn de::Expected) -> Fault {
        Fault::new(format!("must be {}", plain(&expected.to_string())))
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn de::Expected) -> Fault {
        Fault::invalid_type(unexpected, expected)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Fault {
        let cure = did_you_mean(variant, expected.iter().copied());
        Fault { cure, ..Fault::new(format!("must be one of {}", listed(expected))) }
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Fault {
        // Only a name that is close to a known one is shown, because a user may have put a callback key in place of a name.
        let fault = match closest(field, expected.iter().copied()) {
            Some(_) => Fault { member: Some(field.to_owned()), ..Fault::new(UNKNOWN_KEY) },
            None => Fault::new("this table has an unknown key"),
        };
        Fault { cure: Some(instead_of(field, expected)), ..fault }
    }

    fn missing_field(field: &'static str) -> Fault {
        // Under the name of the missing key, because its table alone would not say what to add.
        Fault { member: Some(field.to_owned()), ..Fault::new("is missing") }
    }
}

/// Escapes control characters, so that a text can't break the line or send codes to the terminal.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            escaped.extend(character.escape_debug());
        } else {
            escaped.push(character);
        }
    }
    escaped
}

/// Returns the words of a user for an expectation of serde, which names Rust's types.
fn plain(expected: &str) -> String {
    match expected {
        "u8" => format!("a whole number from 0 to {}", u8::MAX),
        "u16" => format!("a whole number from 0 to {}", u16::MAX),
        "u32" => format!("a whole number from 0 to {}", u32::MAX),
        "u64" | "usize" => "a whole number, 0 or more".to_owned(),
        "i32" | "i64" => "a whole number".to_owned(),
        "a boolean" => "true or false, without quotes".to_owned(),
        "a string" => "a text in quotes".to_owned(),
        "a sequence" => "a list in square brackets, [ ]".to_owned(),
        "path string" => "a path in quotes".to_owned(),
        "socket address" => "an IP address and a port, such as \"127.0.0.1:8080\"".to_owned(),
        table if table.starts_with("struct ") || table == "a map" => "a table, with keys and values in { }".to_owned(),
        other => other.to_owned(),
    }
}
