//! Opens the index for a command. If the index lacks records of the journal, a warning on stderr says so.

use std::path::Path;

use super::render::talk;
use crate::history::{FreshIndex, IndexDifference, IndexGap};

/// Opens the index. If a service runs, this waits a moment until the index has all records of the journal.
///
/// # Errors
/// The index or the journal is missing or cannot be read.
pub(super) fn open(data_dir: &Path) -> anyhow::Result<FreshIndex> {
    let (fresh, gap) = FreshIndex::open(data_dir)?;
    if let Some(gap) = gap {
        talk(warning(gap));
    }
    Ok(fresh)
}

fn warning(gap: IndexGap) -> String {
    let difference = match gap.difference {
        IndexDifference::Behind { records: 1 } => "the index lacks the newest record of the journal".to_owned(),
        IndexDifference::Behind { records } => format!("the index lacks the newest {records} records of the journal"),
        IndexDifference::Ahead => {
            "the index has records that the journal lacks; an older copy of the journal may have replaced it".to_owned()
        }
        IndexDifference::OtherJournal => "the index belongs to another journal".to_owned(),
    };
    match gap.is_served {
        true => format!(
            "warning: {difference}. The service is catching up, so try again. If that does not help, read the log of the \
             service, and check that `index.enabled` is true"
        ),
        false => {
            format!(
                "warning: {difference}. No service runs here; start `livehook serve`, or run `livehook rebuild-index`"
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warning_names_gap_and_cure() {
        for (difference, is_served, parts) in [
            (IndexDifference::Behind { records: 2 }, false, ["lacks the newest 2 records", "rebuild-index"]),
            (IndexDifference::Behind { records: 1 }, true, ["lacks the newest record", "catching up"]),
            (IndexDifference::Ahead, false, ["that the journal lacks", "livehook serve"]),
            (IndexDifference::OtherJournal, true, ["another journal", "index.enabled"]),
        ] {
            let warning = warning(IndexGap { difference, is_served });
            assert!(parts.iter().all(|part| warning.contains(part)), "{warning}");
        }
    }
}
