//! Examines who owns the files of the data directory, and who can read them.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::report::{Report, plural};

const AREA: &str = "files";

/// The permission bits of everybody but the owner.
const OTHERS: u32 = 0o077;

/// Reports files that the service cannot write, and files that others can read.
pub(super) fn check(data_dir: &Path, report: &mut Report<'_, '_>) -> anyhow::Result<()> {
    let directory = match data_dir.metadata() {
        Ok(directory) if directory.is_dir() => directory,
        Ok(_) => return absent(data_dir, "it is not a directory", report),
        Err(error) => return absent(data_dir, &error.to_string(), report),
    };
    let user = rustix::process::geteuid().as_raw();
    if user != 0 && user != directory.uid() {
        report.note(
            AREA,
            format!("{} belongs to user {}, and this command runs as user {user}", data_dir.display(), directory.uid()),
            "it may not be allowed to read or measure everything; run it as the user that livehook runs as",
        )?;
    }
    let entries = match std::fs::read_dir(data_dir) {
        Ok(entries) => entries,
        Err(error) => return absent(data_dir, &error.to_string(), report),
    };
    let (mut files, mut faults) = (0_u64, 0_u64);
    for entry in entries {
        let path = entry?.path();
        // The WAL comes and goes while the service runs.
        let Ok(file) = path.symlink_metadata() else { continue };
        files += 1;
        faults += u64::from(check_file(&path, &file, &directory, report)?);
    }
    if faults == 0 {
        report.ok(AREA, format!("{} in {} belong to its owner alone", plural(files, "file"), data_dir.display()))?;
    }
    Ok(())
}

fn absent(data_dir: &Path, cause: &str, report: &mut Report<'_, '_>) -> anyhow::Result<()> {
    report.error(
        AREA,
        format!("{}: {cause}", data_dir.display()),
        "the data directory has the journal; without it there is nothing to examine",
        "start `livehook serve` once, name the right directory with --data-dir or --config, or run this as livehook's user",
    )
}

/// Returns whether the file has a fault.
fn check_file(path: &Path, file: &Metadata, directory: &Metadata, report: &mut Report<'_, '_>) -> anyhow::Result<bool> {
    let shown = path.display();
    let (uid, gid) = (directory.uid(), directory.gid());
    if file.uid() != uid {
        report.error(
            AREA,
            format!("{shown} belongs to user {}, and its directory to user {uid}", file.uid()),
            "the service runs as the owner of the directory, so it may not be allowed to write this file",
            format!("`chown {uid}:{gid} {shown}`; run livehook's commands as the same user as the service"),
        )?;
        return Ok(true);
    }
    let others = file.mode() & OTHERS;
    if file.is_symlink() || others == 0 || directory.mode() & OTHERS == 0 {
        return Ok(false);
    }
    report.warning(
        AREA,
        format!("{shown} has the permissions {:o}", file.mode() & 0o777),
        "other users of this machine can read or change events",
        format!("`chmod 600 {shown}`, and `chmod 700` its directory"),
    )?;
    Ok(true)
}
