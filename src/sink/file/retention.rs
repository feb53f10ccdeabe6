//! What becomes of closed files: the surplus is removed, the rest compressed.
//!
//! It runs beside the writing and must touch no file that a recovery may need: nothing closed after the stamp that it is
//! given, and nothing whose name is not exactly one of ours.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use tokio::task::JoinHandle;

use super::Options;
use super::rotation::{Form, Names, Stamp};
use super::writer::FILE_MODE;
use crate::storage::durable_files;

const DAY_SECS: i64 = 86_400;
const CHUNK_BYTES: usize = 64 * 1024;

/// How long a look that failed is not repeated.
const RETRY_SECS: i64 = 600;

/// Runs [`tidy`] in the background, never twice at once: after each rotation, and once a day, since files grow old.
#[derive(Debug, Default)]
pub(super) struct Retention {
    /// The last file that was closed and may be touched.
    newest: Option<Stamp>,
    last: Option<Look>,
    /// Answers whether it succeeded.
    running: Option<JoinHandle<bool>>,
    stopped: Arc<AtomicBool>,
}

/// A look at the closed files.
#[derive(Clone, Copy, Debug)]
struct Look {
    newest: Stamp,
    started_secs: i64,
    succeeded: bool,
}

impl Look {
    /// How long after its start another is of use.
    fn suffices_secs(self, newest: Stamp) -> i64 {
        match self.succeeded {
            true if self.newest == newest => DAY_SECS,
            true => 0,
            false => RETRY_SECS,
        }
    }
}

impl Retention {
    /// A batch was answered for, with `newest` as the last file that was closed by then. Once the next batch comes, the
    /// place after this one is durable, and no recovery needs that file.
    pub(super) fn allow(&mut self, newest: Option<Stamp>) {
        self.newest = newest;
    }

    /// Nothing that was allowed is durable for certain any more.
    pub(super) fn withdraw(&mut self) {
        self.newest = None;
    }

    /// Starts, if there may be something to do and nothing is being done. To be called before the next batch.
    pub(super) async fn start(&mut self, names: &Names, options: &Options, now: Timestamp) {
        if self.running.as_ref().is_some_and(|running| !running.is_finished()) {
            return;
        }
        self.finish().await;
        let Some(newest) = self.newest else { return };
        let started_secs = now.as_second();
        // The difference either way, so that a clock that was set back does not stop it.
        let suffices =
            |last: Look| started_secs.abs_diff(last.started_secs) < last.suffices_secs(newest).unsigned_abs();
        if self.last.is_some_and(suffices) {
            return;
        }
        self.last = Some(Look { newest, started_secs, succeeded: false });
        let (names, options, stopped) = (names.clone(), options.clone(), Arc::clone(&self.stopped));
        self.running = Some(tokio::task::spawn_blocking(move || {
            let tidied = tidy(&names, newest, &options, now, &stopped);
            if let Err(error) = &tidied {
                tracing::warn!(
                    directory = %names.directory().display(),
                    %error,
                    "A closed file could not be removed or compressed; it is tried again with the first event after {} minutes",
                    RETRY_SECS / 60
                );
            }
            tidied.is_ok()
        }));
    }

    /// Waits for what is being done, and notes how it ended.
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
        // Compressing a large file would hold up the end of the process; the next start does it over.
        self.stopped.store(true, Ordering::Relaxed);
    }
}

/// Removes the files closed up to `newest` that are too many or too old, and compresses the others.
///
/// # Errors
/// The first file that it did not succeed with. What is left is found again the next time.
pub(super) fn tidy(
    names: &Names,
    newest: Stamp,
    options: &Options,
    now: Timestamp,
    stopped: &AtomicBool,
) -> io::Result<()> {
    let mut plain = Vec::new();
    let mut stamps = Vec::new();
    for (stamp, form) in names.list()?.into_iter().filter(|(stamp, _)| *stamp <= newest) {
        match form {
            Form::Part => fs::remove_file(names.path(stamp, form))?,
            Form::Plain => plain.push(stamp),
            Form::Compressed => {}
        }
        stamps.push(stamp);
    }
    stamps.dedup();

    let surplus = options.keep_files_max.map_or(0, |most| stamps.len().saturating_sub(most as usize));
    let oldest_secs = options.keep_days_max.map(|days| now.as_second() - i64::from(days) * DAY_SECS);
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

/// Puts a compressed file in the place of a plain one. At each moment, one of the two is whole and on disk.
fn compress(names: &Names, stamp: Stamp, stopped: &AtomicBool) -> io::Result<()> {
    let [plain, part, compressed] = [Form::Plain, Form::Part, Form::Compressed].map(|form| names.path(stamp, form));
    let mut source = File::open(&plain)?;
    let target = OpenOptions::new().write(true).create(true).truncate(true).mode(FILE_MODE).open(&part)?;
    let mut encoder = GzEncoder::new(target, Compression::default());
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        if stopped.load(Ordering::Relaxed) {
            return Ok(());
        }
        match source.read(&mut chunk)? {
            0 => break,
            count => encoder.write_all(&chunk[..count])?,
        }
    }
    encoder.finish()?.sync_all()?;
    fs::rename(&part, &compressed)?;
    durable_files::sync(names.directory())?;
    fs::remove_file(&plain)
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use flate2::read::GzDecoder;

    use super::*;

    const NAMES: [&str; 4] = ["20260101T000000Z", "20260102T000000Z", "20260102T000000Z-1", "20260103T000000Z"];

    struct Place {
        directory: tempfile::TempDir,
        names: Names,
    }

    /// The closed files of `NAMES`, each with its name as content, and files that only look like ours.
    fn place() -> Place {
        let directory = tempfile::tempdir().unwrap();
        let names = Names::beside(&directory.path().join("events.jsonl"));
        for name in NAMES {
            fs::write(directory.path().join(format!("events-{name}.jsonl")), name).unwrap();
        }
        for name in others() {
            fs::write(directory.path().join(name), name).unwrap();
        }
        Place { directory, names }
    }

    fn others() -> [&'static str; 4] {
        ["events.jsonl", "events-20200101T000000Z.jsonl.bak", "events-old.jsonl", "other-20200101T000000Z.jsonl"]
    }

    impl Place {
        fn tidy(&self, options: &Options) {
            let now = Timestamp::from_second(Stamp::parse("20260103T120000Z").unwrap().closed_secs()).unwrap();
            tidy(&self.names, Stamp::parse(NAMES[3]).unwrap(), options, now, &AtomicBool::new(false)).unwrap();
            for name in others() {
                assert_eq!(fs::read_to_string(self.directory.path().join(name)).unwrap(), name);
            }
        }

        fn list(&self) -> Vec<(String, Form)> {
            self.names.list().unwrap().into_iter().map(|(stamp, form)| (stamp.to_string(), form)).collect()
        }
    }

    fn options() -> Options {
        Options::at("events.jsonl")
    }

    #[test]
    fn nothing_is_removed_without_a_limit() {
        let place = place();
        place.tidy(&options());
        assert_eq!(place.list().len(), NAMES.len());
    }

    #[test]
    fn the_newest_files_are_kept() {
        let place = place();
        place.tidy(&Options { keep_files_max: Some(2), ..options() });
        assert_eq!(place.list(), [NAMES[2], NAMES[3]].map(|name| (name.to_owned(), Form::Plain)));
    }

    #[test]
    fn files_are_kept_for_days() {
        let place = place();
        place.tidy(&Options { keep_days_max: Some(1), ..options() });
        assert_eq!(place.list(), [(NAMES[3].to_owned(), Form::Plain)]);
    }

    #[test]
    fn compressed_files_hold_the_same_and_count_once() {
        let place = place();
        let compressing = Options { gzip: true, ..options() };
        place.tidy(&compressing);
        assert_eq!(place.list(), NAMES.map(|name| (name.to_owned(), Form::Compressed)));
        for name in NAMES {
            let path = place.names.path(Stamp::parse(name).unwrap(), Form::Compressed);
            let mut text = String::new();
            GzDecoder::new(File::open(path).unwrap()).read_to_string(&mut text).unwrap();
            assert_eq!(text, name);
        }
        place.tidy(&Options { keep_files_max: Some(3), ..compressing });
        assert_eq!(place.list().len(), 3);
    }

    #[test]
    fn what_a_crash_left_half_compressed_is_done_over() {
        let place = place();
        let stamp = Stamp::parse(NAMES[1]).unwrap();
        fs::write(place.names.path(stamp, Form::Part), "torn").unwrap();
        let whole = Stamp::parse(NAMES[2]).unwrap();
        fs::write(place.names.path(whole, Form::Compressed), "whole, but the original was not removed yet").unwrap();
        place.tidy(&Options { gzip: true, ..options() });
        assert_eq!(place.list(), NAMES.map(|name| (name.to_owned(), Form::Compressed)));
    }

    #[test]
    fn files_closed_later_are_left_alone() {
        let place = place();
        let options = Options { keep_files_max: Some(1), gzip: true, ..options() };
        let stopped = AtomicBool::new(false);
        tidy(&place.names, Stamp::parse(NAMES[1]).unwrap(), &options, Timestamp::UNIX_EPOCH, &stopped).unwrap();
        let kept = [(NAMES[1], Form::Compressed), (NAMES[2], Form::Plain), (NAMES[3], Form::Plain)];
        assert_eq!(place.list(), kept.map(|(name, form)| (name.to_owned(), form)));
    }

    #[test]
    fn a_stop_leaves_the_original() {
        let place = place();
        let stopped = AtomicBool::new(true);
        let options = Options { gzip: true, ..options() };
        tidy(&place.names, Stamp::parse(NAMES[3]).unwrap(), &options, Timestamp::UNIX_EPOCH, &stopped).unwrap();
        let plain = place.list().into_iter().filter(|(_, form)| *form == Form::Plain).count();
        assert_eq!(plain, NAMES.len());
    }
}
