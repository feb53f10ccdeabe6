//! Examines the journal: its pages, its records, and the cursors of its consumers.

use std::path::Path;

use super::report::{Report, plural};
use crate::clock::system_clock;
use crate::index::CONSUMER;
use crate::journal::{ConsumerView, JournalError, Offset, Reader};

const AREA: &str = "journal";

/// A record from further in the future means that the clock was set back.
const AHEAD_MS: i64 = 300_000;

/// Opens the journal, or reports why it cannot be opened.
pub(super) fn open(data_dir: &Path, report: &mut Report<'_, '_>) -> anyhow::Result<Option<Reader>> {
    match Reader::open(data_dir) {
        Ok(reader) => Ok(Some(reader)),
        Err(error) => {
            let cure = cure_of(data_dir, &error);
            report.error(AREA, error.to_string(), "without its journal livehook does not start", cure)?;
            Ok(None)
        }
    }
}

fn cure_of(data_dir: &Path, error: &JournalError) -> String {
    match error {
        // The text of such an error has the cure.
        JournalError::Storage(_) => "do as this message says".to_owned(),
        _ => salvage_cure(data_dir),
    }
}

fn salvage_cure(data_dir: &Path) -> String {
    format!(
        "stop the service, and restore a backup; or save what is readable: `livehook doctor --data-dir {} --repair NEW_DIR`",
        data_dir.display()
    )
}

/// Reports the place of each consumer. Returns the places.
pub(super) fn check_cursors(reader: &Reader, report: &mut Report<'_, '_>) -> anyhow::Result<Vec<ConsumerView>> {
    let read = || Ok::<_, JournalError>((reader.consumers()?, reader.head()?, reader.read_back(Offset(i64::MAX), 1)?));
    let (places, head, newest) = match read() {
        Ok(found) => found,
        Err(error) => {
            report.error(AREA, error.to_string(), "its cursors cannot be read", "do as this message says")?;
            return Ok(Vec::new());
        }
    };
    let head = head.unwrap_or_default();
    for place in &places {
        // The cursor of an empty journal is where its records ended.
        if head > Offset(0) && place.cursor.max(place.position) > head {
            report.error(
                AREA,
                format!("the cursor of {} is {}, after the last record, {head}", place.name, place.cursor),
                "this consumer would miss new events, so the service does not start",
                "restore the journal that belongs to it, or a whole backup",
            )?;
        }
    }
    // The index stores its place in the journal only when its file is durable. The examination of the index says more.
    let active = places.iter().filter(|place| !place.is_retired && place.name != CONSUMER);
    let behind: Vec<String> = active
        .filter(|place| place.pending > 0)
        .map(|place| format!("{} ({})", place.name, plural(place.pending, "record")))
        .collect();
    if !behind.is_empty() {
        report.note(
            AREA,
            format!("behind the last record: {}", behind.join(", ")),
            "usual for a moment; if it lasts, `livehook sinks list` and the log of the service show why",
        )?;
    }
    let ahead_ms = newest.first().map_or(0, |record| record.event.received_ms() - system_clock());
    if ahead_ms > AHEAD_MS {
        report.warning(
            AREA,
            format!("the newest record is from {} s in the future", ahead_ms / 1000),
            "the clock was set back, or was wrong when the event came; retention and searches by time go by it",
            "check the clock; livehook goes on in any case",
        )?;
    }
    Ok(places)
}

/// Reads the whole journal and reports damages. Returns whether it has none.
pub(super) fn check_records(data_dir: &Path, reader: &Reader, report: &mut Report<'_, '_>) -> anyhow::Result<bool> {
    let inspection = reader.inspect();
    for damage in &inspection.damages {
        report.error(
            AREA,
            format!("SQLite finds a damage: {damage}"),
            "events on damaged pages are lost, and the service stops when it meets one",
            salvage_cure(data_dir),
        )?;
    }
    for (offset, fault) in &inspection.faults {
        report.error(
            AREA,
            format!("record {offset}: {fault}"),
            "this event cannot be delivered or shown as it was received",
            salvage_cure(data_dir),
        )?;
    }
    let unlisted = inspection.faults_count - inspection.faults.len() as u64;
    if unlisted > 0 {
        report.error(
            AREA,
            format!("{} more with faults", plural(unlisted, "record")),
            "only the first are listed",
            salvage_cure(data_dir),
        )?;
    }
    if inspection.damages.is_empty() && inspection.faults_count == 0 {
        report.ok(AREA, format!("{}, all intact", plural(inspection.records, "record")))?;
    }
    Ok(inspection.faults_count == 0 && inspection.damages.is_empty())
}
