//! The retention of closed files: removes those that are too many or too old, and compresses the others.
//!
//! It runs while the sink writes, and must touch no file that a recovery may need. So it leaves alone every file closed after a
//! given stamp, and every file whose name is not exactly one of ours.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::task::JoinHandle;

use super::closed_names::{ClosedNames, Form, Stamp};
use super::options::Options;
use super::writer::FILE_MODE;
use crate::storage::{durable_files, own_file};

#[cfg(test)]
mod tests;

const DAY_SECS: i64 = 86_400;
const CHUNK_BYTES: usize = 64 * 1024;

/// The wait after a run that failed.
const RETRY_SECS: i64 = 600;

/// Runs [`tidy`] in the background, never twice at once: after each rotation, and once a day because files grow old.
#[derive(Debug, Default)]
pub(super) struct Retention {
    /// The stamp of the last closed file that may be touched.
    newest: Option<Stamp>,
    last: Option<Run>,
    /// Returns whether it succeeded.
    running: Option<JoinHandle<bool>>,
    stopped: Arc<AtomicBool>,
}

/// A run of [`tidy`].
#[derive(Clone, Copy, Debug)]
struct Run {
    newest: Stamp,
    started_secs: i64,
    succeeded: bool,
}

impl Run {
    /// Returns how long after its start the next run may start, in seconds.
    fn interval_secs(self, newest: Stamp) -> i64 {
        match self.succeeded {
            true if self.newest == newest => DAY_SECS,
            true => 0,
            false => RETRY_SECS,
        }
    }
}

impl Retention {
    /// Allows the files closed up to `newest` to be touched. The sink calls this after a batch was delivered: when the next
    /// batch comes, the cursor after this one is durable, and no recovery needs these files.
    pub(super) fn allow(&mut self, newest: Option<Stamp>) {
        self.newest = newest;
    }

    /// Allows no file to be touched, because the stored cursor may be older than the sink assumed.
    pub(super) fn withdraw(&mut self) {
        self.newest = None;
    }

    /// Starts a run if one is due and none is in progress. The sink calls this before each batch, and by the clock.
    pub(super) async fn start(&mut self, names: &ClosedNames, options: &Options, now_secs: i64) {
        if self.running.as_ref().is_some_and(|running| !running.is_finished()) {
            return;
        }
        self.finish().await;
        let Some(newest) = self.newest else { return };
        // Compared in both directions, so that a clock that was set back doesn't stop the runs.
        let is_recent = |last: Run| now_secs.abs_diff(last.started_secs) < last.interval_secs(newest).unsigned_abs();
        if self.last.is_some_and(is_recent) {
            return;
        }
        // Counts as failed until its result is known. Then a failure is tried again soon, and not only after the next rotation.
        self.last = Some(Run { newest, started_secs: now_secs, succeeded: false });
        let (names, options, stopped) = (names.clone(), options.clone(), Arc::clone(&self.stopped));
        self.running = Some(tokio::task::spawn_blocking(move || {
            let tidied = tidy(&names, newest, &options, now_secs, &stopped);
            if let Err(error) = &tidied {
                tracing::warn!(
                    directory = %names.directory().display(),
                    %error,
                    "a closed file cannot be removed or compressed: the sink tries again after {} minutes",
                    RETRY_SECS / 60
                );
            }
            tidied.is_ok()
        }));
    }

    /// Waits for the run in progress, if there is one, and stores its result.
    pub(super) async fn finish(&mut self) {
        let Some(running) = &mut self.running else { return };
        let succeeded = running.await.unwrap_or(false);
        self.running = None;
        if let Some(last) = &mut self.last {
            last.succeeded = succeeded;
        }
    }
}

impl Drop for Retention {
    fn drop(&mut self) {
        // Compressing a large file would delay the exit of the process. The next start compresses it.
        self.stopped.store(true, Ordering::Relaxed);
    }
}

/// Removes the files closed up to `newest` that are too many or too old, and compresses the others.
///
/// # Errors
/// The error of the first file that failed. The next run handles the files that are left.
pub(super) fn tidy(
    names: &ClosedNames,
    newest: Stamp,
    options: &Options,
    now_secs: i64,
    stopped: &AtomicBool,
) -> io::Result<()> {
    let mut plain = Vec::new();
    let mut stamps = Vec::new();
    for (stamp, form) in names.list()?.into_iter().filter(|(stamp, _)| *stamp <= newest) {
        match form {
            // A crash left it. The plain file is still there, and is compressed again.
            Form::Part => fs::remove_file(names.path(stamp, form))?,
            Form::Plain => plain.push(stamp),
            Form::Compressed => {}
        }
        stamps.push(stamp);
    }
    // A crash between the two last steps of a compression leaves a plain and a compressed file with the same stamp.
    stamps.dedup();

    let surplus = options.keep_files_max.map_or(0, |most| stamps.len().saturating_sub(most as usize));
    let oldest_secs = options.keep_days_max.map(|days| now_secs - i64::from(days) * DAY_SECS);
    for (position, stamp) in stamps.iter().enumerate() {
        if position < surplus || oldest_secs.is_some_and(|oldest| stamp.closed_secs() < oldest) {
            for form in [Form::Plain, Form::Compressed] {
                remove_if_there(&names.path(*stamp, form))?;
            }
            plain.retain(|kept| kept != stamp);
        }
    }

    if options.gzip {
        for stamp in plain {
            compress(names, stamp, stopped)?;
        }
    }
    Ok(())
}

/// Replaces a plain file by a compressed one. At each moment, one of the two is whole and on disk.
fn compress(names: &ClosedNames, stamp: Stamp, stopped: &AtomicBool) -> io::Result<()> {
    let [plain, part, compressed] = [Form::Plain, Form::Part, Form::Compressed].map(|form| names.path(stamp, form));
    let mut source = own_file::open_to_read(&plain)?;
    // A crash left it, or another user put a link there. Neither is written to.
    remove_if_there(&part)?;
    let target = own_file::open(&part, OpenOptions::new().write(true).create_new(true).mode(FILE_MODE))?;
    let mut encoder = GzEncoder::new(target, Compression::default());
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        // The part that is left behind is removed by the next run.
        if stopped.load(Ordering::Relaxed) {
            return Ok(());
        }
        match source.read(&mut chunk)? {
            0 => break,
            count => encoder.write_all(&chunk[..count])?,
        }
    }
    // First the content and then its name must be durable, or a power failure could leave neither file whole.
    encoder.finish()?.sync_all()?;
    fs::rename(&part, &compressed)?;
    durable_files::sync(names.directory())?;
    // The removal needs no sync: a plain file that a power failure brings back is compressed again.
    fs::remove_file(&plain)
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
