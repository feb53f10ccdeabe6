//! Tests of `config.example.toml`: it shows every key with its default.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use serde::Deserialize;
use serde::de::{Deserializer, Visitor};
use serde::forward_to_deserialize_any;
use toml::{Table, Value};

use super::settings::Settings;
use super::sink_tables::COMMON_KEYS;
use super::testing::World;
use super::{Config, Overrides};
use crate::admin;
use crate::callback::KeyOptions;
use crate::delivery::RetryOptions;
use crate::index;
use crate::journal;
use crate::receiver;
use crate::sink::{self, Filter};
use crate::telemetry::LogOptions;

const EXAMPLE: &str = include_str!("../../config.example.toml");
const KEY_PLACEHOLDER: &str = "a callback key";
const TOKEN_PLACEHOLDER: &str = "a-token-of-your-own";
const SECRET_PLACEHOLDER: &str = "whsec_a-secret-of-your-own";
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Returns the example without the `# ` before each `# [table]`, and before each `# key = value` that `wanted` accepts.
fn uncommented(wanted: impl Fn(&str) -> bool) -> String {
    let is_name = |name: &str| !name.is_empty() && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'_'));
    let lines = EXAMPLE.lines().map(|line| match line.strip_prefix("# ") {
        Some(rest) if rest.starts_with('[') && rest.ends_with(']') => rest,
        Some(rest) if rest.split_once(" = ").is_some_and(|(name, _)| is_name(name)) && wanted(rest) => rest,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn with_default(line: &str) -> bool {
    !line.contains("# not set by default")
}

fn load(text: &str) -> Config {
    Config::load(Some((Path::new("config.example.toml"), text)), &Overrides::default(), &World::default())
        .unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn keyed(rest: &str) -> String {
    rest.replace(KEY_PLACEHOLDER, "0123456789abcdef")
        .replace(TOKEN_PLACEHOLDER, "0123456789abcdef")
        .replace(SECRET_PLACEHOLDER, SECRET)
}

#[test]
fn example_values_are_the_defaults() {
    let example = keyed(&uncommented(with_default)).replace("[receiver]", "[receiver]\nkeys = [\"0123456789abcdef\"]");
    let mut example = load(&example);
    let mut defaults = load(r#"receiver.keys = ["0123456789abcdef"]"#);

    let notify = example.sinks.pop().unwrap();
    let backend = example.sinks.pop().unwrap();
    let archive = example.sinks.pop().unwrap();
    assert_eq!(example.sinks, defaults.sinks, "the first sink of the example is the default sink");
    let required = toml::from_str(r#"path = "events.jsonl""#).unwrap();
    assert_eq!(archive.sink, sink::Options::File(required));
    let required = toml::from_str(r#"url = "https://example.com/events""#).unwrap();
    assert_eq!(backend.sink, sink::Options::Http(required));
    let required = toml::from_str(r#"program = "/usr/local/bin/notify""#).unwrap();
    assert_eq!(notify.sink, sink::Options::Command(required));
    assert_eq!(example.warnings.len(), 1, "the sink http has no secret");
    example.warnings.clear();

    (example.sinks, defaults.sinks) = (Vec::new(), Vec::new());
    assert_eq!(format!("{example:#?}"), format!("{defaults:#?}"));
}

#[test]
fn example_keys_are_valid() {
    // These mistakes are right: the files don't exist, and `token` and `token_file` exclude each other.
    let example = keyed(&uncommented(|_| true));
    let text = Some((Path::new("config.example.toml"), example.as_str()));
    let mistakes = Config::load(text, &Overrides::default(), &World::default()).unwrap_err();
    let keys: Vec<&str> = mistakes.iter().map(|mistake| mistake.key.as_str()).collect();
    assert_eq!(
        keys,
        ["receiver.keys_file", "admin.token_file", "sinks[2].url_file", "sinks[2].secrets_file"],
        "{mistakes}"
    );

    let is_file =
        |line: &str| ["keys_file", "token_file", "url_file", "secrets_file"].iter().any(|name| line.starts_with(name));
    let example = keyed(&uncommented(|line| !is_file(line)));
    assert_eq!(load(&example).warnings, [""; 0]);
}

#[test]
fn placeholder_is_refused() {
    let wanted = |line: &str| {
        with_default(line)
            || line.starts_with("keys = ")
            || ["token = ", "secrets = "].iter().any(|name| line.starts_with(name))
    };
    let example = uncommented(wanted);
    let text = Some((Path::new("config.example.toml"), example.as_str()));
    let mistakes = Config::load(text, &Overrides::default(), &World::default()).unwrap_err();
    assert_eq!(mistakes.iter().count(), 3, "{mistakes}");
    assert!(mistakes.to_string().contains("the key is the placeholder of the example file"), "{mistakes}");
    assert!(mistakes.to_string().contains("the token is the placeholder of the example file"), "{mistakes}");
    assert!(mistakes.to_string().contains("the secret is the placeholder of the example file"), "{mistakes}");
}

#[test]
fn example_has_exactly_the_known_keys() {
    let example: Table = uncommented(|_| true).parse().unwrap();
    let example = Value::Table(example);
    let mut known = BTreeSet::new();
    for (table, fields) in [
        ("", fields::<Settings>()),
        ("receiver", fields::<receiver::Options>()),
        ("admin", fields::<admin::Options>()),
        ("journal", fields::<journal::Options>()),
        ("index", fields::<index::Options>()),
        ("log", fields::<LogOptions>()),
        ("sinks log", COMMON_KEYS.to_vec()),
        ("sinks log", fields::<sink::log::Options>()),
        ("sinks log.filter", fields::<Filter>()),
        ("sinks log.retry", fields::<RetryOptions>()),
        ("sinks file", fields::<sink::file::Options>()),
        ("sinks http", fields::<sink::http::Options>()),
        ("sinks command", fields::<sink::command::Options>()),
    ] {
        known.extend(fields.into_iter().map(|field| format!("{table}.{field}")));
    }
    let mut shown = BTreeSet::new();
    for (name, value) in example.as_table().unwrap() {
        shown.insert(format!(".{name}"));
        note(&mut shown, name, value);
    }
    for (position, type_name) in sink::Options::TYPES.iter().enumerate() {
        let sink = &example["sinks"][position];
        assert_eq!(sink["type"].as_str(), Some(*type_name), "the example has the types in the order of the code");
        note(&mut shown, &format!("sinks {type_name}"), sink);
    }
    // The common keys of all sinks are shown only for the first sink.
    let is_shown_before = |key: &str| {
        let later = sink::Options::TYPES[1..].iter();
        later.flat_map(|name| [format!("sinks {name}.name"), format!("sinks {name}.type")]).any(|name| name == key)
    };
    shown.retain(|key| !is_shown_before(key));
    assert_eq!(shown, known);
}

/// Adds the keys of a table, and of the tables below it.
fn note(names: &mut BTreeSet<String>, path: &str, value: &Value) {
    for (name, value) in value.as_table().into_iter().flatten() {
        names.insert(format!("{path}.{name}"));
        note(names, &format!("{path}.{name}"), value);
    }
}

/// Returns the names of a struct's fields, as serde reads them.
fn fields<T: for<'de> Deserialize<'de>>() -> Vec<&'static str> {
    T::deserialize(FieldsOf).err().map_or_else(|| panic!("this is not a struct"), |fields| fields.0)
}

/// A deserializer that fails with the names of the fields.
struct FieldsOf;

#[derive(Debug)]
struct Fields(Vec<&'static str>);

impl fmt::Display for Fields {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}", self.0)
    }
}

impl std::error::Error for Fields {}

impl serde::de::Error for Fields {
    fn custom<M: fmt::Display>(message: M) -> Fields {
        panic!("{message}")
    }
}

impl<'de> Deserializer<'de> for FieldsOf {
    type Error = Fields;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Fields> {
        panic!("this is not a struct")
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Fields> {
        Err(Fields(fields.to_vec()))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[test]
fn limited_key_of_the_example_is_valid() {
    let line = EXAMPLE.lines().find(|line| line.contains("{ key = ")).unwrap();
    let table = &line[line.find("{ key").unwrap()..];
    let text = format!("key = {table}").replace(r#""...""#, r#""0123456789abcdef""#);
    let document: Table = text.parse().unwrap();
    let key: KeyOptions = document["key"].clone().try_into().unwrap();
    assert_eq!(key.domains.unwrap().len(), 1);
}
