//! Open readers of the journal and the index, lent to one question at a time, on threads that may wait for the disk.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use super::problem::Problem;
use crate::index::{self, IndexError};
use crate::journal::{self, JournalError};

/// How many questions are answered at once. Others wait.
const AT_ONCE_MAX: usize = 4;

/// Readers, opened when they are first needed.
pub(super) struct Readers {
    data_dir: PathBuf,
    has_index: bool,
    idle: Mutex<Vec<Reader>>,
    permits: Semaphore,
}

/// What one question reads from.
pub(super) struct Reader {
    /// The read model; `None` where it is switched off.
    pub(super) index: Option<index::Reader>,
    pub(super) journal: journal::Reader,
}

impl Reader {
    /// The read model.
    pub(super) fn index(&self) -> Result<&index::Reader, Failure> {
        self.index.as_ref().ok_or(Failure::Problem(Problem::no_index()))
    }
}

/// Why a question has no answer.
pub(super) enum Failure {
    /// The client is to know.
    Problem(Problem),
    /// The log is to know.
    Broken(IndexError),
}

impl From<IndexError> for Failure {
    fn from(error: IndexError) -> Failure {
        Failure::Broken(error)
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Failure {
        Failure::Broken(error.into())
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Failure {
        Failure::Problem(problem)
    }
}

impl Readers {
    pub(super) fn new(data_dir: PathBuf, has_index: bool) -> Readers {
        Readers { data_dir, has_index, idle: Mutex::default(), permits: Semaphore::new(AT_ONCE_MAX) }
    }

    /// Has a question answered.
    pub(super) async fn ask<T: Send + 'static>(
        self: &Arc<Readers>,
        question: impl FnOnce(&Reader) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Problem> {
        let _permit = self.permits.acquire().await.map_err(|_| Problem::internal())?;
        let readers = Arc::clone(self);
        let answer = tokio::task::spawn_blocking(move || {
            let reader = readers.take()?;
            let answer = question(&reader);
            // One that has failed may go on failing.
            if !matches!(answer, Err(Failure::Broken(_))) {
                readers.lock().push(reader);
            }
            answer
        });
        match answer.await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(Failure::Problem(problem))) => Err(problem),
            Ok(Err(Failure::Broken(error))) => {
                tracing::error!("a question to the API could not be answered: {error}");
                Err(Problem::internal())
            }
            Err(_) => Err(Problem::internal()),
        }
    }

    fn take(&self) -> Result<Reader, Failure> {
        let idle = self.lock().pop();
        match idle {
            Some(reader) => Ok(reader),
            None => Ok(Reader {
                index: if self.has_index { Some(index::Reader::open(&self.data_dir)?) } else { None },
                journal: journal::Reader::open(&self.data_dir)?,
            }),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Reader>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
