//! From TOML values to options: a serde deserializer that finds every mistake, not only the first.
//!
//! When a value does not fit, its path is noted with the mistake, and the whole is read again without it. Names that no
//! option has are noted as mistakes at every depth, since serde tells a deserializer the fields of each struct.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    self, Deserialize, DeserializeSeed, Deserializer, Error as _, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
    Visitor,
};
use serde::forward_to_deserialize_any;
use toml::Value;

use super::document::{element_path, member_path};
use super::mistake::{MISTAKES_MAX, Mistake, closest, listed, shown};

/// So few names are listed when one is wrong.
const LISTED_NAMES_MAX: usize = 8;

/// Reads a value at `path`. Names in `elsewhere` are left to others. `None` when so much is wrong that nothing is left;
/// then, and also with `Some`, there may be new mistakes.
pub(super) fn read<T: for<'de> Deserialize<'de>>(
    value: &Value,
    path: &str,
    elsewhere: &'static [&'static str],
    mistakes: &mut Vec<Mistake>,
) -> Option<T> {
    let notes = Notes { skipped: RefCell::default(), mistakes: RefCell::new(std::mem::take(mistakes)) };
    let result = loop {
        match T::deserialize(Reader { value, path: path.to_owned(), elsewhere, notes: &notes }) {
            Ok(options) => break Some(options),
            Err(fault) => {
                let place = fault.path.clone().unwrap_or_else(|| path.to_owned());
                notes.mistakes.borrow_mut().push(fault.into_mistake(path, value));
                let hopeless = place == path || notes.mistakes.borrow().len() >= MISTAKES_MAX;
                if hopeless || !notes.skipped.borrow_mut().insert(place) {
                    break None;
                }
            }
        }
    };
    *mistakes = notes.mistakes.into_inner();
    result
}

/// Reads a value that was given as text, as a variable or a flag.
///
/// # Errors
/// The mistake, under the name of the source.
pub(super) fn read_text<T: for<'de> Deserialize<'de>>(source: &str, text: &str) -> Result<T, Mistake> {
    let deserializer: StrDeserializer<'_, Fault> = text.into_deserializer();
    T::deserialize(deserializer).map_err(|fault| fault.into_mistake(source, &Value::String(text.to_owned())))
}

struct Notes {
    skipped: RefCell<BTreeSet<String>>,
    mistakes: RefCell<Vec<Mistake>>,
}

/// A value that does not fit.
#[derive(Debug)]
pub(super) struct Fault {
    /// Where; set on the way up, by the innermost element.
    path: Option<String>,
    /// What stands there, if it may be shown.
    value: Option<String>,
    /// The name within, of what is missing or unknown.
    member: Option<String>,
    rule: String,
    cure: Option<String>,
}

impl Fault {
    fn new(rule: impl Into<String>) -> Fault {
        Fault { path: None, value: None, member: None, rule: rule.into(), cure: None }
    }

    fn at(mut self, path: &str, value: &Value) -> Fault {
        if self.path.is_none() {
            self.path = Some(path.to_owned());
            self.value = shown(path, value);
        }
        self
    }

    fn into_mistake(self, path: &str, value: &Value) -> Mistake {
        let fault = self.at(path, value);
        let path = fault.path.unwrap_or_default();
        match fault.member {
            Some(member) => Mistake::new(member_path(&path, &member), fault.rule),
            None => Mistake { value: fault.value, ..Mistake::new(path, fault.rule) },
        }
        .with_cure(fault.cure)
    }
}

impl Mistake {
    fn with_cure(self, cure: Option<String>) -> Mistake {
        Mistake { cure, ..self }
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
fn unknown_name(name: &str, known: &[&str]) -> (String, String) {
    let cure = match closest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "remove it".to_owned(),
        None if known.len() <= LISTED_NAMES_MAX => format!("what can be set here is {}", listed(known)),
        None => "`config.example.toml` shows every key".to_owned(),
    };
    ("there is no such key".to_owned(), cure)
}

/// A value and where it stands.
struct Reader<'r> {
    value: &'r Value,
    path: String,
    elsewhere: &'static [&'static str],
    notes: &'r Notes,
}

impl<'r> Reader<'r> {
    fn child(&self, path: String, value: &'r Value) -> Reader<'r> {
        Reader { value, path, elsewhere: &[], notes: self.notes }
    }

    fn is_skipped(&self) -> bool {
        self.notes.skipped.borrow().contains(&self.path)
    }

    /// Notes the names that are in the table and in no struct, once.
    fn note_unknown(&self, table: &toml::Table, fields: &'static [&'static str]) {
        for name in table.keys().filter(|name| !fields.contains(&name.as_str())) {
            let path = member_path(&self.path, name);
            if self.elsewhere.contains(&name.as_str()) || !self.notes.skipped.borrow_mut().insert(path.clone()) {
                continue;
            }
            let known: Vec<&str> = fields.iter().chain(self.elsewhere).copied().collect();
            let (rule, cure) = unknown_name(name, &known);
            self.notes.mistakes.borrow_mut().push(Mistake::new(path, rule).cure(cure));
        }
    }

    fn visit_table<'de, V: Visitor<'de>>(self, table: &'r toml::Table, visitor: V) -> Result<V::Value, Fault> {
        let left = table.iter().filter_map(|(name, value)| {
            let member = self.child(member_path(&self.path, name), value);
            (!self.elsewhere.contains(&name.as_str()) && !member.is_skipped()).then_some((name.as_str(), member))
        });
        visitor.visit_map(Members { left, next: None })
    }

    fn visit_list<'de, V: Visitor<'de>>(self, elements: &'r [Value], visitor: V) -> Result<V::Value, Fault> {
        let left = elements.iter().enumerate().filter_map(|(position, value)| {
            let element = self.child(element_path(&self.path, position), value);
            (!element.is_skipped()).then_some(element)
        });
        visitor.visit_seq(Elements { left })
    }

    /// Reads a part; what is wrong with it is placed here, unless it is placed deeper.
    fn fill<'de, S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Fault> {
        let (path, value) = (self.path.clone(), self.value);
        seed.deserialize(self).map_err(|fault| fault.at(&path, value))
    }
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.value {
            Value::String(text) => visitor.visit_str(text),
            Value::Integer(number) => visitor.visit_i64(*number),
            Value::Float(number) => visitor.visit_f64(*number),
            Value::Boolean(flag) => visitor.visit_bool(*flag),
            Value::Datetime(_) => Err(Fault::invalid_type(Unexpected::Other("a date"), &visitor)),
            Value::Table(table) => self.visit_table(table, visitor),
            Value::Array(elements) => self.visit_list(elements, visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.value {
            Value::Table(table) => {
                self.note_unknown(table, fields);
                self.visit_table(table, visitor)
            }
            _ => Err(Fault::new("must be a table")),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.value {
            Value::String(text) => {
                let deserializer: StrDeserializer<'_, Fault> = text.as_str().into_deserializer();
                deserializer.deserialize_enum(name, variants, visitor)
            }
            _ => Err(Fault::new(format!("must be one of {}", listed(variants)))),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier
    }
}

/// What is left of a table.
struct Members<'r, I> {
    left: I,
    next: Option<Reader<'r>>,
}

impl<'de, 'r, I: Iterator<Item = (&'r str, Reader<'r>)>> MapAccess<'de> for Members<'r, I> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some((name, member)) = self.left.next() else {
            return Ok(None);
        };
        self.next = Some(member);
        let deserializer: StrDeserializer<'_, Fault> = name.into_deserializer();
        seed.deserialize(deserializer).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        let member = self.next.take().ok_or_else(|| Fault::new("has no value"))?;
        member.fill(seed)
    }
}

/// What is left of a list.
struct Elements<I> {
    left: I,
}

impl<'de, 'r, I: Iterator<Item = Reader<'r>>> SeqAccess<'de> for Elements<I> {
    type Error = Fault;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        self.left.next().map(|element| element.fill(seed)).transpose()
    }
}
