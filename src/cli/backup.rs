//! `livehook backup`: makes a consistent copy of the data directory.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::args::StoredDataArguments;
use super::render::{Output, Progress, talk};
use crate::index;
use crate::journal::Reader;
use crate::storage::Backup;

/// Copy the data directory, also while the service runs
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  livehook backup /backups/2026-05-01
  livehook backup --data-dir /var/lib/livehook /backups/2026-05-01

To restore: stop the service, move its data directory away, copy the backup to
the same place, and start the service. The copy has the events received before
the backup, and all sessions of the index. The WAL files in the data directory
grow while a backup runs.")]
pub(super) struct Arguments {
    /// The directory for the copy. It must be empty or not exist
    #[arg(value_name = "DIR")]
    target: PathBuf,
    #[command(flatten)]
    data: StoredDataArguments,
}

/// Prints the directory of the copy and its size in bytes, with a tab between.
pub(super) fn run(arguments: &Arguments, output: &mut Output<'_>) -> anyhow::Result<ExitCode> {
    let data_dir = &arguments.data.path()?;
    let target = &arguments.target;
    // Before the target is made: without a journal there is nothing to copy.
    let journal = Reader::open(data_dir)?;
    let mut backup = Backup::begin(data_dir, target)?;
    let mut progress = Progress::new("of the index copied");
    // The index goes first: a copy of it that is behind its journal catches up, and one that is ahead would count as the
    // index of another journal.
    let index_bytes = index::backup(&mut backup, |done, total| progress.show(done, total))?;
    progress.end();
    let mut progress = Progress::new("of the journal copied");
    let bytes = index_bytes + journal.back_up(&mut backup, |done, total| progress.show(done, total))?;
    progress.end();
    backup.finish()?;
    output.line(format_args!("{}\t{bytes}", target.display()))?;
    // So that stdout and stderr appear in this order on a terminal.
    output.flush()?;
    talk(format_args!("{bytes} bytes written to {}", target.display()));
    talk(restore_hint(data_dir, target));
    Ok(ExitCode::SUCCESS)
}

fn restore_hint(data_dir: &Path, target: &Path) -> String {
    let (data_dir, target) = (data_dir.display(), target.display());
    format!("to restore: stop the service, move {data_dir} away, copy {target} to {data_dir}, and start the service")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Arc;

    use super::*;
    use crate::cli::args::DataDirArguments;
    use crate::journal::{Options, SqliteJournal};
    use crate::telemetry::Metrics;

    #[test]
    fn copy_is_a_data_directory() {
        let directory = tempfile::tempdir().unwrap();
        let data_dir = directory.path().join("data");
        let data = StoredDataArguments::new(None, DataDirArguments { data_dir: Some(data_dir.clone()) });
        let arguments = Arguments { target: directory.path().join("copy"), data };
        let opened = SqliteJournal::open(
            &data_dir,
            &Options::default(),
            &[],
            Arc::new(Metrics::new()),
            crate::clock::system_clock,
        );
        let mut written = Vec::new();
        run(&arguments, &mut Output::to(&mut written)).unwrap();
        assert!(opened.is_ok(), "it is open while it is copied");
        for made in [&data_dir, &arguments.target] {
            let mode = std::fs::metadata(made).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "{}", made.display());
        }

        let bytes = std::fs::metadata(arguments.target.join("journal.db")).unwrap().len();
        assert_eq!(String::from_utf8(written).unwrap(), format!("{}\t{bytes}\n", arguments.target.display()));
        assert!(Reader::open(&arguments.target).is_ok());
        assert!(run(&arguments, &mut Output::to(&mut Vec::new())).is_err());

        let target = data_dir.join("new/copy");
        let error = run(&Arguments { target, ..arguments }, &mut Output::to(&mut Vec::new())).unwrap_err();
        assert!(error.to_string().contains("is inside the data directory"), "{error}");
    }
}
