//! Saves what is readable in a damaged journal into a new data directory.

use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

use super::report::plural;
use crate::cli::render::{Output, OutputFormat, TextCell, talk, write_json_line};
use crate::journal::{LostRow, salvage};

/// A lost row as JSON.
#[derive(Serialize)]
struct LostLine<'a> {
    kind: &'a str,
    number: &'a str,
    cause: &'a str,
}

/// Prints a line for each row that is lost, and what to do next. The exit code is 1 if one is lost.
pub(super) fn run(
    damaged: &Path,
    target: &Path,
    format: OutputFormat,
    output: &mut Output<'_>,
) -> anyhow::Result<ExitCode> {
    let mut printed = Ok(());
    let saved = salvage(damaged, target, |lost| {
        if printed.is_ok() {
            printed = print(lost, format, output);
        }
    })?;
    printed?;
    output.flush()?;
    let counts = [
        plural(saved.records, "record"),
        plural(saved.dead_letters, "dead letter"),
        plural(saved.replays, "replay"),
        plural(saved.consumers, "cursor"),
    ];
    talk(format_args!("saved {} in {}; {} lost", counts.join(", "), target.display(), plural(saved.lost, "row")));
    talk(format_args!(
        "{} is unchanged. To go on: move it away, move {} to its place, let livehook's user own it, and start the service. It \
         builds a new index from the journal; for sessions older than the journal, copy the old index.db, too",
        damaged.display(),
        target.display()
    ));
    Ok(if saved.lost == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(lost: &LostRow, format: OutputFormat, output: &mut Output<'_>) -> anyhow::Result<()> {
    let LostRow { kind, number, cause } = lost;
    match format {
        OutputFormat::Json => write_json_line(&LostLine { kind, number, cause }, output),
        // The cause can have a part of a damaged line.
        _ => Ok(output.line(format_args!("lost {kind} {number}: {}", TextCell::new(cause).shown(false)))?),
    }
}
