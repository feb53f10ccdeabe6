//! `livehook dead-letters`: what sinks gave up on. Read beside a running service or without one; changed by the service
//! where one runs, since it is the one that writes the journal, else here.

mod rows;

use std::path::Path;
use std::process::ExitCode;

use anyhow::bail;
use jiff::Timestamp;
use serde_json::{Value, json};

use self::rows::LetterRow;
use super::args::DataDirArguments;
use super::args::moment::During;
use super::args::selection::parse_limit;
use super::client::service::ServiceArguments;
use super::render::listing::{self, Form};
use super::render::output::{Output, talk};
use super::render::table::details;
use crate::callback::EventId;
use crate::journal::{
    ChangedDeadLetters, DeadLetter, DeadLetterAction, DeadLetterSelection, JournalError, Reader,
    change_unserved_dead_letters,
};
use crate::moment::Moment;
use crate::storage::StorageError;

/// How many dead letters are read at a time.
const PAGE_LETTERS: usize = 1000;

/// See what sinks gave up on, and have it sent again or removed
///
/// An event becomes a dead letter of a sink when that sink refuses it for good, or when the sink's `attempts_max` or
/// `age_secs_max` is reached. It is kept until it is delivered after a redrive, or dropped. --since and --until are for when it
/// failed last.
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
    /// Have dead letters sent again, each to its own sink
    Redrive(ChangeArguments),
    /// Remove dead letters for good
    Drop(ChangeArguments),
}

/// Which dead letters.
#[derive(Clone, Debug, Default, clap::Args)]
#[group(skip)]
struct SelectionArguments {
    /// Only those of this sink, also of one that is no longer configured
    #[arg(long, value_name = "NAME")]
    sink: Option<String>,
    #[command(flatten)]
    during: During,
    /// Only that of this number, or those of the event of this id; repeat it for more
    #[arg(long = "id", value_name = "ID", value_parser = Name::parse)]
    names: Vec<Name>,
}

/// What a dead letter is called by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Number(i64),
    Event(EventId),
}

impl Name {
    fn parse(text: &str) -> Result<Name, String> {
        match (text.parse(), text.parse()) {
            (Ok(number), _) => Ok(Name::Number(number)),
            (_, Ok(id)) => Ok(Name::Event(id)),
            _ => Err("give the number of a dead letter, or the id of an event".to_owned()),
        }
    }
}

/// List dead letters by number, which is the order in which they became ones
#[derive(Debug, clap::Args)]
struct ListArguments {
    #[command(flatten)]
    data_dir: DataDirArguments,
    #[command(flatten)]
    selection: SelectionArguments,
    /// At most this many
    #[arg(long, value_name = "N", default_value = "50", value_parser = parse_limit)]
    limit: usize,
    /// How to show them
    #[arg(long, value_enum, value_name = "FORM", default_value_t = Form::Table)]
    output: Form,
}

/// Show all about one dead letter, with its event
#[derive(Debug, clap::Args)]
struct ShowArguments {
    /// The number of the dead letter, or the id of its event
    #[arg(value_name = "ID", value_parser = Name::parse)]
    name: Name,
    #[command(flatten)]
    data_dir: DataDirArguments,
    /// How to show it
    #[arg(long, value_enum, value_name = "FORM", default_value_t = Form::Table)]
    output: Form,
}

// What to change, and who does it. No documentation: that would take the place of what the commands are told to do.
#[derive(Debug, clap::Args)]
struct ChangeArguments {
    #[command(flatten)]
    data_dir: DataDirArguments,
    #[command(flatten)]
    selection: SelectionArguments,
    /// All dead letters of all sinks
    #[arg(long, conflicts_with_all = ["sink", "since", "until", "names"])]
    all: bool,
    #[command(flatten)]
    service: ServiceArguments,
}

/// Does what is asked for.
pub(super) fn run(arguments: Arguments, output: &mut Output<'_>) -> anyhow::Result<ExitCode> {
    match arguments.command {
        Command::List(arguments) => list(arguments, output),
        Command::Show(arguments) => show(&arguments, output),
        Command::Redrive(arguments) => change(arguments, DeadLetterAction::Redrive),
        Command::Drop(arguments) => change(arguments, DeadLetterAction::Drop),
    }
}

impl SelectionArguments {
    fn selection(self) -> anyhow::Result<DeadLetterSelection> {
        let SelectionArguments { sink, during, names } = self;
        during.check()?;
        let (mut numbers, mut ids) = (Vec::new(), Vec::new());
        for name in names {
            match name {
                Name::Number(number) => numbers.push(number),
                Name::Event(id) => ids.push(id),
            }
        }
        Ok(DeadLetterSelection { sink, numbers, ids, since_ms: during.since, until_ms: during.until })
    }
}

fn list(arguments: ListArguments, output: &mut Output<'_>) -> anyhow::Result<ExitCode> {
    let selection = arguments.selection.selection()?;
    let limit = arguments.limit;
    let mut letters = find(arguments.data_dir.path(), &selection, limit + 1)?;
    let has_more = letters.len() > limit;
    letters.truncate(limit);
    let rows: Vec<LetterRow> = letters.into_iter().map(LetterRow::new).collect();
    listing::show(&rows, arguments.output, output)?;
    output.flush()?;
    if has_more {
        talk(format_args!("there are more: --limit N shows more than {limit}"));
    } else if rows.is_empty() {
        talk("no dead letter matches");
    }
    Ok(ExitCode::SUCCESS)
}

fn find(data_dir: &Path, selection: &DeadLetterSelection, limit: usize) -> Result<Vec<DeadLetter>, JournalError> {
    let reader = Reader::open(data_dir)?;
    let mut letters = Vec::new();
    let mut next = Some(0);
    while let Some(after) = next
        && letters.len() < limit
    {
        let page = reader.dead_letters(selection, after, PAGE_LETTERS.min(limit - letters.len()))?;
        letters.extend(page.dead_letters);
        next = page.next;
    }
    Ok(letters)
}

fn show(arguments: &ShowArguments, output: &mut Output<'_>) -> anyhow::Result<ExitCode> {
    let selection = SelectionArguments { names: vec![arguments.name], ..SelectionArguments::default() }.selection()?;
    let letters = find(arguments.data_dir.path(), &selection, PAGE_LETTERS)?;
    if letters.is_empty() {
        bail!("there is no such dead letter, or no longer; `livehook dead-letters list` shows those that there are");
    }
    let rows: Vec<LetterRow> = letters.into_iter().map(|letter| LetterRow::new(letter).with_event()).collect();
    match arguments.output {
        Form::Table => {
            for (number, row) in rows.iter().enumerate() {
                if number > 0 {
                    output.line("")?;
                }
                details(&row.labelled(), output)?;
                output.line("")?;
                output.line(row.line())?;
            }
        }
        form => listing::show(&rows, form, output)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn change(arguments: ChangeArguments, action: DeadLetterAction) -> anyhow::Result<ExitCode> {
    let ChangeArguments { data_dir, selection, all, service } = arguments;
    let selection = selection.selection()?;
    if !all && selection == DeadLetterSelection::default() {
        return Err(crate::cli::args::usage_error(
            "nothing is selected: give --sink, --since, --until or --id, or say --all",
        ));
    }
    if service.is_named() {
        return change_by_service(service, action, &selection);
    }
    let data_dir = service.find_data(&data_dir)?.data_dir;
    let now_ms = Timestamp::now().as_millisecond();
    match change_unserved_dead_letters(&data_dir, action, selection.clone(), now_ms) {
        Err(JournalError::Storage(StorageError::Locked(_))) => change_by_service(service, action, &selection),
        Err(error) => Err(error.into()),
        Ok(changed) => tell(action, &changed, Some(&data_dir)),
    }
}

fn change_by_service(
    service: ServiceArguments,
    action: DeadLetterAction,
    selection: &DeadLetterSelection,
) -> anyhow::Result<ExitCode> {
    let path = match action {
        DeadLetterAction::Redrive => "dead-letters/redrive",
        DeadLetterAction::Drop => "dead-letters/drop",
    };
    let service = service.find()?;
    let answer = super::runtime::block_on(service.post(path, &body(selection)))??;
    let changed = ChangedDeadLetters {
        count: answer["count"].as_u64().unwrap_or(0),
        without_sink: serde_json::from_value(answer["without_sink"].clone()).unwrap_or_default(),
    };
    tell(action, &changed, None)
}

/// The selection as the API takes it.
fn body(selection: &DeadLetterSelection) -> Value {
    if *selection == DeadLetterSelection::default() {
        return json!({"all": true});
    }
    json!({
        "sink": selection.sink,
        "numbers": selection.numbers,
        "ids": selection.ids,
        "since": selection.since_ms.map(Moment),
        "until": selection.until_ms.map(Moment),
    })
}

/// Says what was done, and in which data directory where no service has done it. It has failed when all that matched could
/// not be changed.
fn tell(action: DeadLetterAction, changed: &ChangedDeadLetters, data_dir: Option<&Path>) -> anyhow::Result<ExitCode> {
    let place = data_dir.map_or(String::new(), |data_dir| format!(" in {}", data_dir.display()));
    let when = if data_dir.is_some() { ", for the next start of the service" } else { "" };
    for (sink, count) in &changed.without_sink {
        talk(format_args!(
            "{count} of the sink `{sink}` cannot be sent again, since it is not configured: configure it under this name and \
             start livehook anew, or drop them"
        ));
    }
    match (action, changed.count) {
        (_, 0) if !changed.without_sink.is_empty() => return Ok(ExitCode::FAILURE),
        (DeadLetterAction::Redrive, 0) => talk("no dead letter matches that is not put back already"),
        (DeadLetterAction::Drop, 0) => talk("no dead letter matches"),
        (DeadLetterAction::Redrive, count) => talk(format_args!("put back{place}, to be sent again{when}: {count}")),
        (DeadLetterAction::Drop, count) => talk(format_args!("dropped{place}: {count}")),
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests;
