//! `livehook dead-letters`: shows and changes the events that sinks could not deliver.

mod change;
mod row;
mod selection;

use std::path::Path;
use std::process::ExitCode;

use anyhow::bail;

use self::change::{ChangeArguments, change};
use self::row::DeadLetterRow;
use self::selection::{DeadLetterId, SelectionArguments, selection_of};
use super::args::{LocalTimeArguments, StoredDataArguments, parse_limit};
use super::render::{Output, OutputFormat, print_details, print_page, print_rows};
use crate::journal::{DeadLetter, DeadLetterAction, DeadLetterSelection, JournalError, Reader};

/// The most dead letters that are read at once.
const PAGE_DEAD_LETTERS: usize = 1000;

/// List, show, redrive or drop dead letters, which are events that a sink could not deliver
///
/// An event becomes a dead letter of a sink if the sink rejects it for good, or if it reaches the `retry.attempts_max` or
/// `retry.age_secs_max` of the sink. livehook keeps a dead letter until a redrive delivers it, or until you drop it. --since
/// and --until compare the time of the last failure.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  livehook dead-letters list --sink archive
  livehook dead-letters show 17
  livehook dead-letters redrive --sink archive --since 2h
  livehook dead-letters drop --id 17 --id 18")]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    List(ListArguments),
    Show(ShowArguments),
    /// Send dead letters again, each one to its own sink
    Redrive(ChangeArguments),
    /// Remove dead letters for good
    Drop(ChangeArguments),
}

/// List dead letters by number, oldest first
#[derive(Debug, clap::Args)]
struct ListArguments {
    #[command(flatten)]
    data: StoredDataArguments,
    #[command(flatten)]
    selection: SelectionArguments,
    /// Show at most this many
    #[arg(long, value_name = "N", default_value = "50", value_parser = parse_limit)]
    limit: usize,
    /// The output format
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = OutputFormat::Table)]
    output: OutputFormat,
    #[command(flatten)]
    local_time: LocalTimeArguments,
}

/// Show one dead letter with its event
#[derive(Debug, clap::Args)]
struct ShowArguments {
    /// The number of the dead letter, or the id of its event
    #[arg(value_name = "ID", value_parser = DeadLetterId::parse)]
    id: DeadLetterId,
    #[command(flatten)]
    data: StoredDataArguments,
    /// The output format
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = OutputFormat::Table)]
    output: OutputFormat,
    #[command(flatten)]
    local_time: LocalTimeArguments,
}

/// Runs one of the subcommands.
pub(super) fn run(arguments: Arguments, output: &mut Output<'_>) -> anyhow::Result<ExitCode> {
    match arguments.command {
        Command::List(arguments) => list(&arguments, output),
        Command::Show(arguments) => show(&arguments, output),
        Command::Redrive(arguments) => change(&arguments, DeadLetterAction::Redrive),
        Command::Drop(arguments) => change(&arguments, DeadLetterAction::Drop),
    }
}

fn list(arguments: &ListArguments, output: &mut Output<'_>) -> anyhow::Result<ExitCode> {
    arguments.local_time.apply(output);
    // One more than will be shown, to know whether there are more.
    let dead_letters = find(&arguments.data.path()?, &arguments.selection.selection()?, arguments.limit + 1)?;
    let rows = dead_letters.into_iter().map(DeadLetterRow::new);
    print_page(rows, arguments.limit, "dead letter", arguments.output, output)?;
    Ok(ExitCode::SUCCESS)
}

fn find(data_dir: &Path, selection: &DeadLetterSelection, limit: usize) -> Result<Vec<DeadLetter>, JournalError> {
    let reader = Reader::open(data_dir)?;
    let mut dead_letters = Vec::new();
    let mut next = Some(0);
    while let Some(after) = next
        && dead_letters.len() < limit
    {
        let page = reader.dead_letters(selection, after, PAGE_DEAD_LETTERS.min(limit - dead_letters.len()))?;
        dead_letters.extend(page.dead_letters);
        next = page.next;
    }
    Ok(dead_letters)
}

fn show(arguments: &ShowArguments, output: &mut Output<'_>) -> anyhow::Result<ExitCode> {
    arguments.local_time.apply(output);
    let dead_letters = find(&arguments.data.path()?, &selection_of(&[arguments.id]), PAGE_DEAD_LETTERS)?;
    if dead_letters.is_empty() {
        bail!("no such dead letter; `livehook dead-letters list` lists them, and delivered or dropped ones are gone");
    }
    let rows: Vec<DeadLetterRow> =
        dead_letters.into_iter().map(|dead_letter| DeadLetterRow::new(dead_letter).with_event()).collect();
    match arguments.output {
        OutputFormat::Table => {
            // One event can be a dead letter of several sinks.
            for (position, row) in rows.iter().enumerate() {
                if position > 0 {
                    output.line("")?;
                }
                print_details(&row.details(), output)?;
                output.line("")?;
                output.line(row.line())?;
            }
        }
        format => print_rows(&rows, format, output)?,
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests;
