//! Compares the files of each file sink with the journal: every event must be there once.

use std::collections::BTreeSet;

use super::report::{Report, plural};
use crate::callback::{EventId, EventSelection};
use crate::config::{Config, SinkConfig};
use crate::journal::{ConsumerView, DeadLetterSelection, JournalError, Offset, Reader};
use crate::sink::Options as SinkOptions;
use crate::sink::file::{ArchiveLine, Options, read_archive};

const AREA: &str = "file sink";

/// The most events that are compared: their ids take some 16 bytes of memory each.
const EVENTS_MAX: usize = 20_000_000;

/// How many records are read at once.
const PAGE_RECORDS: usize = 1000;

/// How many ids are listed.
const LISTED_MAX: usize = 5;

/// Reports events that are missing in the files of a sink, or are there twice.
pub(super) fn check(
    config: Option<&Config>,
    places: &[ConsumerView],
    reader: &Reader,
    report: &mut Report<'_, '_>,
) -> anyhow::Result<()> {
    for sink in config.into_iter().flat_map(|config| &config.sinks) {
        let SinkOptions::File(options) = &sink.sink else { continue };
        // The cursor was read before the files, so they have at least what it has passed.
        let Some(place) = places.iter().find(|place| place.name == sink.name.as_str()) else { continue };
        check_sink(sink, options, place.cursor, reader, report)?;
    }
    Ok(())
}

fn check_sink(
    sink: &SinkConfig,
    options: &Options,
    cursor: Offset,
    reader: &Reader,
    report: &mut Report<'_, '_>,
) -> anyhow::Result<()> {
    let name = &sink.name;
    let archive = match Archive::read(options) {
        Ok(archive) => archive,
        Err(error) => {
            let cure = "make the file readable for this user, or restore it from a copy";
            return report.error(
                AREA,
                format!("{name}: {error}"),
                "its events cannot be compared with the journal",
                cure,
            );
        }
    };
    if archive.is_cut {
        let found = format!("{name}: not compared, because its files have more than {EVENTS_MAX} events");
        return report.note(AREA, found, "their ids would take too much memory");
    }
    let missing = match archive.missing(sink, cursor, reader) {
        Ok(missing) => missing,
        Err(error) => return report.error(AREA, format!("{name}: {error}"), "the journal cannot be read", "see above"),
    };
    if archive.others > 0 {
        report.warning(
            AREA,
            format!("{name}: {} that livehook did not write", plural(archive.others, "line")),
            "another program writes to the same file, or a disk error changed a line",
            "give each program a file of its own",
        )?;
    }
    if archive.repeated > 0 {
        report.warning(
            AREA,
            format!("{name}: {} there more than once", plural(archive.repeated, "event")),
            "a replay or a redrive writes an event again; without one, the file sink writes each event once",
            "drop repetitions by `id` where you read the files",
        )?;
    }
    if !missing.is_empty() {
        let listed: Vec<String> = missing.iter().take(LISTED_MAX).map(ToString::to_string).collect();
        let more = if missing.len() > LISTED_MAX { ", ..." } else { "" };
        return report.error(
            AREA,
            format!("{name}: {} missing: {}{more}", plural(missing.len(), "event"), listed.join(", ")),
            "the sink has passed these events, but they are not in its files: a file was changed, cut or removed",
            format!("write them again: `livehook replay --sink {name}` with a time range"),
        );
    }
    report.ok(AREA, format!("{name}: {}, none missing up to its cursor", plural(archive.ids.len(), "event")))
}

/// The events in the files of a sink.
#[derive(Default)]
struct Archive {
    /// Sorted, and each once.
    ids: Vec<EventId>,
    repeated: usize,
    others: u64,
    /// Whether there are more events than are compared.
    is_cut: bool,
}

impl Archive {
    fn read(options: &Options) -> std::io::Result<Archive> {
        let mut archive = Archive::default();
        read_archive(options, |line| match line {
            ArchiveLine::Event(_) if archive.ids.len() == EVENTS_MAX => archive.is_cut = true,
            ArchiveLine::Event(id) => archive.ids.push(id),
            ArchiveLine::Other => archive.others += 1,
        })?;
        archive.ids.sort_unstable();
        let lines = archive.ids.len();
        archive.ids.dedup();
        archive.repeated = lines - archive.ids.len();
        Ok(archive)
    }

    fn has(&self, id: EventId) -> bool {
        self.ids.binary_search(&id).is_ok()
    }

    /// Returns the events up to the cursor that the sink should have and lacks. Earlier ones than the first that the files have do
    /// not count: the sink began later, or removed old files.
    fn missing(&self, sink: &SinkConfig, cursor: Offset, reader: &Reader) -> Result<Vec<EventId>, JournalError> {
        let selection = EventSelection::from(sink.filter.clone());
        let given_up = dead_letters_of(sink, reader)?;
        let (mut missing, mut has_begun, mut after) = (Vec::new(), false, Offset(0));
        loop {
            let records = reader.read(after, PAGE_RECORDS)?;
            let Some(last) = records.last() else { return Ok(missing) };
            after = last.offset;
            for record in records.iter().filter(|record| record.offset <= cursor && selection.takes(&record.event)) {
                let id = record.event.id();
                let is_there = self.has(id);
                has_begun |= is_there;
                if has_begun && !is_there && !given_up.contains(&id) {
                    missing.push(id);
                }
            }
        }
    }
}

/// The events that the sink gave up.
fn dead_letters_of(sink: &SinkConfig, reader: &Reader) -> Result<BTreeSet<EventId>, JournalError> {
    let selection = DeadLetterSelection { sink: Some(sink.name.to_string()), ..DeadLetterSelection::default() };
    let (mut ids, mut next) = (BTreeSet::new(), Some(0));
    while let Some(after) = next {
        let page = reader.dead_letters(&selection, after, PAGE_RECORDS)?;
        ids.extend(page.dead_letters.iter().map(|dead_letter| dead_letter.event.id()));
        next = page.next;
    }
    Ok(ids)
}
