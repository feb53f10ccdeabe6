//! `livehook backup`: a consistent copy of the data directory.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::DataDirArguments;
use super::output::{Output, talk};
use crate::journal;

/// Copy the data directory while the service runs, or when it does not
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  livehook backup /backups/2026-05-01
  livehook backup --data-dir /var/lib/livehook /backups/2026-05-01

To restore: stop the service, move its data directory away, copy the backup
into its place, start the service. What was received after the backup is not in
it. While a backup runs, the write-ahead log beside the journal grows.")]
pub(super) struct Arguments {
    /// Where to write the copy: a directory that is empty or not there yet
    #[arg(value_name = "DIR")]
    target: PathBuf,
    #[command(flatten)]
    data_dir: DataDirArguments,
}

/// Copies, and prints the directory and its size in bytes.
pub(super) fn run(arguments: &Arguments, output: &mut Output<'_>) -> anyhow::Result<ExitCode> {
    let data_dir = &arguments.data_dir.data_dir;
    let target = &arguments.target;
    let mut progress = Progress::new(io::stderr().is_terminal());
    let bytes = journal::backup(data_dir, target, |done, total| progress.show(done, total))?;
    progress.end();
    output.line(format_args!("{}\t{bytes}", target.display()))?;
    output.flush()?;
    talk(format_args!("{bytes} bytes were written to {}", target.display()));
    talk(restore_hint(data_dir, target));
    Ok(ExitCode::SUCCESS)
}

fn restore_hint(data_dir: &Path, target: &Path) -> String {
    let (data_dir, target) = (data_dir.display(), target.display());
    format!("to restore: stop the service, move {data_dir} away, copy {target} to {data_dir}, start the service")
}

/// How far a copy has got, shown on a terminal alone, in one line that is written over.
struct Progress {
    is_shown: bool,
    percent: Option<u64>,
}

impl Progress {
    fn new(is_shown: bool) -> Progress {
        Progress { is_shown, percent: None }
    }

    fn show(&mut self, done: u64, total: u64) {
        let percent = done.saturating_mul(100).checked_div(total).unwrap_or(100);
        if self.is_shown && self.percent != Some(percent) {
            self.percent = Some(percent);
            let _ = write!(io::stderr(), "\r{percent} % copied");
        }
    }

    fn end(&self) {
        if self.percent.is_some() {
            talk("");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Arc;

    use super::*;
    use crate::journal::{Options, Reader, SqliteJournal};
    use crate::telemetry::Metrics;

    #[test]
    fn a_copy_is_a_data_directory_and_is_never_written_over() {
        let directory = tempfile::tempdir().unwrap();
        let data_dir = DataDirArguments { data_dir: directory.path().join("data") };
        let arguments = Arguments { target: directory.path().join("copy"), data_dir };
        let opened =
            SqliteJournal::open(&arguments.data_dir.data_dir, &Options::default(), &[], Arc::new(Metrics::new()));
        let mut written = Vec::new();
        run(&arguments, &mut Output::to(&mut written)).unwrap();
        assert!(opened.is_ok(), "it is open while it is copied");
        for made in [&arguments.data_dir.data_dir, &arguments.target] {
            let mode = std::fs::metadata(made).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "{}", made.display());
        }

        let bytes = std::fs::metadata(arguments.target.join("journal.db")).unwrap().len();
        assert_eq!(String::from_utf8(written).unwrap(), format!("{}\t{bytes}\n", arguments.target.display()));
        assert!(Reader::open(&arguments.target).is_ok());
        assert!(run(&arguments, &mut Output::to(&mut Vec::new())).is_err());
    }
}
