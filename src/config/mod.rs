//! The configuration: a TOML file, then the environment, then flags, made into one validated [`Config`].
//!
//! [`Config::load`] is a function of texts and [`Surroundings`]; only [`Process`] touches the real environment and
//! files. All mistakes are found in one go and told together. What the options mean is with the components that they
//! are for; here is how they are read, and which rules span them.

mod checks;
mod document;
#[cfg(test)]
mod example;
mod fault;
mod mistake;
#[cfg(test)]
mod mistake_tests;
mod reader;
mod sinks;
mod sources;
mod summary;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::admin;
use crate::callback;
use crate::index;
use crate::journal;
use crate::receiver;
use crate::telemetry::LogOptions;

use document::Document;
use mistake::Findings;

pub use mistake::{Mistake, Mistakes};
pub use sinks::{InvalidSinkName, SinkConfig, SinkName};
pub use sources::{Overrides, Process, SecretText, Surroundings};
pub use summary::Summary;

/// The data directory where nothing says another.
pub const DATA_DIR_DEFAULT: &str = "livehook-data";

/// Everything that can be configured, and found to be sound.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the journal is.
    pub data_dir: PathBuf,
    /// How long stopping may take, in seconds.
    pub shutdown_grace_secs: u64,
    /// The callback endpoint. Its `keys` are empty: those of all sources are in `verifier`.
    pub receiver: receiver::Options,
    /// What is demanded of a callback.
    pub verifier: callback::Options,
    /// The admin endpoint, with its token from whichever source.
    pub admin: admin::Options,
    /// The journal.
    pub journal: journal::Options,
    /// The read model.
    pub index: index::Options,
    /// Diagnostics.
    pub log: LogOptions,
    /// Where events go; at least one.
    pub sinks: Vec<SinkConfig>,
    /// What is allowed and yet worth a look, each in a sentence. To be logged at start.
    pub warnings: Vec<String>,
}

/// What those need who do a service's work while it does not run.
#[derive(Clone, Debug)]
pub struct DataConfig {
    /// Where the journal is.
    pub data_dir: PathBuf,
    /// The read model as a file configures it; `None` without a file.
    pub index: Option<index::Options>,
}

/// The top of the file. The sinks are read apart, since their keys depend on their type.
#[derive(Debug, Deserialize)]
#[serde(default)]
struct File {
    data_dir: PathBuf,
    shutdown_grace_secs: u64,
    receiver: receiver::Options,
    admin: admin::Options,
    journal: journal::Options,
    index: index::Options,
    log: LogOptions,
    sinks: IgnoredAny,
}

impl Default for File {
    fn default() -> File {
        File {
            data_dir: PathBuf::from(DATA_DIR_DEFAULT),
            shutdown_grace_secs: 8,
            receiver: receiver::Options::default(),
            admin: admin::Options::default(),
            journal: journal::Options::default(),
            index: index::Options::default(),
            log: LogOptions::default(),
            sinks: IgnoredAny,
        }
    }
}

impl Config {
    /// Loads the configuration of a process. `path` is that of the file as given by `--config`; without one,
    /// `LIVEHOOK_CONFIG` may name it, else there is none.
    ///
    /// # Errors
    /// Every mistake; a file that cannot be read is the only one then.
    pub fn find(
        path: Option<&Path>,
        overrides: &Overrides,
        surroundings: &dyn Surroundings,
    ) -> Result<Config, Mistakes> {
        let file = sources::file(path, surroundings)?;
        Config::load(file.as_ref().map(|(path, text)| (path.as_path(), text.as_str())), overrides, surroundings)
    }

    /// Where the admin endpoint of a service is that has the same file and environment, for those that ask it. What
    /// else is wrong with them is no matter here.
    ///
    /// # Errors
    /// The file cannot be read or is no TOML, or the address is none.
    pub fn find_admin_listen(path: Option<&Path>, surroundings: &dyn Surroundings) -> Result<SocketAddr, Mistakes> {
        let (file, _) = find_part(path, surroundings, &["admin.listen"], sources::admin_listen)?;
        Ok(file.admin.listen)
    }

    /// The same with the token, for those that change something.
    ///
    /// # Errors
    /// The file or that of the token cannot be read, or the address or the token is none.
    pub fn find_admin(path: Option<&Path>, surroundings: &dyn Surroundings) -> Result<admin::Options, Mistakes> {
        let keys = ["admin.listen", "admin.token", "admin.token_file"];
        Ok(find_part(path, surroundings, &keys, sources::admin)?.0.admin)
    }

    /// Where the data of such a service is, and what its read model is to be like. `data_dir` is what a flag or the
    /// environment says, and wins over the file.
    ///
    /// # Errors
    /// The file cannot be read or is no TOML, or has mistakes in these parts.
    pub fn find_data(
        path: Option<&Path>,
        data_dir: Option<&Path>,
        surroundings: &dyn Surroundings,
    ) -> Result<DataConfig, Mistakes> {
        let (file, has_file) = find_part(path, surroundings, &["data_dir", "index"], |_, _, _| {})?;
        let data_dir = data_dir.map_or(file.data_dir, Path::to_owned);
        Ok(DataConfig { data_dir, index: has_file.then_some(file.index) })
    }

    /// Makes a configuration of the file's text (with the path to name in mistakes), the environment and the flags.
    ///
    /// # Errors
    /// Every mistake, in the order of the file. Text that is no TOML is the only one then.
    pub fn load(
        text: Option<(&Path, &str)>,
        overrides: &Overrides,
        surroundings: &dyn Surroundings,
    ) -> Result<Config, Mistakes> {
        let path = text.map(|(path, _)| path);
        let document = match text {
            Some((_, text)) => Document::parse(text).map_err(|mistake| Mistakes::new(path, vec![mistake]))?,
            None => Document::default(),
        };

        let mut findings = Findings::default();
        let mut file: File = reader::read(&document.root, "", &[], &mut findings.mistakes).unwrap_or_default();
        let keys = sources::apply(&mut file, overrides, surroundings, &mut findings);
        let sinks = sinks::read_sinks(document.root.get("sinks"), surroundings, &mut findings);
        checks::check(&file, &keys, &sinks, surroundings, &mut findings);

        if findings.mistakes.is_empty() {
            let verifier = verifier_options(&file.receiver, keys);
            let File { data_dir, shutdown_grace_secs, receiver, admin, journal, index, log, .. } = file;
            let sinks = sinks.into_iter().map(|(_, sink)| sink).collect();
            let warnings = findings.warnings;
            return Ok(Config {
                data_dir,
                shutdown_grace_secs,
                receiver,
                verifier,
                admin,
                journal,
                index,
                log,
                sinks,
                warnings,
            });
        }
        for mistake in &mut findings.mistakes {
            mistake.line = document.line(&mistake.key);
        }
        Err(Mistakes::new(path, findings.mistakes))
    }
}

/// Finds a part of a service's configuration, and whether there is a file. Of the mistakes in it only those of `keys`, and of
/// what is below them, matter; `override_file` puts the environment over it.
fn find_part(
    path: Option<&Path>,
    surroundings: &dyn Surroundings,
    keys: &[&str],
    override_file: fn(&mut File, &dyn Surroundings, &mut Findings),
) -> Result<(File, bool), Mistakes> {
    let found = sources::file(path, surroundings)?;
    let path = found.as_ref().map(|(path, _)| path.as_path());
    let text = found.as_ref().map_or("", |(_, text)| text);
    let document = Document::parse(text).map_err(|mistake| Mistakes::new(path, vec![mistake]))?;
    let mut findings = Findings::default();
    let mut file: File = reader::read(&document.root, "", &[], &mut findings.mistakes).unwrap_or_default();
    let is_of = |mistake: &Mistake, key: &str| {
        mistake.key.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    findings.mistakes.retain(|mistake| keys.iter().any(|key| is_of(mistake, key)));
    override_file(&mut file, surroundings, &mut findings);
    if findings.mistakes.is_empty() {
        return Ok((file, path.is_some()));
    }
    Err(Mistakes::new(path, findings.mistakes))
}

fn verifier_options(receiver: &receiver::Options, keys: Vec<sources::SourcedKey>) -> callback::Options {
    callback::Options {
        keys: keys.into_iter().map(|(_, key)| key).collect(),
        allow_unsigned: receiver.allow_unsigned,
        leeway_secs: receiver.leeway_secs,
        validity_secs_max: receiver.validity_secs_max,
        unsigned_event_types: receiver.unsigned_event_types.clone(),
        allowed_appids: receiver.allowed_appids.clone(),
        allowed_domains: receiver.allowed_domains.clone(),
        redact_parameters: receiver.redact_parameters.clone(),
    }
}
