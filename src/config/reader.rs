//! Reads TOML values into options: a serde deserializer that finds every mistake, not only the first.
//!
//! If a value doesn't fit, the reader keeps the mistake and reads everything again without that value, until the rest fits.
//! Serde passes the fields of each struct to the deserializer, so the reader also finds unknown keys at every depth.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde::de::value::StrDeserializer;
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error as _, IntoDeserializer, MapAccess, SeqAccess, Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;
use toml::Value;

use super::fault::{Fault, UNKNOWN_KEY};
use super::key_path::{element_path, member_path};
use super::mistake::{MISTAKES_MAX, Mistake};
use super::suggestion::{instead_of, listed};

/// Reads the value at `path`, and adds its mistakes to `mistakes`. Keys in `elsewhere` are skipped, because other code reads
/// them. Values with mistakes have their default in the result. Returns `None` if the value as a whole doesn't fit.
pub(super) fn read<T: for<'de> Deserialize<'de>>(
    value: &Value,
    path: &str,
    elsewhere: &'static [&'static str],
    mistakes: &mut Vec<Mistake>,
) -> Option<T> {
    read_by(value, path, elsewhere, mistakes, |reader| T::deserialize(reader))
}

/// Like [`read`], with a function that deserializes. It may be called several times.
pub(super) fn read_by<T>(
    value: &Value,
    path: &str,
    elsewhere: &'static [&'static str],
    mistakes: &mut Vec<Mistake>,
    deserialize: impl Fn(Reader<'_>) -> Result<T, Fault>,
) -> Option<T> {
    let notes = Notes { skipped: RefCell::default(), mistakes: RefCell::new(std::mem::take(mistakes)) };
    let result = loop {
        match deserialize(Reader { value, path: path.to_owned(), elsewhere, notes: &notes }) {
            Ok(options) => break Some(options),
            Err(fault) => {
                let place = fault.path.clone().unwrap_or_else(|| path.to_owned());
                notes.mistakes.borrow_mut().push(fault.into_mistake(path, value));
                // Each mistake costs one more pass, so a hostile file with very many must not get that many passes.
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

/// Reads the text of a variable or a flag. `source` is its name.
///
/// # Errors
/// The text doesn't fit. The mistake names the source.
pub(super) fn read_text<T: for<'de> Deserialize<'de>>(source: &str, text: &str) -> Result<T, Mistake> {
    let deserializer: StrDeserializer<'_, Fault> = text.into_deserializer();
    T::deserialize(deserializer).map_err(|fault| fault.into_mistake(source, &Value::String(text.to_owned())))
}

/// The notes of all passes over a value.
struct Notes {
    /// The paths that further passes leave out, because they have a mistake.
    skipped: RefCell<BTreeSet<String>>,
    mistakes: RefCell<Vec<Mistake>>,
}

/// A value and its path.
pub(super) struct Reader<'r> {
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

    /// Adds a mistake for each key of the table that the struct doesn't have.
    fn note_unknown(&self, table: &toml::Table, fields: &'static [&'static str]) {
        for name in table.keys().filter(|name| !fields.contains(&name.as_str())) {
            let path = member_path(&self.path, name);
            // The set also remembers unknown keys, so that a further pass doesn't report them again.
            if self.elsewhere.contains(&name.as_str()) || !self.notes.skipped.borrow_mut().insert(path.clone()) {
                continue;
            }
            let known: Vec<&str> = fields.iter().chain(self.elsewhere).copied().collect();
            self.notes.mistakes.borrow_mut().push(Mistake::new(path, UNKNOWN_KEY).cure(instead_of(name, &known)));
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

    /// Reads a part. Its fault gets this path, unless a reader further in has set one.
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
            // No option is a date.
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
            _ => Err(Fault::invalid_type(Unexpected::Other("not a table"), &"a map")),
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
        // TOML has no null, so a value that stands in the file is always set.
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        // Without a look inside: other code reads the ignored value, and reports its mistakes.
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier
    }
}

/// The members of a table that are not skipped.
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

/// The elements of a list that are not skipped.
struct Elements<I> {
    left: I,
}

impl<'de, 'r, I: Iterator<Item = Reader<'r>>> SeqAccess<'de> for Elements<I> {
    type Error = Fault;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        self.left.next().map(|element| element.fill(seed)).transpose()
    }
}

#[cfg(test)]
mod tests;
