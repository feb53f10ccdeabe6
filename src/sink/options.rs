//! The kinds of sinks. Only this file lists them: a new kind is a variant of [`Options`], with an arm in each match.

use std::path::Path;

use serde::de::{Deserialize, Deserializer, Error as _};

#[cfg(feature = "amqp")]
use super::amqp;
use super::contract::Sink;
#[cfg(feature = "kafka")]
use super::kafka;
use super::keys::Keys;
use super::mistake::Mistake;
#[cfg(feature = "nats")]
use super::nats;
#[cfg(feature = "redis")]
use super::redis;
use super::secrets::SecretSources;
#[cfg(feature = "sql")]
use super::sql;
use super::{command, file, http, log};
use crate::clock::Clock;

/// The kind of a configured sink, and the keys of that kind.
#[allow(clippy::large_enum_variant, reason = "each sink has one, and which is the largest depends on the features")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Options {
    /// `type = "log"`
    Log(log::Options),
    /// `type = "file"`
    File(file::Options),
    /// `type = "http"`
    Http(http::Options),
    /// `type = "command"`
    Command(command::Options),
    /// `type = "redis"`
    #[cfg(feature = "redis")]
    Redis(redis::Options),
    /// `type = "nats"`
    #[cfg(feature = "nats")]
    Nats(nats::Options),
    /// `type = "kafka"`
    #[cfg(feature = "kafka")]
    Kafka(kafka::Options),
    /// `type = "amqp"`
    #[cfg(feature = "amqp")]
    Amqp(amqp::Options),
    /// `type = "postgres"` and `type = "mysql"`
    #[cfg(feature = "sql")]
    Sql(sql::Options),
}

/// The expression for the keys of whichever kind a sink has. By one list, because `&` and `&mut` each need one.
macro_rules! of_any_kind {
    ($options:expr, $keys:ident => $result:expr) => {
        match $options {
            Options::Log($keys) => $result,
            Options::File($keys) => $result,
            Options::Http($keys) => $result,
            Options::Command($keys) => $result,
            #[cfg(feature = "redis")]
            Options::Redis($keys) => $result,
            #[cfg(feature = "nats")]
            Options::Nats($keys) => $result,
            #[cfg(feature = "kafka")]
            Options::Kafka($keys) => $result,
            #[cfg(feature = "amqp")]
            Options::Amqp($keys) => $result,
            #[cfg(feature = "sql")]
            Options::Sql($keys) => $result,
        }
    };
}

impl Options {
    /// Every `type` that can be configured, also if this build lacks it.
    pub const TYPES: [&str; 10] =
        ["log", "file", "http", "command", "redis", "nats", "amqp", "kafka", "postgres", "mysql"];

    /// Returns the Cargo feature that a sink of this `type` needs, if this build lacks it.
    pub fn missing_feature(type_name: &str) -> Option<&'static str> {
        match type_name {
            "redis" if !cfg!(feature = "redis") => Some("redis"),
            "nats" if !cfg!(feature = "nats") => Some("nats"),
            "amqp" if !cfg!(feature = "amqp") => Some("amqp"),
            "kafka" if !cfg!(feature = "kafka") => Some("kafka"),
            "postgres" | "mysql" if !cfg!(feature = "sql") => Some("sql"),
            _ => None,
        }
    }

    /// Reads the keys of a sink of this `type`.
    ///
    /// # Errors
    /// The type is unknown, or the keys are wrong for it.
    pub fn deserialize<'de, D: Deserializer<'de>>(type_name: &str, keys: D) -> Result<Options, D::Error> {
        match type_name {
            "log" => log::Options::deserialize(keys).map(Options::Log),
            "file" => file::Options::deserialize(keys).map(Options::File),
            "http" => http::Options::deserialize(keys).map(Options::Http),
            "command" => command::Options::deserialize(keys).map(Options::Command),
            #[cfg(feature = "redis")]
            "redis" => redis::Options::deserialize(keys).map(Options::Redis),
            #[cfg(feature = "nats")]
            "nats" => nats::Options::deserialize(keys).map(Options::Nats),
            #[cfg(feature = "amqp")]
            "amqp" => amqp::Options::deserialize(keys).map(Options::Amqp),
            #[cfg(feature = "kafka")]
            "kafka" => kafka::Options::deserialize(keys).map(Options::Kafka),
            #[cfg(feature = "sql")]
            "postgres" => sql::Options::deserialize(keys).map(|keys| Options::Sql(keys.of_kind(sql::Kind::Postgres))),
            #[cfg(feature = "sql")]
            "mysql" => sql::Options::deserialize(keys).map(|keys| Options::Sql(keys.of_kind(sql::Kind::MySql))),
            unknown => Err(D::Error::unknown_variant(unknown, &Options::TYPES)),
        }
    }

    /// The `type`, as in the configuration.
    pub fn type_name(&self) -> &'static str {
        match self {
            Options::Log(_) => "log",
            Options::File(_) => "file",
            Options::Http(_) => "http",
            Options::Command(_) => "command",
            #[cfg(feature = "redis")]
            Options::Redis(_) => "redis",
            #[cfg(feature = "nats")]
            Options::Nats(_) => "nats",
            #[cfg(feature = "kafka")]
            Options::Kafka(_) => "kafka",
            #[cfg(feature = "amqp")]
            Options::Amqp(_) => "amqp",
            #[cfg(feature = "sql")]
            Options::Sql(options) => options.kind.type_name(),
        }
    }

    /// Returns the file that no second sink may write to.
    pub fn exclusive_path(&self) -> Option<&Path> {
        self.keys().exclusive_path()
    }

    /// Returns the destination without secrets, for example `https://example.com`; `None` for `log`.
    pub fn target(&self) -> Option<String> {
        self.keys().target()
    }

    /// Adds the secrets of the sink's files and variables, and returns the mistakes in them.
    pub fn take_secrets(&mut self, sources: &dyn SecretSources) -> Vec<Mistake> {
        self.keys_mut().take_secrets(sources)
    }

    /// Returns the files that hold secrets, each with its key.
    pub fn secret_files(&self) -> Vec<(&'static str, &Path)> {
        self.keys().secret_files()
    }

    /// Returns the files that the sink reads.
    pub fn read_files(&self) -> Vec<&Path> {
        self.keys().read_files()
    }

    /// Returns every rule that the keys break.
    pub fn mistakes(&self) -> Vec<Mistake> {
        self.keys().mistakes()
    }

    /// Returns a sentence for each setting that is allowed but may be unintended.
    pub fn warnings(&self) -> Vec<String> {
        self.keys().warnings()
    }

    fn keys(&self) -> &dyn Keys {
        of_any_kind!(self, options => options)
    }

    fn keys_mut(&mut self) -> &mut dyn Keys {
        of_any_kind!(self, options => options)
    }

    /// Makes the sink of this name. It touches nothing outside the process until it resumes or delivers.
    pub fn build(&self, name: &str, clock: Clock) -> Box<dyn Sink> {
        match self {
            Options::Log(options) => Box::new(log::LogSink::new(options.clone())),
            Options::File(options) => Box::new(file::FileSink::new(options.clone(), clock)),
            Options::Http(options) => Box::new(http::HttpSink::new(options.clone(), clock)),
            Options::Command(options) => Box::new(command::CommandSink::new(name, options.clone())),
            #[cfg(feature = "redis")]
            Options::Redis(options) => Box::new(redis::RedisSink::new(options.clone(), clock)),
            #[cfg(feature = "nats")]
            Options::Nats(options) => Box::new(nats::NatsSink::new(options.clone())),
            #[cfg(feature = "kafka")]
            Options::Kafka(options) => Box::new(kafka::KafkaSink::new(options.clone())),
            #[cfg(feature = "amqp")]
            Options::Amqp(options) => Box::new(amqp::AmqpSink::new(options.clone())),
            #[cfg(feature = "sql")]
            Options::Sql(options) => Box::new(sql::SqlSink::new(options.clone())),
        }
    }
}
