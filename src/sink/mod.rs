//! Where events go. One file a sink; a new one is a file, and a variant of [`Options`] with an arm in each of its functions.
//!
//! A sink delivers what it is given, once it is told to, and says of each event what became of it. It does not read the
//! journal on its own, decide on retries, or move a cursor: that is the delivery worker's.

pub mod command;
pub mod file;
mod filter;
#[cfg(test)]
mod fixture;
pub mod http;
mod lanes;
pub mod log;

use std::io;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use serde::de::{Deserialize, Deserializer, Error as _};

use crate::journal::{Offset, Record, Records};

pub use filter::Filter;

/// Why an event was not delivered. Whether trying again can help is part of the type.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum DeliveryError {
    /// Another try may succeed.
    #[error("{reason}")]
    Transient {
        /// What went wrong, for the log.
        reason: String,
        /// How long the other side asked to be left alone.
        retry_after: Option<Duration>,
        /// Whether the sink seems to take nothing at all, so that other events wait too.
        is_outage: bool,
    },
    /// It was not tried, since an earlier event of its stream is not done: it keeps its place and loses no attempt.
    #[error("an earlier event of the same stream is not done")]
    Held,
    /// No further try can succeed: the event becomes a dead letter.
    #[error("{reason}")]
    Permanent {
        /// What went wrong, for the log.
        reason: String,
    },
}

impl DeliveryError {
    /// A failure worth another try, of the sink as a whole as far as is known.
    pub fn transient(reason: impl ToString) -> DeliveryError {
        DeliveryError::Transient { reason: reason.to_string(), retry_after: None, is_outage: true }
    }

    /// A failure worth another try, of this event: the sink may take others.
    pub fn refused(reason: impl ToString) -> DeliveryError {
        DeliveryError::Transient { reason: reason.to_string(), retry_after: None, is_outage: false }
    }

    /// A failure that stays one.
    pub fn permanent(reason: impl ToString) -> DeliveryError {
        DeliveryError::Permanent { reason: reason.to_string() }
    }
}

/// What became of one event of a batch.
pub type Outcome = Result<(), DeliveryError>;

/// A rule that a sink's options break.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The key, as a path within the sink's table.
    pub key: String,
    /// Its value, as text; `None` where it may hold a secret.
    pub value: Option<String>,
    /// The rule, and what to do.
    pub rule: String,
}

/// The path of a member of a table, as mistakes name it: a name that TOML demands quotes for has them.
pub fn member_path(path: &str, name: &str) -> String {
    let bare = !name.is_empty()
        && name.chars().all(|character| character.is_ascii_alphanumeric() || matches!(character, '_' | '-'));
    match (path, bare) {
        ("", true) => name.to_owned(),
        ("", false) => format!("{name:?}"),
        (_, true) => format!("{path}.{name}"),
        (_, false) => format!("{path}.{name:?}"),
    }
}

/// Where a sink finds the secrets that are not in its table.
pub trait SecretSources {
    /// The environment variable for this sink and `what` (such as `SECRETS`): its name and its text, where it is set.
    fn variable(&self, what: &str) -> Option<(String, String)>;

    /// The text of a file.
    ///
    /// # Errors
    /// As the system says.
    fn file(&self, path: &Path) -> io::Result<String>;
}

/// A place that events go to.
#[async_trait]
pub trait Sink: Send {
    /// Called before the first `deliver`, and again until it succeeds: connects, and finds out what the sink already has.
    ///
    /// `cursor` is the last record known to be done, `state` what [`Sink::state`] gave beside it, and `records` lets a
    /// sink compare what it finds with what it would have been given. Returns the last record that it has: from there
    /// on it is to be given records, once that place and [`Sink::state`] are durable together.
    ///
    /// # Errors
    /// The sink cannot take events now.
    async fn resume(
        &mut self,
        cursor: Offset,
        state: Option<&[u8]>,
        records: &dyn Records,
    ) -> Result<Offset, DeliveryError> {
        let _ = (state, records);
        Ok(cursor)
    }

    /// Delivers events, oldest first, and answers for each in the same order. `Ok` is proven success. After a
    /// transient failure, a later event of the same partition key must not be delivered: it is answered as held.
    ///
    /// Dropping the future gives up on it; what was delivered until then may come again.
    async fn deliver(&mut self, batch: &[Record]) -> Vec<Outcome>;

    /// Whether order is kept over all streams, and not only within each: then nothing passes an event that failed.
    fn is_ordered(&self) -> bool {
        false
    }

    /// What to keep beside the cursor, as of the last `resume` or `deliver` that returned. It is made durable in one with
    /// the cursor that belongs to it, and before the next `deliver` of new events.
    fn state(&self) -> Option<Vec<u8>> {
        None
    }

    /// Finds out whether events could be delivered, without delivering one or changing anything, and says in a few words
    /// what it found.
    ///
    /// # Errors
    /// They could not: the reason names the address, the cause and the cure.
    async fn probe(&mut self) -> Result<String, DeliveryError> {
        Ok("there is nothing to look at".to_owned())
    }
}

/// A sink as configured: which, and its own keys.
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

    /// Reads the own keys of a sink of this `type`.
    ///
    /// # Errors
    /// There is no such type, or the keys are not those of it.
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

    /// The file that no second sink may write to.
    pub fn exclusive_path(&self) -> Option<&Path> {
        match self {
            Options::Log(_) | Options::Http(_) | Options::Command(_) => None,
            Options::File(options) => Some(&options.path),
        }
    }

    /// What the events go to, for a person, and without secrets; `None` where the type says it all.
    pub fn target(&self) -> Option<String> {
        match self {
            Options::Log(_) => None,
            Options::File(options) => Some(options.path.display().to_string()),
            Options::Http(options) => Some(options.url.shown()),
            Options::Command(options) => Some(options.program.display().to_string()),
        }
    }

    /// Takes the secrets that are not in the table, and returns what is wrong with them.
    pub fn take_secrets(&mut self, sources: &dyn SecretSources) -> Vec<Mistake> {
        match self {
            Options::Log(_) | Options::File(_) | Options::Command(_) => Vec::new(),
            Options::Http(options) => options.take_secrets(sources),
        }
    }

    /// Every rule that the sink's own keys break.
    pub fn mistakes(&self) -> Vec<Mistake> {
        match self {
            Options::Log(_) => Vec::new(),
            Options::File(options) => options.mistakes(),
            Options::Http(options) => options.mistakes(),
            Options::Command(options) => options.mistakes(),
        }
    }

    /// What is allowed and yet worth a look, each in a sentence.
    pub fn warnings(&self) -> Vec<String> {
        match self {
            Options::Log(_) | Options::File(_) | Options::Command(_) => Vec::new(),
            Options::Http(options) => options.warnings(),
        }
    }

    /// Makes the sink. It touches nothing outside before it resumes.
    pub fn build(&self) -> Box<dyn Sink> {
        match self {
            Options::Log(options) => Box::new(log::LogSink::new(options.clone())),
            Options::File(options) => Box::new(file::FileSink::new(options.clone())),
            Options::Http(options) => Box::new(http::HttpSink::new(options.clone())),
            Options::Command(options) => Box::new(command::CommandSink::new(options.clone())),
        }
    }
}

/// Runs what blocks on a thread of its own.
///
/// # Errors
/// The thread did not come to its end.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, DeliveryError> {
    tokio::task::spawn_blocking(work).await.map_err(DeliveryError::transient)
}
