//! The result: a configuration without mistakes.

use std::path::PathBuf;

use super::secret_file::SecretFile;
use super::sink_config::SinkConfig;
use crate::admin;
use crate::callback::{InstanceName, VerifierOptions};
use crate::index;
use crate::journal;
use crate::receiver;
use crate::telemetry::LogOptions;

/// The configuration of a service. Only [`Config::load`] and [`Config::find`] make one, after every check has passed.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file that was read; `None` without a file.
    pub file: Option<PathBuf>,
    /// The name of this instance, in the `source` of the events that livehook makes itself.
    pub name: InstanceName,
    /// The directory of the journal and the index.
    pub data_dir: PathBuf,
    /// How long stopping may take, in seconds.
    pub shutdown_grace_secs: u64,
    /// The callback endpoint. Its `keys` are empty, because `verifier` holds the keys of all sources.
    pub receiver: receiver::Options,
    /// The rules that a callback must meet, with the callback keys.
    pub verifier: VerifierOptions,
    /// The admin endpoint. Its `token` may come from the file, another file or the environment.
    pub admin: admin::Options,
    /// The journal.
    pub journal: journal::Options,
    /// The read model.
    pub index: index::Options,
    /// The level and the format of the log on stderr.
    pub log: LogOptions,
    /// Where events go; at least one.
    pub sinks: Vec<SinkConfig>,
    /// The files with secrets that were read.
    pub secret_files: Vec<SecretFile>,
    /// A sentence for each setting that is allowed but may be unintended. They are logged at start.
    pub warnings: Vec<String>,
}
