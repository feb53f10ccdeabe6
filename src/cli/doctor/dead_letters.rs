//! Examines the dead letters of all sinks.

use std::collections::BTreeMap;

use super::report::{Report, plural};
use crate::journal::{DeadLetterSelection, JournalError, Reader};

const AREA: &str = "dead letters";

/// How many are read at once.
const PAGE_DEAD_LETTERS: usize = 1000;

/// Reports the sinks that have dead letters.
pub(super) fn check(reader: &Reader, report: &mut Report<'_, '_>) -> anyhow::Result<()> {
    let sinks = match counts(reader) {
        Ok(sinks) => sinks,
        Err(error) => {
            return report.error(AREA, error.to_string(), "dead letters cannot be read", "do as this message says");
        }
    };
    for (sink, (count, last_failure)) in &sinks {
        report.warning(
            AREA,
            format!("{sink}: {}, the last because: {last_failure}", plural(*count, "event")),
            "the destination did not get these events; they stay until you decide",
            format!(
                "look at them with `livehook dead-letters list --sink {sink}`, mend the destination, then \
                 `livehook dead-letters redrive --sink {sink}`, or `drop`"
            ),
        )?;
    }
    if sinks.is_empty() {
        report.ok(AREA, "none")?;
    }
    Ok(())
}

/// The number of dead letters of each sink, and why the last one failed.
fn counts(reader: &Reader) -> Result<BTreeMap<String, (u64, String)>, JournalError> {
    let (mut sinks, mut next) = (BTreeMap::new(), Some(0));
    while let Some(after) = next {
        let page = reader.dead_letters(&DeadLetterSelection::default(), after, PAGE_DEAD_LETTERS)?;
        for dead_letter in page.dead_letters {
            let (count, last_failure) = sinks.entry(dead_letter.sink).or_insert((0, String::new()));
            *count += 1;
            *last_failure = dead_letter.failure;
        }
        next = page.next;
    }
    Ok(sinks)
}
