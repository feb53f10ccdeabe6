//! Opens the index for a command, and warns on stderr if it lacks what the journal holds.

use std::path::Path;

use super::render::output::talk;
use crate::history::{FreshIndex, IndexDifference, IndexGap};

/// Opens the index once it holds all that the journal does. If it still differs after a moment, says how and what to do.
///
/// # Errors
/// There is no index or no journal, or they cannot be read.
pub(super) fn open(data_dir: &Path) -> anyhow::Result<FreshIndex> {
    let (fresh, gap) = FreshIndex::open(data_dir)?;
    if let Some(gap) = gap {
        talk(warning(gap));
    }
    Ok(fresh)
}

fn warning(gap: IndexGap) -> String {
    let difference = match gap.difference {
        IndexDifference::Behind { records: 1 } => {
            "the newest record of the journal is not in the index: this answer is without it".to_owned()
        }
        IndexDifference::Behind { records } => {
            format!("the index is {records} records behind the journal: this answer is without them")
        }
        IndexDifference::Ahead => {
            "the index is ahead of the journal, as after an older copy of it was put in its place: this \
                 answer may be of events that the journal does not have"
                .to_owned()
        }
        IndexDifference::OtherJournal => {
            "the index was made of another journal: this answer is of the events that were in that one".to_owned()
        }
    };
    match gap.is_served {
        true => format!(
            "{difference}. The service is catching up: ask again in a while, and if that does not help, see its log and \
                 whether `index.enabled` is true"
        ),
        false => format!(
            "{difference}. No service runs here: start `livehook serve`, or bring the index up to date with `livehook \
                 sessions --rebuild`"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warning_names_gap_and_cure() {
        for (difference, is_served, parts) in [
            (
                IndexDifference::Behind { records: 2 },
                false,
                ["2 records behind the journal: this answer is without them.", "--rebuild"],
            ),
            (IndexDifference::Behind { records: 1 }, true, ["this answer is without it.", "catching up"]),
            (IndexDifference::Ahead, false, ["ahead of the journal", "livehook serve"]),
            (IndexDifference::OtherJournal, true, ["of another journal", "index.enabled"]),
        ] {
            let warning = warning(IndexGap { difference, is_served });
            assert!(parts.iter().all(|part| warning.contains(part)), "{warning}");
        }
    }
}
