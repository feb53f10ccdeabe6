//! Examines the index, and compares it with the journal.

use std::path::Path;

use super::report::{Report, plural};
use crate::index::{self, IndexError};
use crate::journal::Reader;

const AREA: &str = "index";
const WHY: &str = "`livehook streams`, `sessions` and the pages of the dashboard read the index";
const CURE: &str = "run `livehook rebuild-index`: it builds a new index from the journal and keeps older sessions";

/// Reports an index that is damaged, that belongs to another journal, that lacks records, or whose sessions are not found.
pub(super) fn check(data_dir: &Path, journal: &Reader, report: &mut Report<'_, '_>) -> anyhow::Result<()> {
    let index = match index::Reader::open(data_dir) {
        Ok(index) => index,
        Err(IndexError::Absent(path)) => {
            return report.note(AREA, format!("{}: there is none", path.display()), "`index.enabled` may be false");
        }
        Err(error) => return report.error(AREA, error.to_string(), WHY, CURE),
    };
    let inspected = index.cursor_in(journal).and_then(|cursor| Ok((cursor, index.inspect(journal)?)));
    let (cursor, inspection) = match inspected {
        Ok(inspected) => inspected,
        Err(error) => return report.error(AREA, error.to_string(), WHY, CURE),
    };
    for damage in &inspection.damages {
        report.error(AREA, format!("SQLite finds a damage: {damage}"), WHY, CURE)?;
    }
    if cursor.is_none() {
        report.error(AREA, "it belongs to another journal, or to a later copy of this one", WHY, CURE)?;
    }
    if inspection.missing_count > 0 {
        let listed: Vec<String> = inspection.missing.iter().map(ToString::to_string).collect();
        report.error(
            AREA,
            format!("it lacks {}: {}", plural(inspection.missing_count, "record"), listed.join(", ")),
            WHY,
            CURE,
        )?;
    }
    if inspection.unfindable_sessions > 0 {
        let sessions = plural(inspection.unfindable_sessions, "session");
        report.error(AREA, format!("searches do not find {sessions}"), WHY, CURE)?;
    }
    let finds_all = inspection.missing_count == 0 && inspection.unfindable_sessions == 0;
    if finds_all && inspection.damages.is_empty() && cursor.is_some() {
        report.ok(
            AREA,
            format!("intact; it has all {} of the journal up to its cursor", plural(inspection.events, "record")),
        )?;
    }
    Ok(())
}
