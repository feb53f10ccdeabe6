//! Tests of `config.example.toml`: it shows every key with its default.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use toml::{Table, Value};

use super::field_names::field_names;
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
use crate::telemetry::{AccessOptions, LogOptions};
use crate::tls::ServerFiles;

/// The example, without the sinks that this build lacks.
static EXAMPLE: LazyLock<String> = LazyLock::new(|| {
    let is_built = |table: &&str| {
        let type_name = table.lines().find_map(|line| line.strip_prefix("# type = \"")?.strip_suffix('"'));
        type_name.is_none_or(|type_name| sink::Options::missing_feature(type_name).is_none())
    };
    let example = include_str!("../../config.example.toml");
    let tables: Vec<&str> = example.split(TABLE).collect();
    tables.into_iter().filter(is_built).collect::<Vec<_>>().join(TABLE)
});
const TABLE: &str = "# [[sinks]]\n";
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

/// The files of TLS need the switch of the sink kafka.
fn with_tls(example: &str) -> String {
    example.replace("tls = false", "tls = true")
}

#[test]
fn example_values_are_the_defaults() {
    let example = keyed(&uncommented(with_default)).replace("[receiver]", "[receiver]\nkeys = [\"0123456789abcdef\"]");
    let mut example = load(&example);
    let mut defaults = load(r#"receiver.keys = ["0123456789abcdef"]"#);

    #[cfg(feature = "sql")]
    for (kind, url) in [
        (sink::sql::Kind::MySql, "mysql://livehook@db.example.com/live?sslmode=verify-full"),
        (sink::sql::Kind::Postgres, "postgres://livehook@db.example.com/live?sslmode=verify-full"),
    ] {
        let required: sink::sql::Options = toml::from_str(&format!("url = '{url}'")).unwrap();
        assert_eq!(example.sinks.pop().unwrap().sink, sink::Options::Sql(required.of_kind(kind)));
    }
    #[cfg(feature = "kafka")]
    {
        let kafka = example.sinks.pop().unwrap();
        let required = toml::from_str(r#"brokers = ["kafka-1.example.com:9092"]"#).unwrap();
        assert_eq!(kafka.sink, sink::Options::Kafka(required));
    }
    #[cfg(feature = "amqp")]
    {
        let rabbit = example.sinks.pop().unwrap();
        let required = toml::from_str(r#"url = "amqps://rabbit.example.com:5671/css""#).unwrap();
        assert_eq!(rabbit.sink, sink::Options::Amqp(required));
    }
    #[cfg(feature = "nats")]
    {
        let bus = example.sinks.pop().unwrap();
        let required = toml::from_str(r#"url = "tls://nats.example.com:4222""#).unwrap();
        assert_eq!(bus.sink, sink::Options::Nats(required));
    }
    #[cfg(feature = "redis")]
    {
        let cache = example.sinks.pop().unwrap();
        let required = toml::from_str(r#"url = "rediss://redis.example.com:6379""#).unwrap();
        assert_eq!(cache.sink, sink::Options::Redis(required));
    }
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
    let example = with_tls(&keyed(&uncommented(|_| true)));
    let text = Some((Path::new("config.example.toml"), example.as_str()));
    let mistakes = Config::load(text, &Overrides::default(), &World::default()).unwrap_err();
    let keys: Vec<&str> = mistakes.iter().map(|mistake| mistake.key.as_str()).collect();
    let mut expected = [
        "receiver.tls.cert_file",
        "receiver.tls.key_file",
        "receiver.keys_file",
        "admin.tls.cert_file",
        "admin.tls.key_file",
        "admin.token_file",
        "sinks[2].url_file",
        "sinks[2].secrets_file",
        "sinks[2].template_file",
        "sinks[2].sign_secret_file",
    ]
    .map(str::to_owned)
    .to_vec();
    let is_built = |type_name: &&&str| sink::Options::missing_feature(type_name).is_none();
    for (position, type_name) in sink::Options::TYPES.iter().filter(is_built).enumerate().skip(4) {
        let files = if *type_name == "kafka" { &["sasl.password_file"][..] } else { &["url_file", "password_file"] };
        expected.extend(files.iter().map(|file| format!("sinks[{position}].{file}")));
        // It excludes `credentials_file`.
        expected.extend((*type_name == "nats").then(|| format!("sinks[{position}].nkey_file")));
    }
    assert_eq!(keys, expected, "{mistakes}");

    let files = [
        "tls = {",
        "keys_file",
        "token_file",
        "url_file",
        "secrets_file",
        "template_file",
        "sign",
        "password_file",
        "sasl",
        "nkey_file",
    ];
    let is_file = |line: &str| files.iter().any(|name| line.starts_with(name));
    let example = with_tls(&keyed(&uncommented(|line| !is_file(line))));
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
        ("", field_names::<Settings>()),
        ("receiver", field_names::<receiver::Options>()),
        ("receiver.tls", field_names::<ServerFiles>()),
        ("admin", field_names::<admin::Options>()),
        ("admin.tls", field_names::<ServerFiles>()),
        ("journal", field_names::<journal::Options>()),
        ("index", field_names::<index::Options>()),
        ("log", field_names::<LogOptions>()),
        ("log.access", field_names::<AccessOptions>()),
        ("sinks log", &COMMON_KEYS as &[&str]),
        ("sinks log", field_names::<sink::log::Options>()),
        ("sinks log.filter", field_names::<Filter>()),
        ("sinks log.retry", field_names::<RetryOptions>()),
        ("sinks file", field_names::<sink::file::Options>()),
        ("sinks http", field_names::<sink::http::Options>()),
        ("sinks http.answer", field_names::<sink::http::AnswerRule>()),
        ("sinks command", field_names::<sink::command::Options>()),
        #[cfg(feature = "redis")]
        ("sinks redis", field_names::<sink::redis::Options>()),
        #[cfg(feature = "nats")]
        ("sinks nats", field_names::<sink::nats::Options>()),
        #[cfg(feature = "amqp")]
        ("sinks amqp", field_names::<sink::amqp::Options>()),
        #[cfg(feature = "kafka")]
        ("sinks kafka", field_names::<sink::kafka::Options>()),
        #[cfg(feature = "kafka")]
        ("sinks kafka.sasl", field_names::<sink::kafka::Sasl>()),
        #[cfg(feature = "sql")]
        ("sinks postgres", field_names::<sink::sql::Options>()),
        #[cfg(feature = "sql")]
        ("sinks mysql", field_names::<sink::sql::Options>()),
    ] {
        known.extend(fields.iter().map(|field| format!("{table}.{field}")));
    }
    let mut shown = BTreeSet::new();
    for (name, value) in example.as_table().unwrap() {
        shown.insert(format!(".{name}"));
        note(&mut shown, name, value);
    }
    let is_built = |type_name: &&&str| sink::Options::missing_feature(type_name).is_none();
    for (position, type_name) in sink::Options::TYPES.iter().filter(is_built).enumerate() {
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

#[test]
fn limited_key_of_the_example_is_valid() {
    let line = EXAMPLE.lines().find(|line| line.contains("{ key = ")).unwrap();
    let table = &line[line.find("{ key").unwrap()..];
    let text = format!("key = {table}").replace(r#""...""#, r#""0123456789abcdef""#);
    let document: Table = text.parse().unwrap();
    let key: KeyOptions = document["key"].clone().try_into().unwrap();
    assert_eq!(key.domains.unwrap().len(), 1);
}
