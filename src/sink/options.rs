//! The kinds of sinks. Only this file lists them: a new kind is a variant of [`Options`], with an arm in each of its functions.

use std::path::Path;

use serde::de::{Deserialize, Deserializer, Error as _};

use super::contract::Sink;
use super::mistake::Mistake;
use super::secrets::SecretSources;
use super::{command, file, http, log};
use crate::clock::Clock;

/// The kind of a configured sink, and the keys of that kind.
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
}

impl Options {
    /// Every `type` that can be configured.
    pub const TYPES: [&str; 4] = ["log", "file", "http", "command"];

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
        }
    }

    /// Returns the file that no second sink may write to.
    pub fn exclusive_path(&self) -> Option<&Path> {
        match self {
            Options::Log(_) | Options::Http(_) | Options::Command(_) => None,
            Options::File(options) => Some(&options.path),
        }
    }

    /// Returns the destination without secrets, for example `https://example.com/events`; `None` for `log`.
    pub fn target(&self) -> Option<String> {
        match self {
            Options::Log(_) => None,
            Options::File(options) => Some(options.path.display().to_string()),
            Options::Http(options) => Some(options.url.shown()),
            Options::Command(options) => Some(options.program.display().to_string()),
        }
    }

    /// Adds the secrets of the sink's file and variable, and returns the mistakes in them.
    pub fn take_secrets(&mut self, sources: &dyn SecretSources) -> Vec<Mistake> {
        match self {
            Options::Log(_) | Options::File(_) | Options::Command(_) => Vec::new(),
            Options::Http(options) => options.take_secrets(sources),
        }
    }

    /// Returns the files that hold secrets, each with its key.
    pub fn secret_files(&self) -> Vec<(&'static str, &Path)> {
        match self {
            Options::Log(_) | Options::File(_) | Options::Command(_) => Vec::new(),
            Options::Http(options) => options.secret_files(),
        }
    }

    /// Returns the files that the sink reads.
    pub fn read_files(&self) -> Vec<&Path> {
        match self {
            Options::Log(_) | Options::File(_) | Options::Command(_) => Vec::new(),
            Options::Http(options) => options.read_files(),
        }
    }

    /// Returns every rule that the keys break.
    pub fn mistakes(&self) -> Vec<Mistake> {
        match self {
            Options::Log(_) => Vec::new(),
            Options::File(options) => options.mistakes(),
            Options::Http(options) => options.mistakes(),
            Options::Command(options) => options.mistakes(),
        }
    }

    /// Returns a sentence for each setting that is allowed but may be unintended.
    pub fn warnings(&self) -> Vec<String> {
        match self {
            Options::Log(_) | Options::File(_) | Options::Command(_) => Vec::new(),
            Options::Http(options) => options.warnings(),
        }
    }

    /// Makes the sink of this name. It touches nothing outside the process until it resumes or delivers.
    pub fn build(&self, name: &str, clock: Clock) -> Box<dyn Sink> {
        match self {
            Options::Log(options) => Box::new(log::LogSink::new(options.clone())),
            Options::File(options) => Box::new(file::FileSink::new(options.clone(), clock)),
            Options::Http(options) => Box::new(http::HttpSink::new(options.clone(), clock)),
            Options::Command(options) => Box::new(command::CommandSink::new(name, options.clone())),
        }
    }
}
