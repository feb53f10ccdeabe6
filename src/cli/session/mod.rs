//! `livehook session`: shows one session with its events.

mod events;

use std::process::ExitCode;

use anyhow::{anyhow, bail};
use serde::Serialize;

use self::events::{Events, print_events};
use super::args::{LocalTimeArguments, StoredDataArguments};
use super::fresh_index;
use super::render::{
    Detail, Output, OutputFormat, SessionRow, TextCell, anomalies_cell, print_details, print_rows, reason_cell,
    reason_details, size_cell, state_cell, write_json_line,
};
use crate::clock::system_clock;
use crate::history::FreshIndex;
use crate::index::SessionView;
use crate::printable::printable;

/// The most sessions that an error lists.
const LISTED_MAX: usize = 20;

/// Show one session, and its events in order of time
///
/// The events include recordings and screenshots of the stream during the session. The journal keeps events for a shorter
/// time than the index keeps sessions; the command says how many events are gone. JSON is one object with the events in full;
/// CSV is the session without events.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  livehook session 2210464508206756938-5d0c1f7a
  livehook session 2210464508206756938              by its sequence alone
  livehook session 2210464508206756938 --output json | jq .events[].type")]
pub(super) struct Arguments {
    /// The id of the session, as `livehook sessions` shows it, or the `sequence` of its push
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    data: StoredDataArguments,
    /// The output format
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = OutputFormat::Table)]
    output: OutputFormat,
    #[command(flatten)]
    local_time: LocalTimeArguments,
}

/// The JSON of a session.
#[derive(Serialize)]
struct SessionWithEvents<'s> {
    #[serde(flatten)]
    row: &'s SessionRow,
    #[serde(flatten)]
    events: &'s Events<'s>,
}

/// Prints the session.
pub(super) fn run(arguments: &Arguments, output: &mut Output<'_>) -> anyhow::Result<ExitCode> {
    arguments.local_time.apply(output);
    let fresh = fresh_index::open(&arguments.data.path()?)?;
    let now_ms = system_clock();
    let row = SessionRow { view: find(&fresh, &arguments.id, now_ms)?, now_ms };
    let events = Events::of(&row, &fresh)?;
    match arguments.output {
        OutputFormat::Table => {
            print_details(&details(&row), output)?;
            print_events(&events, output)?;
        }
        OutputFormat::Json => write_json_line(&SessionWithEvents { row: &row, events: &events }, output)?,
        format @ (OutputFormat::Csv | OutputFormat::CsvBom) => print_rows(&[row], format, output)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Finds a session by its id, or by its sequence if only one stream has a session with it.
fn find(fresh: &FreshIndex, text: &str, now_ms: i64) -> anyhow::Result<SessionView> {
    // The vendor may choose any text as a sequence, so a text that looks like an id can also be a sequence.
    if let Ok(id) = text.parse()
        && let Some(view) = fresh.index.session(&id, now_ms)?
    {
        return Ok(view);
    }
    let mut found = fresh.index.sessions_of_sequence(text, now_ms)?;
    if found.len() > 1 {
        let mut message =
            format!("{} streams have a session with the sequence {text}; use one of these ids:", found.len());
        for view in found.iter().take(LISTED_MAX) {
            let stream = TextCell::stream(&view.domain, &view.app_name, &view.stream);
            let started = TextCell::moment(view.started);
            message.push_str(&format!("\n  {}  {}  {}", view.id, started.text(), stream.text()));
        }
        bail!(message);
    }
    found.pop().ok_or_else(|| {
        anyhow!(
            "no session `{}`; `livehook sessions` lists the known ones. livehook keeps a session for `index.retention_days` \
             after its last event. Events that are older when they arrive, like samples with old times, make no session",
            printable(text, 100)
        )
    })
}

fn details(row: &SessionRow) -> Vec<Detail> {
    let view = &row.view;
    let mut details = vec![
        ("session", TextCell::new(&view.id)),
        ("stream", TextCell::stream(&view.domain, &view.app_name, &view.stream)),
        ("state", state_cell(view.state)),
        ("started", TextCell::moment(view.started)),
        ("ended", TextCell::optional_moment(view.ended)),
        ("lasted", row.lasted()),
    ];
    if let Some(why) = &view.reason {
        details.push(("reason", reason_cell(Some(&why.reason))));
        details.extend(reason_details(&why.reason));
        details.push(("message", TextCell::new(why.errmsg.as_deref().unwrap_or_default())));
    }
    details.extend([
        ("from", TextCell::new(view.user_address.as_deref().unwrap_or_default())),
        ("node", TextCell::new(view.node.as_deref().unwrap_or_default())),
        ("size", size_cell(view.width, view.height)),
        ("appid", TextCell::optional(view.appid)),
        ("first event", TextCell::moment(view.first_event)),
        ("last event", TextCell::moment(view.last_event)),
        ("anomalies", anomalies_cell(view.anomalies)),
        ("recordings", TextCell::new(view.recordings)),
        ("screenshots", TextCell::new(view.screenshots)),
    ]);
    details
}

#[cfg(test)]
mod tests;
