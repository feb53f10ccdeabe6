//! What serde finds wrong with a value, in plain words.

use std::fmt;

use serde::de::{self, Unexpected};
use toml::Value;

use super::document::member_path;
use super::mistake::{Mistake, closest, listed, shown};

/// So few names are listed when one is wrong.
const LISTED_NAMES_MAX: usize = 8;

/// A value that does not fit.
#[derive(Debug)]
pub(super) struct Fault {
    /// Where; set on the way up, by the innermost element.
    pub(super) path: Option<String>,
    /// What stands there, if it may be shown.
    value: Option<String>,
    /// The name within, of what is missing or unknown.
    member: Option<String>,
    rule: String,
    cure: Option<String>,
}

impl Fault {
    pub(super) fn new(rule: impl Into<String>) -> Fault {
        Fault { path: None, value: None, member: None, rule: rule.into(), cure: None }
    }

    /// Places the fault, unless it is placed deeper.
    pub(super) fn at(mut self, path: &str, value: &Value) -> Fault {
        if self.path.is_none() {
            self.path = Some(path.to_owned());
            self.value = shown(path, value);
        }
        self
    }

    /// The mistake, placed at `path` unless it is placed deeper.
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
    /// Takes what a type says of its text. It may repeat the text, so control characters are escaped.
    fn custom<T: fmt::Display>(message: T) -> Fault {
        let message = message.to_string();
        if message == "invalid socket address syntax" {
            return Fault::new(format!("must be {}", plain("socket address")));
        }
        let mut rule = String::with_capacity(message.len());
        for character in message.chars() {
            if character.is_control() {
                rule.extend(character.escape_debug());
            } else {
                rule.push(character);
            }
        }
        Fault::new(rule)
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn de::Expected) -> Fault {
        Fault::new(format!("must be {}", plain(&expected.to_string())))
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn de::Expected) -> Fault {
        Fault::invalid_type(unexpected, expected)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Fault {
        let cure = closest(variant, expected.iter().copied()).map(|near| format!("did you mean `{near}`?"));
        Fault { cure, ..Fault::new(format!("must be one of {}", listed(expected))) }
    }

    /// The name itself is told only where it is a slip of a known one: a table of keys may have a key for a name.
    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Fault {
        let (rule, cure) = unknown_name(field, expected);
        let fault = match closest(field, expected.iter().copied()) {
            Some(_) => Fault { member: Some(field.to_owned()), ..Fault::new(rule) },
            None => Fault::new("a name in this table is not known"),
        };
        Fault { cure: Some(cure), ..fault }
    }

    fn missing_field(field: &'static str) -> Fault {
        Fault { member: Some(field.to_owned()), ..Fault::new("is missing") }
    }
}

/// What a value must be, in place of the words that serde has for Rust's types.
fn plain(expected: &str) -> String {
    match expected {
        "u8" => format!("a whole number from 0 to {}", u8::MAX),
        "u16" => format!("a whole number from 0 to {}", u16::MAX),
        "u32" => format!("a whole number from 0 to {}", u32::MAX),
        "u64" | "usize" => "a whole number, 0 or more".to_owned(),
        "i32" | "i64" => "a whole number".to_owned(),
        "a boolean" => "true or false, without quotes".to_owned(),
        "a string" => "a text in quotes".to_owned(),
        "a sequence" => "a list, in [ ]".to_owned(),
        "path string" => "a path in quotes".to_owned(),
        "socket address" => "an IP address and a port, such as \"127.0.0.1:8080\"".to_owned(),
        table if table.starts_with("struct ") || table == "a map" => "a table".to_owned(),
        other => other.to_owned(),
    }
}

/// The rule and the cure for a name that is not known here.
pub(super) fn unknown_name(name: &str, known: &[&str]) -> (String, String) {
    let cure = match closest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "remove it".to_owned(),
        None if known.len() <= LISTED_NAMES_MAX => format!("what can be set here is {}", listed(known)),
        None => "`config.example.toml` shows every key".to_owned(),
    };
    ("there is no such key".to_owned(), cure)
}
