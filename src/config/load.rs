//! The way to a [`Config`]: read the file, apply environment and flags, collect the keys, read the sinks, check everything.
//!
//! Each step adds its mistakes to the same [`Findings`], so that the user sees all of them at once.

use std::path::{Path, PathBuf};

use super::callback_keys::{self, SourcedKey};
use super::document::Document;
use super::findings::Findings;
use super::mistake::Mistakes;
use super::overrides::{self, Overrides};
use super::service_config::Config;
use super::settings::Settings;
use super::sink_tables::read_sinks;
use super::sources::Sources;
use super::surroundings::Surroundings;
use super::unread_variables::AskedVariables;
use super::{checks, environment, exposure, misplaced_keys, reader, sink_checks, tls_checks};
use crate::callback::VerifierOptions;
use crate::receiver;

#[cfg(test)]
mod tests;

impl Config {
    /// Loads the configuration of a service. `path` is the file that `--config` names. Without it, the environment variable
    /// `LIVEHOOK_CONFIG` may name a file. Without both, there is no file.
    ///
    /// # Errors
    /// All mistakes. If the file cannot be read, this is the only one.
    pub fn find(
        path: Option<&Path>,
        overrides: &Overrides,
        surroundings: &dyn Surroundings,
    ) -> Result<Config, Mistakes> {
        from_document(&Document::find(path, surroundings)?, overrides, surroundings)
    }

    /// Makes a configuration of the text of a file, the environment and the flags. `file` is the path of the file, for the
    /// texts of mistakes, and its text.
    ///
    /// # Errors
    /// All mistakes, in the order of the file. If the text is not TOML, this is the only one.
    pub fn load(
        file: Option<(&Path, &str)>,
        overrides: &Overrides,
        surroundings: &dyn Surroundings,
    ) -> Result<Config, Mistakes> {
        let document = match file {
            Some((path, text)) => Document::parse(path, text)?,
            None => Document::default(),
        };
        from_document(&document, overrides, surroundings)
    }
}

fn from_document(
    document: &Document,
    overrides: &Overrides,
    surroundings: &dyn Surroundings,
) -> Result<Config, Mistakes> {
    let mut findings = Findings::default();
    // If nothing can be read, the defaults let the other steps find further mistakes. They never become a `Config`.
    let mut settings: Settings = reader::read(&document.root, "", &[], &mut findings.mistakes).unwrap_or_default();

    misplaced_keys::explain(&mut findings.mistakes);

    let asked = AskedVariables::new(surroundings);
    let mut sources = Sources { surroundings: &asked, findings: &mut findings };
    environment::apply(&mut settings, &mut sources);
    // After the environment, because a flag wins over a variable.
    overrides::apply(&mut settings, overrides, &mut sources);
    let keys = callback_keys::collect(&mut settings.receiver, &overrides.keys, &mut sources);
    let sinks = read_sinks(document.root.get("sinks"), &asked, &mut findings);

    checks::check(&settings, &keys, &mut findings);
    checks::check_data_dir(&settings.data_dir, surroundings, &mut findings);
    // Before the files of TLS, which the listeners compare themselves.
    let secret_files = asked.secret_files();
    tls_checks::check("receiver.tls", settings.receiver.tls.as_ref(), &asked, &mut findings);
    tls_checks::check("admin.tls", settings.admin.tls.as_ref(), &asked, &mut findings);
    let read_files: Vec<PathBuf> = asked.files().into_iter().chain(document.path.clone()).collect();
    sink_checks::check_files(&settings.data_dir, &sinks, &read_files, surroundings, &mut findings);
    exposure::warn_of_config_file(document, surroundings, &mut findings);
    exposure::warn_of_data_dir(&settings.data_dir, surroundings, &mut findings);
    asked.warn_of_unread(&mut findings);

    if !findings.mistakes.is_empty() {
        return Err(document.locate(findings.mistakes));
    }
    let verifier = verifier_options(&settings.receiver, keys);
    let Settings { name, data_dir, shutdown_grace_secs, receiver, admin, journal, index, log, .. } = settings;
    let sinks = sinks.into_iter().map(|(_, sink)| sink).collect();
    let warnings = findings.warnings;
    Ok(Config {
        file: document.path.clone(),
        name,
        data_dir,
        shutdown_grace_secs,
        receiver,
        verifier,
        admin,
        journal,
        index,
        log,
        sinks,
        secret_files,
        warnings,
    })
}

fn verifier_options(receiver: &receiver::Options, keys: Vec<SourcedKey>) -> VerifierOptions {
    VerifierOptions {
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
