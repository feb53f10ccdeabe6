//! `livehook restore`: puts a backup in the place of the data directory.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use jiff::Timestamp;

use super::args::StoredDataArguments;
use super::backup::unpack;
use super::render::{Output, talk};
use crate::clock::system_clock;
use crate::journal::{JournalError, Offset, Reader};
use crate::storage::Restore;

/// Put a backup in the place of the data directory
///
/// The service must not run. The command compares the backup with its checksums and opens it first. It refuses to replace a
/// journal that has events which the backup lacks, unless you use --force. The old databases stay in the data directory, in
/// `before-restore-<time>`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  livehook restore /backups/2026-05-01
  livehook restore --config config.toml backup.tar
  ssh backups cat livehook.tar | livehook restore -")]
pub(super) struct Arguments {
    /// The backup: its directory, its tar file, or `-` for a tar file on stdin
    #[arg(value_name = "BACKUP")]
    backup: PathBuf,
    #[command(flatten)]
    data: StoredDataArguments,
    /// Replace the journal even if it has events that the backup lacks
    #[arg(long)]
    force: bool,
}

/// Prints the data directory, and where the old databases are.
pub(super) fn run(arguments: &Arguments, output: &mut Output<'_>) -> anyhow::Result<ExitCode> {
    let data_dir = arguments.data.path()?;
    let restore = Restore::begin(&data_dir)?;
    stage(&arguments.backup, restore.staging())?;
    restore.verify()?;
    let backup = Reader::open(restore.staging())?;
    let damages = backup.damages();
    if let Some(damage) = damages.first() {
        bail!("{}: the journal of this backup is damaged: {damage}; use another backup", arguments.backup.display());
    }
    let head = backup.head()?.unwrap_or_default();
    if let Some(lost) = lost_by(&data_dir, &backup, head)? {
        if !arguments.force {
            bail!("{lost}; use --force to replace it in spite of that");
        }
        talk(format_args!("{lost}"));
    }
    drop(backup);
    let stamp = Timestamp::from_millisecond(system_clock()).unwrap_or_default().strftime("%Y%m%dT%H%M%SZ").to_string();
    let aside = restore.finish(&stamp)?;
    output.line(data_dir.display())?;
    output.flush()?;
    talk(format_args!("restored {}: the last record is {head}", data_dir.display()));
    if let Some(aside) = aside {
        talk(format_args!("the old databases are in {}; remove them when you no longer need them", aside.display()));
    }
    Ok(ExitCode::SUCCESS)
}

/// Copies the files of a backup into a directory.
fn stage(backup: &Path, staging: &Path) -> anyhow::Result<()> {
    let shown = backup.display();
    if backup == Path::new("-") {
        return unpack(io::stdin().lock(), staging).context("stdin");
    }
    if !backup.is_dir() {
        let file = File::open(backup).with_context(|| shown.to_string())?;
        return unpack(BufReader::new(file), staging).with_context(|| shown.to_string());
    }
    for name in super::backup::FILES {
        let (from, to) = (backup.join(name), staging.join(name));
        match std::fs::copy(&from, &to) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            copied => {
                copied.with_context(|| from.display().to_string())?;
            }
        }
    }
    Ok(())
}

/// Returns what a restore would lose, as a sentence; `None` if nothing. A journal that cannot be read has nothing to lose.
fn lost_by(data_dir: &Path, backup: &Reader, head: Offset) -> Result<Option<String>, JournalError> {
    let Ok(present) = Reader::open(data_dir) else { return Ok(None) };
    let (Ok(present_id), Ok(present_head)) = (present.journal_id(), present.head()) else { return Ok(None) };
    let Some(present_head) = present_head else { return Ok(None) };
    let shown = data_dir.display();
    if present_id != backup.journal_id()? {
        return Ok(Some(format!(
            "{shown} has the events of another journal than the backup, up to record {present_head}"
        )));
    }
    let newer = present_head.0 - head.0;
    let records = if newer == 1 { "record" } else { "records" };
    let lost = format!("{shown} has {newer} newer {records} than the backup, {} to {present_head}", head.next());
    Ok((newer > 0).then_some(lost))
}
