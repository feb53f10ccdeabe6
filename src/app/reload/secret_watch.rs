//! Notices that a file with secrets has other content.
//!
//! A thread of its own reads these few small files every five seconds. So a file system that hangs holds up nothing else, and nothing
//! else wakes up for it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;

use crate::config::SecretFile;

/// The time between two looks.
const INTERVAL: Duration = Duration::from_secs(5);

/// The files to watch.
pub(super) struct SecretWatch {
    files: Arc<Mutex<Vec<SecretFile>>>,
    changed: mpsc::Sender<PathBuf>,
    has_thread: bool,
}

impl SecretWatch {
    /// Watches nothing yet. The receiver gets the path of a file whose content has changed, once for each change.
    pub(super) fn new() -> (SecretWatch, mpsc::Receiver<PathBuf>) {
        // One message is enough: a reload reads all files.
        let (changed, receiver) = mpsc::channel(1);
        (SecretWatch { files: Arc::default(), changed, has_thread: false }, receiver)
    }

    /// Watches these files instead of the earlier ones.
    pub(super) fn watch(&mut self, files: Vec<SecretFile>) {
        let has_files = !files.is_empty();
        *self.files.lock().unwrap_or_else(PoisonError::into_inner) = files;
        if !has_files || self.has_thread {
            return;
        }
        let (files, changed) = (Arc::clone(&self.files), self.changed.clone());
        let thread = std::thread::Builder::new().name("secrets".to_owned());
        // It ends when the receiver is gone, or with the process.
        let watching = thread.spawn(move || {
            while !changed.is_closed() {
                std::thread::sleep(INTERVAL);
                if let Some(path) = note_changes(&files) {
                    let _ = changed.try_send(path);
                }
            }
        });
        match watching {
            Ok(_) => self.has_thread = true,
            Err(error) => tracing::warn!("changes of secret files will not be noticed: {error}"),
        }
    }
}

/// Notes the present content of each file that has changed, and returns the path of one of them.
fn note_changes(files: &Mutex<Vec<SecretFile>>) -> Option<PathBuf> {
    // Without the lock, because a file system may hang.
    let known = files.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let changed: Vec<SecretFile> = known.iter().filter_map(SecretFile::changed).collect();
    let mut files = files.lock().unwrap_or_else(PoisonError::into_inner);
    // A reload may have replaced the list since then. It has read the files later than this thread.
    if *files != known {
        return None;
    }
    let path = changed.first()?.path().to_owned();
    for now in changed {
        if let Some(file) = files.iter_mut().find(|file| file.path() == now.path()) {
            *file = now;
        }
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Overrides, Process};

    #[test]
    fn each_change_is_noted_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys");
        std::fs::write(&path, "sixteen-letters!\n").unwrap();
        let text = format!("receiver.keys_file = {path:?}\ndata_dir = {:?}", directory.path().join("data"));
        let config = Config::load(Some(("a.toml".as_ref(), &text)), &Overrides::default(), &Process).unwrap();
        let files = Mutex::new(config.secret_files);
        assert_eq!(note_changes(&files), None);
        std::fs::write(&path, "sixteen-letters?\n").unwrap();
        assert_eq!(note_changes(&files), Some(path));
        assert_eq!(note_changes(&files), None);
    }
}
