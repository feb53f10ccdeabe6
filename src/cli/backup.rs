//! `livehook backup`: makes a consistent copy of the data directory.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};

use super::args::{StoredDataArguments, usage_error};
use super::render::{Output, Progress, talk};
use crate::index;
use crate::journal::Reader;
use crate::printable::printable;
use crate::storage::{Backup, own_file};

/// Copy the data directory, also while the service runs
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  livehook backup /backups/2026-05-01
  livehook backup --data-dir /var/lib/livehook /backups/2026-05-01
  livehook backup --to backup.tar
  livehook backup --to - | ssh backups 'cat > livehook.tar'

`livehook restore` puts a backup back. It has the events received before it was
made, all sessions of the index, and a checksum of each file. The command opens
and checks the copy at the end. The WAL files in the data directory grow while
a backup runs.")]
pub(super) struct Arguments {
    /// The directory for the copy. It must be empty or not exist
    #[arg(value_name = "DIR", required_unless_present = "to")]
    target: Option<PathBuf>,
    /// Write a tar file instead; `-` is stdout. The copy is made in the directory for temporary files (TMPDIR) first
    #[arg(long, value_name = "FILE", conflicts_with = "target")]
    to: Option<PathBuf>,
    #[command(flatten)]
    data: StoredDataArguments,
}

/// The files that a backup can have.
pub(super) const FILES: [&str; 3] = ["journal.db", "index.db", "SHA256SUMS"];

/// Prints the target and the size of the copy in bytes, with a tab between. A tar file on stdout has stdout for itself.
pub(super) fn run(arguments: &Arguments, output: &mut Output<'_>) -> anyhow::Result<ExitCode> {
    let data_dir = &arguments.data.path()?;
    let (target, bytes) = match (&arguments.target, &arguments.to) {
        (Some(target), _) => (target, copy(data_dir, target)?),
        (None, Some(file)) => (file, copy_to_tar(data_dir, file, output)?),
        (None, None) => return Err(usage_error("name a directory for the copy, or use --to")),
    };
    if target != Path::new("-") {
        output.line(format_args!("{}\t{bytes}", target.display()))?;
        // So that stdout and stderr appear in this order on a terminal.
        output.flush()?;
    }
    talk(format_args!("{bytes} bytes written to {}", target.display()));
    talk(restore_hint(data_dir, target));
    Ok(ExitCode::SUCCESS)
}

/// Makes a copy in a directory, and checks it. Returns its size in bytes.
fn copy(data_dir: &Path, target: &Path) -> anyhow::Result<u64> {
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
    Ok(bytes)
}

/// Makes a copy in a temporary directory, and writes it as a tar file. Returns the size of the copy in bytes.
fn copy_to_tar(data_dir: &Path, file: &Path, output: &mut Output<'_>) -> anyhow::Result<u64> {
    let directory = Temporary::new();
    let bytes = copy(data_dir, &directory.0)?;
    if file == Path::new("-") {
        write_tar(&directory.0, output).context("stdout")?;
        output.flush()?;
    } else {
        let shown = file.display().to_string();
        // A backup that was cut short must not look like a whole one, and no other user may read it.
        let mut target = own_file::open(file, File::options().write(true).create_new(true).mode(0o600))
            .with_context(|| shown.clone())?;
        write_tar(&directory.0, &mut target).and_then(|()| target.sync_all()).with_context(|| shown)?;
    }
    Ok(bytes)
}

/// A directory that is removed at the end.
struct Temporary(PathBuf);

impl Temporary {
    fn new() -> Temporary {
        Temporary(std::env::temp_dir().join(format!("livehook-backup-{:016x}", fastrand::u64(..))))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // A directory that stays is one of temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn write_tar(directory: &Path, target: &mut dyn Write) -> io::Result<()> {
    let mut tar = tar::Builder::new(target);
    tar.mode(tar::HeaderMode::Deterministic);
    for name in FILES.iter().filter(|name| directory.join(name).exists()) {
        tar.append_file(name, &mut File::open(directory.join(name))?)?;
    }
    tar.into_inner()?.flush()
}

/// Writes the files of a tar file of [`copy_to_tar`] into a directory.
///
/// # Errors
/// It is not such a tar file, or a file cannot be written.
pub(super) fn unpack(source: impl Read, directory: &Path) -> anyhow::Result<()> {
    let mut tar = tar::Archive::new(source);
    for entry in tar.entries()? {
        let mut entry = entry.context("this is not a tar file of `livehook backup`")?;
        let path = entry.path()?.into_owned();
        // Nothing else may be written, wherever its name leads.
        let name = FILES.into_iter().find(|name| path == Path::new(name) && entry.header().entry_type().is_file());
        let Some(name) = name else {
            bail!("{}: this is no file of a backup", printable(&path.to_string_lossy(), 100));
        };
        let mut file = own_file::open(&directory.join(name), File::options().write(true).create_new(true).mode(0o600))?;
        io::copy(&mut entry, &mut file)?;
    }
    Ok(())
}

fn restore_hint(data_dir: &Path, target: &Path) -> String {
    let (data_dir, target) = (data_dir.display(), target.display());
    format!(
        "to restore: stop the service, run `livehook restore --data-dir {data_dir} {target}`, and start the service"
    )
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
        let copy = directory.path().join("copy");
        let arguments = Arguments { target: Some(copy.clone()), to: None, data };
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
        for made in [&data_dir, &copy] {
            let mode = std::fs::metadata(made).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700, "{}", made.display());
        }

        let bytes = std::fs::metadata(copy.join("journal.db")).unwrap().len();
        assert_eq!(String::from_utf8(written).unwrap(), format!("{}\t{bytes}\n", copy.display()));
        assert!(Reader::open(&copy).is_ok());
        assert!(run(&arguments, &mut Output::to(&mut Vec::new())).is_err());

        let target = data_dir.join("new/copy");
        let error =
            run(&Arguments { target: Some(target), ..arguments }, &mut Output::to(&mut Vec::new())).unwrap_err();
        assert!(error.to_string().contains("is inside the data directory"), "{error}");
    }
}
