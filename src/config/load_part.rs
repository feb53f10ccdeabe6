//! Reads the part of a service's configuration that a command needs, for example the address of the admin endpoint.
//!
//! These commands must also work if another part has a mistake: an operator needs them most when something is wrong.

use std::path::{Path, PathBuf};

use super::document::Document;
use super::environment;
use super::findings::Findings;
use super::key_path::is_at_or_below;
use super::mistake::Mistakes;
use super::overrides::{self, Overrides};
use super::reader;
use super::service_config::Config;
use super::settings::Settings;
use super::sources::Sources;
use super::surroundings::Surroundings;
use crate::callback::InstanceName;
use crate::telemetry::LogOptions;
use crate::{admin, index};

#[cfg(test)]
mod tests;

/// The data of a service, for commands that read or write it.
#[derive(Clone, Debug)]
pub struct DataConfig {
    /// The name of the instance.
    pub name: InstanceName,
    /// The directory of the journal and the index.
    pub data_dir: PathBuf,
    /// The settings of the read model; `None` without a file.
    pub index: Option<index::Options>,
}

impl Config {
    /// Returns the options of the admin endpoint of a service that has the same file and environment, with its address and its TLS.
    /// Mistakes in other settings don't matter here.
    ///
    /// # Errors
    /// The file cannot be read or is not TOML, or the address or the TLS is not valid.
    pub fn find_admin_listener(
        path: Option<&Path>,
        surroundings: &dyn Surroundings,
    ) -> Result<admin::Options, Mistakes> {
        Ok(find(path, surroundings, &["admin.listen", "admin.tls"], environment::apply_admin_listen)?.settings.admin)
    }

    /// Returns the options of the admin endpoint, with its token. Otherwise like [`Config::find_admin_listener`].
    ///
    /// # Errors
    /// The file or the file of the token cannot be read, or the address or the token is not valid.
    pub fn find_admin(path: Option<&Path>, surroundings: &dyn Surroundings) -> Result<admin::Options, Mistakes> {
        let keys = ["admin.listen", "admin.tls", "admin.token", "admin.token_file"];
        Ok(find(path, surroundings, &keys, environment::apply_admin)?.settings.admin)
    }

    /// Returns the name of a service, its data directory, and the settings of its read model. `data_dir` comes from a flag or the
    /// environment, and wins over the file.
    ///
    /// # Errors
    /// The file cannot be read or is not TOML, or these settings have mistakes.
    pub fn find_data(
        path: Option<&Path>,
        data_dir: Option<&Path>,
        surroundings: &dyn Surroundings,
    ) -> Result<DataConfig, Mistakes> {
        let part = find(path, surroundings, &["name", "data_dir", "index"], |_, _| {})?;
        let data_dir = data_dir.map_or(part.settings.data_dir, Path::to_owned);
        // Without a file, a rebuild keeps the settings that the existing index has, not the defaults.
        Ok(DataConfig { name: part.settings.name, data_dir, index: part.has_file.then_some(part.settings.index) })
    }

    /// Returns the level and the format of the log of a service, as far as they have no mistake. `overrides` are the flags.
    pub fn find_log(path: Option<&Path>, overrides: &Overrides, surroundings: &dyn Surroundings) -> LogOptions {
        let part = find(path, surroundings, &["log"], |_, _| {});
        let mut settings = part.map_or_else(|_| Settings::default(), |part| part.settings);
        let mut findings = Findings::default();
        let mut sources = Sources { surroundings, findings: &mut findings };
        environment::apply_log(&mut settings, &mut sources);
        overrides::apply_log(&mut settings, overrides, &mut sources);
        settings.log
    }

    /// Returns the data directory of a service. Otherwise like [`Config::find_data`].
    ///
    /// # Errors
    /// The file cannot be read or is not TOML, or its `data_dir` is not a path.
    pub fn find_data_dir(
        path: Option<&Path>,
        data_dir: Option<&Path>,
        surroundings: &dyn Surroundings,
    ) -> Result<PathBuf, Mistakes> {
        let part = find(path, surroundings, &["data_dir"], |_, _| {})?;
        Ok(data_dir.map_or(part.settings.data_dir, Path::to_owned))
    }
}

/// Settings with only some parts checked.
struct Part {
    settings: Settings,
    has_file: bool,
}

/// Reads the settings and applies the environment with `apply`. Only mistakes at or below `keys` count.
fn find(
    path: Option<&Path>,
    surroundings: &dyn Surroundings,
    keys: &[&str],
    apply: fn(&mut Settings, &mut Sources<'_>),
) -> Result<Part, Mistakes> {
    let document = Document::find(path, surroundings)?;
    let mut findings = Findings::default();
    let mut settings: Settings = reader::read(&document.root, "", &[], &mut findings.mistakes).unwrap_or_default();
    // Before the environment, because its mistakes are under the names of variables and would all be dropped here.
    findings.mistakes.retain(|mistake| keys.iter().any(|key| is_at_or_below(&mistake.key, key)));
    apply(&mut settings, &mut Sources { surroundings, findings: &mut findings });
    if findings.mistakes.is_empty() {
        Ok(Part { settings, has_file: document.path.is_some() })
    } else {
        Err(document.locate(findings.mistakes))
    }
}
