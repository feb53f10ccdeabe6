//! `livehook session`: all that is known of one push, with its events.

use std::process::ExitCode;

use anyhow::{anyhow, bail};
use jiff::Timestamp;

use super::args::DataDirArguments;
use super::fresh_index;
use super::render::cell::{Cell, padded};
use super::render::listing::{self, Form};
use super::render::output::Output;
use super::render::session_rows::{SessionRow, anomalies, reason, size, state};
use super::render::table::details;
use super::render::{event_detail, human};
use crate::callback::{Event, EventId, EventType};
use crate::history::{FreshIndex, SessionEvents};
use crate::index::SessionView;
use crate::printable::printable;

/// How many sessions that share a sequence are listed.
const LISTED_MAX: usize = 20;

/// Show all about one session, and its events in the order of their times
///
/// Recordings and screenshots of its stream that fall into its time are among the events. Events go from the journal
/// earlier than sessions go from the index; how many are gone is told. JSON is one object with the events in full, CSV
/// the session alone.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  livehook session 2210464508206756938-5d0c1f7a
  livehook session 2210464508206756938              by its sequence alone
  livehook session 2210464508206756938 --output json | jq .events[].type")]
pub(super) struct Arguments {
    /// The id of the session as `livehook sessions` shows it, or the `sequence` of its push
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    data_dir: DataDirArguments,
    /// How to show it
    #[arg(long, value_enum, value_name = "FORM", default_value_t = Form::Table)]
    output: Form,
}

/// Prints the session.
pub(super) fn run(arguments: &Arguments, output: &mut Output<'_>) -> anyhow::Result<ExitCode> {
    let fresh = fresh_index::open(arguments.data_dir.path())?;
    let now_ms = Timestamp::now().as_millisecond();
    let view = find(&fresh, &arguments.id, now_ms)?;
    let events = SessionEvents::of(&view, &fresh.index, &fresh.journal, now_ms)?;
    let row = SessionRow { view, now_ms };
    match arguments.output {
        Form::Table => {
            details(&labelled(&row), output)?;
            show_events(&row.view, &events, output)?;
        }
        Form::Json => write_json(&row, &events, output)?,
        Form::Csv => listing::show(&[row], Form::Csv, output)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The session of an id or of a sequence.
fn find(fresh: &FreshIndex, text: &str, now_ms: i64) -> anyhow::Result<SessionView> {
    if let Ok(id) = text.parse()
        && let Some(view) = fresh.index.session(&id, now_ms)?
    {
        return Ok(view);
    }
    let mut found = fresh.index.sessions_of_sequence(text, now_ms)?;
    if found.len() > 1 {
        let mut told = format!("{} streams have a session of the sequence {text}; give the id of one:", found.len());
        for view in found.iter().take(LISTED_MAX) {
            let stream = Cell::stream(&view.domain, &view.app_name, &view.stream);
            told.push_str(&format!("\n  {}  {}  {}", view.id, human::moment(view.started.0), stream.text()));
        }
        bail!(told);
    }
    found.pop().ok_or_else(|| {
        anyhow!(
            "there is no session `{}`; `livehook sessions` shows those that there are, for `index.retention_days` after \
             their last event",
            printable(text, 100)
        )
    })
}

/// What is known of a session, for people.
fn labelled(row: &SessionRow) -> Vec<(&'static str, Cell)> {
    let view = &row.view;
    let moment = |unix_ms| Cell::new(human::moment(unix_ms));
    let mut rows = vec![
        ("session", Cell::new(&view.id)),
        ("stream", Cell::stream(&view.domain, &view.app_name, &view.stream)),
        ("state", state(view.state)),
        ("started", moment(view.started.0)),
        ("ended", Cell::optional(view.ended.map(|ended| human::moment(ended.0)))),
        ("lasted", row.lasted()),
    ];
    if let Some(why) = &view.reason {
        rows.push(("reason", reason(Some(why))));
        match (why.reason.sub, why.reason.is_hint) {
            (Some(sub), _) => rows.push(("sub code", Cell::new(format_args!("{sub}, guessed from the message")))),
            (None, true) => rows.push(("sub code", Cell::new("one of several, guessed from the message"))),
            (None, false) => {}
        }
        rows.extend([
            ("meaning", Cell::new(why.reason.meaning)),
            ("who acts", Cell::new(why.reason.actor)),
            ("what to do", Cell::new(why.reason.advice)),
            ("message", Cell::new(why.errmsg.as_deref().unwrap_or_default())),
        ]);
    }
    rows.extend([
        ("from", Cell::new(view.user_address.as_deref().unwrap_or_default())),
        ("node", Cell::new(view.node.as_deref().unwrap_or_default())),
        ("size", size(view.width, view.height)),
        ("appid", Cell::optional(view.appid)),
        ("first event", moment(view.first_event.0)),
        ("last event", moment(view.last_event.0)),
        ("anomalies", anomalies(view.anomalies)),
        ("recordings", Cell::new(view.recordings)),
        ("screenshots", Cell::new(view.screenshots)),
    ]);
    rows
}

/// Gives each event that the journal still has to `each`, and tells what it no longer has.
fn read(
    view: &SessionView,
    events: &SessionEvents<'_>,
    mut each: impl FnMut(&Event) -> anyhow::Result<()>,
) -> anyhow::Result<Gone> {
    let mut tally = HourlyCounts::default();
    for record in events.records() {
        let event = record?.event;
        tally.count(&event);
        each(&event)?;
    }
    // What was counted is told from what was found. Of so many that not all are given, nothing can be told.
    Ok(if events.is_complete() { tally.gone(view) } else { Gone::TooMany })
}

/// What was found of a session.
#[derive(Default)]
struct HourlyCounts {
    ids: Vec<EventId>,
    anomalies: i64,
    recordings: i64,
    screenshots: i64,
}

impl HourlyCounts {
    fn count(&mut self, event: &Event) {
        match event.event_type() {
            EventType::PushAnomaly => self.anomalies += 1,
            EventType::Recording => self.recordings += 1,
            EventType::Screenshot => self.screenshots += 1,
            _ => self.ids.push(event.id()),
        }
    }

    fn gone(&self, view: &SessionView) -> Gone {
        let is_gone = |id: Option<EventId>| i64::from(id.is_some_and(|id| !self.ids.contains(&id)));
        let kinds = [
            ("push", is_gone(view.push_event_id)),
            ("stop", is_gone(view.stop_event_id)),
            ("push-anomaly", view.anomalies - self.anomalies),
            ("recording", view.recordings - self.recordings),
            ("screenshot", view.screenshots - self.screenshots),
        ];
        Gone::Counts(kinds.into_iter().filter(|(_, count)| *count > 0).collect())
    }
}

/// What the journal no longer has of a session.
#[derive(Debug, PartialEq, Eq)]
enum Gone {
    /// So many of each type.
    Counts(Vec<(&'static str, i64)>),
    /// There are more events than were looked at.
    TooMany,
}

/// Writes the events for people.
fn show_events(view: &SessionView, events: &SessionEvents<'_>, output: &mut Output<'_>) -> anyhow::Result<()> {
    output.line("\nEvents:")?;
    let gone = read(view, events, |event| {
        let time = human::moment(event.id().time_ms());
        let event_type = event.event_type().to_string();
        let line = format!("{time}  {}  {}", padded(&event_type, 16), event_detail::told(event));
        Ok(output.line(line.trim_end())?)
    })?;
    match gone {
        Gone::TooMany => output.line("There are more than are shown here: `livehook events --stream` shows all")?,
        Gone::Counts(counts) if counts.is_empty() => {}
        Gone::Counts(counts) => {
            let told: Vec<String> = counts.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
            output.line(format_args!("Gone from the journal: {}", told.join(", ")))?;
        }
    }
    Ok(())
}

/// Writes one JSON object: the session, with `events` and `events_gone`, which is null where that is not known.
fn write_json(row: &SessionRow, events: &SessionEvents<'_>, output: &mut Output<'_>) -> anyhow::Result<()> {
    let session = listing::json_line(row)?;
    output.bytes(session.strip_suffix('}').unwrap_or(&session).as_bytes())?;
    output.bytes(b",\"events\":[")?;
    let mut separator = "";
    let gone = read(&row.view, events, |event| {
        output.bytes(separator.as_bytes())?;
        separator = ",";
        Ok(output.bytes(event.line().as_bytes())?)
    })?;
    let count = match gone {
        Gone::Counts(counts) => counts.iter().map(|(_, count)| count).sum::<i64>().to_string(),
        Gone::TooMany => "null".to_owned(),
    };
    Ok(output.line(format_args!("],\"events_gone\":{count}}}"))?)
}

#[cfg(test)]
mod tests;
