//! Open readers of the journal and the index, lent to one question at a time, on threads that may wait for the disk.
//!
//! Few questions are answered at once, few wait, and none takes long: who asks for too much is told so, and nobody has to
//! wait for it. [`Readers::close`] ends all that, so that no file is open when the journal closes its own.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::admin::problem::Problem;
use crate::history::EventSource;
use crate::http::LogLimit;
use crate::index::{self, IndexError};
use crate::journal::{self, JournalError};

/// How many questions are answered at once. Others wait.
const AT_ONCE_MAX: u32 = 4;

/// How many wait at most.
const WAITING_MAX: usize = 32;

/// How long one waits.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// How long the answer to one may take.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// How long questions under way may go on when livehook is stopping.
const CLOSE_GRACE: Duration = Duration::from_millis(500);

/// Readers, opened when they are first needed.
pub(super) struct Readers {
    data_dir: PathBuf,
    has_index: bool,
    answer_max: Duration,
    idle: Mutex<Vec<Reader>>,
    permits: Arc<Semaphore>,
    waiting: Semaphore,
    /// Once no question is to be answered any more.
    is_closing: Arc<AtomicBool>,
    failures: LogLimit,
}

/// What one question reads from.
pub(super) struct Reader {
    /// The read model; `None` where it is switched off.
    pub(super) index: Option<index::Reader>,
    pub(super) journal: journal::Reader,
}

impl Reader {
    /// Gives it so much time, and less where all is to end.
    fn limit(&mut self, deadline: Instant, is_closing: &Arc<AtomicBool>) -> Result<(), Failure> {
        let is_enough = || {
            let is_closing = Arc::clone(is_closing);
            move || Instant::now() >= deadline || is_closing.load(Ordering::Relaxed)
        };
        self.journal.give_up_when(is_enough())?;
        if let Some(index) = &mut self.index {
            index.give_up_when(is_enough())?;
        }
        Ok(())
    }

    /// The events, by the read model where that helps.
    pub(super) fn events(&self) -> EventSource<'_> {
        EventSource::new(&self.journal, self.index.as_ref())
    }

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
        Readers {
            data_dir,
            has_index,
            answer_max: ANSWER_MAX,
            idle: Mutex::default(),
            permits: Arc::new(Semaphore::new(AT_ONCE_MAX as usize)),
            waiting: Semaphore::new(WAITING_MAX),
            is_closing: Arc::default(),
            failures: LogLimit::default(),
        }
    }

    /// Has a question answered, if that takes neither a long wait nor long itself.
    pub(super) async fn ask<T: Send + 'static>(
        self: &Arc<Readers>,
        question: impl FnOnce(&Reader) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Problem> {
        let permit = {
            let _place = self.waiting.try_acquire().map_err(|_| self.busy())?;
            let permit = timeout(WAIT_MAX, Arc::clone(&self.permits).acquire_owned()).await;
            permit.map_err(|_| self.busy())?.map_err(|_| Problem::stopping())?
        };
        self.answer(permit, question).await
    }

    /// The same for what is asked for by livehook itself, and by few at once: its turn comes, however long that takes.
    pub(super) async fn ask_in_turn<T: Send + 'static>(
        self: &Arc<Readers>,
        question: impl FnOnce(&Reader) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Problem> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| Problem::stopping())?;
        self.answer(permit, question).await
    }

    async fn answer<T: Send + 'static>(
        self: &Arc<Readers>,
        permit: OwnedSemaphorePermit,
        question: impl FnOnce(&Reader) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Problem> {
        let readers = Arc::clone(self);
        let answer = tokio::task::spawn_blocking(move || {
            // Who asked may be gone before the question is answered: it counts for as long as it is worked at.
            let _permit = permit;
            let mut reader = readers.take()?;
            reader.limit(Instant::now() + readers.answer_max, &readers.is_closing)?;
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
            Ok(Err(Failure::Broken(error))) if !error.is_given_up() => {
                if let Some(suppressed) = self.failures.admit("internal", Instant::now()) {
                    tracing::error!(suppressed, "a question to the API could not be answered: {error}");
                }
                Err(Problem::internal())
            }
            Ok(Err(Failure::Broken(_))) if self.is_closing.load(Ordering::Relaxed) => Err(Problem::stopping()),
            Ok(Err(Failure::Broken(_))) => {
                if let Some(suppressed) = self.failures.admit("too_expensive", Instant::now()) {
                    tracing::warn!(suppressed, "a question to the API was given up: it took more than {ANSWER_MAX:?}");
                }
                Err(Problem::too_expensive())
            }
            Err(_) => Err(Problem::internal()),
        }
    }

    /// Lets the questions under way finish, or ends them after a while, answers no further one, and closes all readers.
    /// Returns when that is done.
    pub(super) async fn close(&self) {
        // Who has them all knows that no reader is lent.
        let all = || self.permits.acquire_many(AT_ONCE_MAX);
        let permits = match timeout(CLOSE_GRACE, all()).await {
            Ok(permits) => permits,
            Err(_) => {
                self.is_closing.store(true, Ordering::Relaxed);
                all().await
            }
        };
        self.permits.close();
        self.lock().clear();
        drop(permits);
    }

    fn busy(&self) -> Problem {
        if let Some(suppressed) = self.failures.admit("busy", Instant::now()) {
            tracing::warn!(suppressed, "a question to the API was refused: too many others are asked at once");
        }
        Problem::busy()
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::index::Store;
    use crate::journal::{Options, SqliteJournal};

    /// Readers of an empty journal and index that give up soon.
    fn readers(answer_max: Duration) -> (tempfile::TempDir, Arc<Readers>) {
        let directory = tempfile::tempdir().unwrap();
        let opened =
            SqliteJournal::open(directory.path(), &Options::default(), &[], Arc::default(), crate::clock::system_clock)
                .unwrap();
        opened.journal.close();
        opened.journal.join();
        drop(opened);
        drop(Store::open(directory.path(), &index::Options::default()).unwrap());
        let readers = Readers { answer_max, ..Readers::new(directory.path().to_owned(), true) };
        (directory, Arc::new(readers))
    }

    fn told(problem: &Problem) -> serde_json::Value {
        serde_json::to_value(problem).unwrap()
    }

    #[tokio::test]
    async fn a_question_that_takes_too_long_is_given_up_in_either_file() {
        let (_directory, readers) = readers(Duration::from_millis(50));
        for is_of_index in [true, false] {
            let problem = readers
                .ask(move |reader| -> Result<(), Failure> {
                    loop {
                        if is_of_index {
                            reader.index()?.cursor()?;
                        } else {
                            reader.journal.get(journal::Offset(1))?;
                        }
                    }
                })
                .await
                .unwrap_err();
            assert_eq!((&told(&problem)["error"], &told(&problem)["status"]), (&"too_expensive".into(), &503.into()));
        }
        assert!(readers.ask(|reader| Ok(reader.index()?.cursor()?)).await.is_ok(), "the next one has its own time");
    }

    #[tokio::test]
    async fn few_wait_and_the_rest_is_told_so_at_once_also_when_who_asked_is_gone() {
        let (_directory, readers) = readers(ANSWER_MAX);
        let mut ends = Vec::new();
        for _ in 0..AT_ONCE_MAX {
            let (end, ended) = mpsc::channel::<()>();
            ends.push(end);
            let asking = Arc::clone(&readers);
            let question = tokio::spawn(async move { asking.ask(move |_| Ok(ended.recv().is_err())).await });
            let before = readers.permits.available_permits();
            while readers.permits.available_permits() == before {
                tokio::task::yield_now().await;
            }
            question.abort();
        }
        let waiting: Vec<_> = (0..WAITING_MAX)
            .map(|_| {
                let readers = Arc::clone(&readers);
                tokio::spawn(async move { readers.ask(|_| Ok(())).await })
            })
            .collect();
        while readers.waiting.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let problem = readers.ask(|_| Ok(())).await.unwrap_err();
        assert_eq!((&told(&problem)["error"], &told(&problem)["status"]), (&"busy".into(), &503.into()));
        drop(ends);
        for question in waiting {
            assert_eq!(question.await.unwrap(), Ok(()));
        }
    }
}
