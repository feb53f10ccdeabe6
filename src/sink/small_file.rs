//! Reads a small file that a key of the sink names, within a bound of bytes and of time.
//!
//! A file on a hung mount never answers. The thread that waits for it can't be stopped, so there is one at most.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::fs::OFlags;
use tokio::sync::oneshot;

use crate::sink::secrets::unreadable;
use crate::sink::{Failure, shown_path};

/// The time limit of a read.
const TIMEOUT: Duration = Duration::from_secs(5);

type Reading = oneshot::Receiver<io::Result<Vec<u8>>>;

/// A file that is read again and again.
pub(super) struct SmallFile {
    key: &'static str,
    path: PathBuf,
    bytes_max: u64,
    /// A read that has not ended within its time.
    unfinished: Mutex<Option<Reading>>,
}

impl SmallFile {
    /// Makes the reader of the file that `key` names.
    pub(super) fn new(key: &'static str, path: &Path, bytes_max: u64) -> SmallFile {
        SmallFile { key, path: path.to_owned(), bytes_max, unfinished: Mutex::default() }
    }

    /// Returns the content.
    ///
    /// # Errors
    /// The file can't be read, is too large, or doesn't answer in time.
    pub(super) async fn read(&self) -> Result<Vec<u8>, Failure> {
        let earlier = self.unfinished.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut reading = match earlier {
            Some(reading) => reading,
            None => self.begin().map_err(|error| Failure::outage(format!("{self} cannot be read: {error}")))?,
        };
        let content = match tokio::time::timeout(TIMEOUT, &mut reading).await {
            Ok(content) => content.map_err(Failure::outage)?,
            Err(_) => {
                *self.unfinished.lock().unwrap_or_else(PoisonError::into_inner) = Some(reading);
                // The path is right if its file system hangs, and a look at it would hang too.
                return Err(Failure::outage(format!(
                    "`{}` names {}, which cannot be read: no answer within {} s; does its mount hang?",
                    self.key,
                    self.path.display(),
                    TIMEOUT.as_secs()
                )));
            }
        };
        let content = content.map_err(|error| Failure::outage(format!("{self} {}", unreadable(&error))))?;
        if content.len() as u64 > self.bytes_max {
            let rule = format!("{self} is larger than {} bytes; correct the path", self.bytes_max);
            return Err(Failure::outage(rule));
        }
        Ok(content)
    }

    /// Reads on a thread of its own: the end of the process waits for the threads of the runtime, and so for a hung mount.
    fn begin(&self) -> io::Result<Reading> {
        let (path, bytes_max) = (self.path.clone(), self.bytes_max);
        let (sender, reading) = oneshot::channel();
        let read = move || drop(sender.send(content(&path, bytes_max)));
        std::thread::Builder::new().name("sink-file".to_owned()).spawn(read)?;
        Ok(reading)
    }
}

impl fmt::Display for SmallFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The message goes into the log and the API.
        let shown = shown_path(&self.path, Path::exists);
        let shown = shown.unwrap_or_else(|| "a path that may be the secret itself".to_owned());
        write!(formatter, "`{}` names {shown}, which", self.key)
    }
}

fn content(path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    // A FIFO without a writer blocks otherwise.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let mut content = Vec::new();
    // One byte more than allowed shows that the file is too large.
    file.take(bytes_max + 1).read_to_end(&mut content).map(|_| content)
}
