//! The file of the index, as its worker uses it.

use std::path::{Path, PathBuf};

use super::writer_thread::WriterThread;
use crate::index::options::Options;
use crate::index::{IndexError, Store, replacing, schema};
use crate::journal::Offset;
use crate::storage::Identity;

/// The index of a data directory: opened as soon as that is possible, then used on a thread of its own.
pub(super) struct IndexFile {
    data_dir: PathBuf,
    options: Options,
    /// Whether the open file has these options.
    has_options: bool,
    /// `None` as long as the file cannot be opened.
    writer: Option<WriterThread>,
    /// The open file.
    identity: Option<Identity>,
}

/// The place of an index when it was opened.
#[derive(Clone, Copy)]
pub(super) struct Opened {
    /// The last record that is in the index.
    pub(super) cursor: Offset,
    /// The last record of a rebuild that was interrupted.
    pub(super) rebuild_until: Option<Offset>,
}

impl IndexFile {
    /// Makes the index of a data directory, not open yet.
    pub(super) fn new(data_dir: &Path, options: &Options) -> IndexFile {
        let (data_dir, options) = (data_dir.to_owned(), options.clone());
        IndexFile { data_dir, options, has_options: false, writer: None, identity: None }
    }

    pub(super) fn is_open(&self) -> bool {
        self.writer.is_some()
    }

    /// Opens the file. Blocks.
    ///
    /// # Errors
    /// The file cannot be opened, or the system refuses to start a thread.
    pub(super) fn open(&mut self) -> Result<Opened, IndexError> {
        self.hand_to_thread(Store::open(&self.data_dir, &self.options)?)
    }

    /// Opens the file without blocking this thread.
    ///
    /// # Errors
    /// See [`IndexFile::open`].
    pub(super) async fn open_in_background(&mut self) -> Result<Opened, IndexError> {
        let (data_dir, options) = (self.data_dir.clone(), self.options.clone());
        let opening = tokio::task::spawn_blocking(move || Store::open(&data_dir, &options));
        self.hand_to_thread(opening.await.map_err(|_| IndexError::Died)??)
    }

    /// Closes the file and replaces it by a new one, with the sessions of the old one if they can be read. The file is closed then.
    ///
    /// # Errors
    /// The new file cannot be made, or the old one cannot be moved.
    pub(super) async fn replace(&mut self) -> Result<(), IndexError> {
        if let Some(writer) = self.writer.take() {
            writer.close().await;
        }
        let (data_dir, options) = (self.data_dir.clone(), self.options.clone());
        let replacing = tokio::task::spawn_blocking(move || replacing::replace(&data_dir, &options));
        let replaced = replacing.await.map_err(|_| IndexError::Died)??;
        tracing::error!(
            moved_to = %replaced.old_path.display(),
            kept_sessions = replaced.kept_sessions,
            "the index could not be used: livehook moved it away, and builds a new one from the journal"
        );
        Ok(())
    }

    fn hand_to_thread(&mut self, store: Store) -> Result<Opened, IndexError> {
        let opened = Opened { cursor: store.cursor(), rebuild_until: store.rebuild_until() };
        self.writer = Some(WriterThread::start(store)?);
        self.has_options = true;
        self.identity = Identity::of(&schema::path(&self.data_dir)).ok();
        Ok(opened)
    }

    /// Sets other options. An open file gets them by [`IndexFile::store_options`].
    pub(super) fn set_options(&mut self, options: Options) {
        self.options = options;
        self.has_options = false;
    }

    /// Stores the options in the open file, if it has others.
    ///
    /// # Errors
    /// The index cannot be written.
    pub(super) async fn store_options(&mut self) -> Result<(), IndexError> {
        if !self.has_options {
            let options = self.options.clone();
            self.run(move |store| store.set_options(options)).await?;
            self.has_options = true;
        }
        Ok(())
    }

    /// Checks that the open file is still at its path.
    ///
    /// # Errors
    /// The file was removed or replaced.
    pub(super) fn check_place(&self) -> Result<(), IndexError> {
        let path = schema::path(&self.data_dir);
        // Without this check, a removed file would take everything that is written, and all of it would be lost.
        if self.identity.is_some_and(|identity| !identity.is_at(&path)) { Err(IndexError::Gone(path)) } else { Ok(()) }
    }

    /// Runs a job with the index on its thread, and returns the result.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Store) -> Result<T, IndexError> + Send + 'static,
    ) -> Result<T, IndexError> {
        self.writer.as_ref().ok_or(IndexError::Died)?.run(job).await
    }

    /// Closes the file. Returns when it is closed.
    pub(super) async fn close(self) {
        if let Some(writer) = self.writer {
            writer.close().await;
        }
    }
}
