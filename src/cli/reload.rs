//! `livehook reload`: lets a running service read its configuration again.

use std::process::ExitCode;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;

use super::args::ServiceArguments;
use super::client::Service;
use super::render::{Output, talk};
use super::runtime::block_on;
use crate::config::Change;
use crate::printable::printable;

/// How long the service may take for its answer: to read its files, and to open new consumers of its journal.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The most characters that are shown of one text of the service.
const SHOWN_CHARACTERS_MAX: usize = 2000;

/// Let a running service read its configuration again
///
/// The service reads the same file, secret files and environment variables as at its start, and takes over what has changed, without
/// a refused callback. The command prints each change. If the configuration has mistakes, nothing changes: the command prints all of
/// them, and the exit code is 1.
///
/// Some settings need a restart, for example the addresses to listen on. They are printed with the note `needs a restart`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  livehook reload --config config.toml
  livehook reload --url http://10.0.0.5:9090      a service elsewhere
  kill -HUP <pid>                                 the same without a token")]
pub(super) struct Arguments {
    #[command(flatten)]
    service: ServiceArguments,
}

/// Sends the request, and prints the changes.
pub(super) fn run(arguments: &Arguments, output: &mut Output<'_>) -> anyhow::Result<ExitCode> {
    let service = arguments.service.connect(TIMEOUT)?;
    let reloaded = request(&service, false)?;
    if reloaded.changes.is_empty() {
        talk(format_args!("the configuration was reloaded: nothing has changed"));
    }
    print(&reloaded, output)?;
    Ok(ExitCode::SUCCESS)
}

/// The answer of the service.
#[derive(Debug, Deserialize)]
pub(super) struct Reloaded {
    pub(super) file: Option<String>,
    pub(super) changes: Vec<ChangeView>,
    warnings: Vec<String>,
}

/// A change, as the service describes it.
#[derive(Debug, Deserialize)]
pub(super) struct ChangeView {
    key: String,
    before: Option<String>,
    after: Option<String>,
    needs_restart: bool,
}

/// Requests a reload, or with `is_dry_run` only its result.
///
/// # Errors
/// The service does not answer, or nothing was reloaded.
pub(super) fn request(service: &Service, is_dry_run: bool) -> anyhow::Result<Reloaded> {
    block_on(service.post("reload", &json!({ "dry_run": is_dry_run })))?
}

/// Prints a line for each change. Warnings go to stderr.
///
/// # Errors
/// stdout cannot be written.
pub(super) fn print(reloaded: &Reloaded, output: &mut Output<'_>) -> anyhow::Result<()> {
    let shown = |text: &str| printable(text, SHOWN_CHARACTERS_MAX).into_owned();
    for warning in &reloaded.warnings {
        talk(format_args!("warning: {}", shown(warning)));
    }
    for ChangeView { key, before, after, needs_restart } in &reloaded.changes {
        let (before, after) = (before.as_deref().map(shown), after.as_deref().map(shown));
        output.line(Change { key: shown(key), before, after, needs_restart: *needs_restart })?;
    }
    Ok(())
}
