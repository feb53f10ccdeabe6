//! Redrives or drops dead letters.
//!
//! Only one process writes the journal. If a service runs on the data directory, the service makes the change; otherwise this
//! process does.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use serde::Deserialize;

use super::selection::{SelectionArguments, request_body};
use crate::cli::args::{DataDirArguments, ServiceArguments, usage_error};
use crate::cli::render::talk;
use crate::cli::runtime::block_on;
use crate::clock::system_clock;
use crate::journal::{
    ChangedDeadLetters, DeadLetterAction, DeadLetterSelection, JournalError, change_unserved_dead_letters,
};
use crate::storage::StorageError;

/// How long the service may take for one answer. A change of many dead letters takes long.
const TIMEOUT: Duration = Duration::from_secs(600);

// Without documentation, because clap would print it instead of the summary of each command.
#[derive(Debug, clap::Args)]
pub(super) struct ChangeArguments {
    #[command(flatten)]
    data_dir: DataDirArguments,
    #[command(flatten)]
    selection: SelectionArguments,
    /// All dead letters of all sinks
    #[arg(long, conflicts_with_all = ["sink", "since", "until", "ids"])]
    all: bool,
    #[command(flatten)]
    service: ServiceArguments,
}

/// What a change did.
#[derive(Debug, Deserialize)]
struct Outcome {
    /// The number of dead letters that were changed.
    count: u64,
    /// By sink: the number of dead letters that stayed, because their sink is not configured.
    #[serde(default)]
    without_sink: BTreeMap<String, u64>,
}

/// Makes the change and reports it.
pub(super) fn change(arguments: &ChangeArguments, action: DeadLetterAction) -> anyhow::Result<ExitCode> {
    let ChangeArguments { data_dir, selection, all, service } = arguments;
    let selection = selection.selection()?;
    if !all && selection == DeadLetterSelection::default() {
        return Err(usage_error("nothing is selected: use --sink, --since, --until or --id, or --all for everything"));
    }
    // The service at a URL may run on another machine, so no local directory is touched for it.
    if !service.has_url() {
        let data_dir = service.data(data_dir)?.data_dir;
        let now_ms = system_clock();
        match change_unserved_dead_letters(&data_dir, action, selection.clone(), now_ms) {
            // A running service holds the lock, and makes the change below.
            Err(JournalError::Storage(StorageError::Locked(_))) => {}
            Err(error) => return Err(error.into()),
            Ok(ChangedDeadLetters { count, without_sink }) => {
                return Ok(report(action, &Outcome { count, without_sink }, Some(&data_dir)));
            }
        }
    }
    let path = match action {
        DeadLetterAction::Redrive => "dead-letters/redrive",
        DeadLetterAction::Drop => "dead-letters/drop",
    };
    let service = service.connect(TIMEOUT)?;
    let outcome = block_on(service.post(path, &request_body(&selection)))??;
    Ok(report(action, &outcome, None))
}

/// Reports the result of the change. `data_dir` is set if this process did it. The change failed if no selected dead letter has a sink.
fn report(action: DeadLetterAction, outcome: &Outcome, data_dir: Option<&Path>) -> ExitCode {
    let place = data_dir.map_or(String::new(), |data_dir| format!(" in {}", data_dir.display()));
    let when = if data_dir.is_some() { " when the service starts" } else { "" };
    for (sink, count) in &outcome.without_sink {
        talk(format_args!(
            "{count} dead letters of the sink `{sink}` cannot be redriven, because it is not configured; configure a sink \
             with this name and reload livehook, or drop them"
        ));
    }
    match (action, outcome.count) {
        (_, 0) if !outcome.without_sink.is_empty() => return ExitCode::FAILURE,
        (DeadLetterAction::Redrive, 0) => talk("no dead letter matches, or all of them are being redriven already"),
        (DeadLetterAction::Drop, 0) => talk("no dead letter matches"),
        (DeadLetterAction::Redrive, count) => {
            talk(format_args!("redriven{place}: {count}; livehook sends them again{when}"));
        }
        (DeadLetterAction::Drop, count) => talk(format_args!("dropped{place}: {count}")),
    }
    ExitCode::SUCCESS
}
