//! The events of one session, read one by one because together they may be large.

use std::cell::RefCell;

use serde::ser::{Error, SerializeSeq, SerializeStruct};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::callback::{Event, EventId, EventType};
use crate::cli::render::{Output, SessionRow, event_summary, padded, time};
use crate::history::{FreshIndex, SessionEvents};
use crate::index::{IndexError, SessionView};
use crate::journal::JournalError;

/// The longest type that a session has, `session-ended`, and some space.
const TYPE_COLUMNS: usize = 16;

/// A session and its events.
pub(super) struct Events<'s> {
    view: &'s SessionView,
    events: SessionEvents<'s>,
}

impl<'s> Events<'s> {
    /// The events of this session.
    ///
    /// # Errors
    /// The index or the journal cannot be read.
    pub(super) fn of(row: &'s SessionRow, fresh: &'s FreshIndex) -> Result<Events<'s>, IndexError> {
        let events = SessionEvents::of(&row.view, &fresh.index, &fresh.journal, row.now_ms)?;
        Ok(Events { view: &row.view, events })
    }

    /// Reads the events that the journal still has.
    fn iter(&self) -> impl Iterator<Item = Result<Event, JournalError>> {
        self.events.records().map(|record| record.map(|record| record.event))
    }

    /// The number of events of each type that the journal no longer has; `None` if there are too many events to know.
    fn gone(&self, found: &FoundEvents) -> Option<Vec<(&'static str, i64)>> {
        if !self.events.is_complete() {
            return None;
        }
        let view = self.view;
        let is_gone = |id: Option<EventId>| i64::from(id.is_some_and(|id| !found.ids.contains(&id)));
        let gone = [
            ("push", is_gone(view.push_event_id)),
            ("stop", is_gone(view.stop_event_id)),
            ("session-ended", is_gone(view.manual_end_event_id)),
            ("push-anomaly", view.anomalies - found.anomalies),
            ("recording", view.recordings - found.recordings),
            ("screenshot", view.screenshots - found.screenshots),
        ];
        Some(gone.into_iter().filter(|(_, count)| *count > 0).collect())
    }
}

/// The events that the journal has.
#[derive(Default)]
struct FoundEvents {
    ids: Vec<EventId>,
    anomalies: i64,
    recordings: i64,
    screenshots: i64,
}

impl FoundEvents {
    fn add(&mut self, event: &Event) {
        match event.event_type() {
            EventType::PushAnomaly => self.anomalies += 1,
            EventType::Recording => self.recordings += 1,
            EventType::Screenshot => self.screenshots += 1,
            _ => self.ids.push(event.id()),
        }
    }
}

/// Prints one line for each event, and how many events the journal no longer has.
pub(super) fn print_events(events: &Events<'_>, output: &mut Output<'_>) -> anyhow::Result<()> {
    output.line("\nEvents:")?;
    let mut found = FoundEvents::default();
    for event in events.iter() {
        let event = event?;
        found.add(&event);
        let event_type = event.event_type().to_string();
        let line = format!(
            "{}  {}  {}",
            time::moment(event.id().time_ms(), output.zone()),
            padded(&event_type, TYPE_COLUMNS),
            event_summary::of(&event)
        );
        output.line(line.trim_end())?;
    }
    match events.gone(&found) {
        None => output.line("There are more events; `livehook events --stream` shows all")?,
        Some(gone) if gone.is_empty() => {}
        Some(gone) => {
            let counts: Vec<String> = gone.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
            output.line(format_args!("Gone from the journal: {}", counts.join(", ")))?;
        }
    }
    Ok(())
}

/// The members `events` and `events_gone` of the session's JSON. `events_gone` is null if it is unknown.
impl Serialize for Events<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // serde passes members by shared reference, and the events are counted while they are written.
        let found = RefCell::default();
        let mut members = serializer.serialize_struct("Events", 2)?;
        members.serialize_field("events", &EventList { events: self, found: &found })?;
        let gone = self.gone(&found.borrow());
        let count = gone.map(|gone| gone.iter().map(|(_, count)| count).sum::<i64>());
        members.serialize_field("events_gone", &count)?;
        members.end()
    }
}

/// The events as JSON, counted while they are written.
struct EventList<'e> {
    events: &'e Events<'e>,
    found: &'e RefCell<FoundEvents>,
}

impl Serialize for EventList<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // The number of events is unknown before they are read.
        let mut list = serializer.serialize_seq(None)?;
        for event in self.events.iter() {
            let event = event.map_err(S::Error::custom)?;
            self.found.borrow_mut().add(&event);
            let damaged =
                |error| S::Error::custom(format_args!("the event {} is damaged in the journal: {error}", event.id()));
            let line: &RawValue = serde_json::from_str(event.line()).map_err(damaged)?;
            list.serialize_element(line)?;
        }
        list.end()
    }
}
