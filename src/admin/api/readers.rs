//! Open readers of the journal and the index, each lent to one query at a time, on threads that can wait for the disk.
//!
//! Few queries run at once, few wait, and none takes long, so an expensive query delays no other. [`Readers::close`] closes
//! every file, because the journal can't tidy up its own while a reader has them open.

use std::fmt::Display;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::admin::problem::Problem;
use crate::callback::EventId;
use crate::history::EventSource;
use crate::http::LogLimit;
use crate::index::{self, IndexError};
use crate::journal::{self, JournalError};

/// How many queries run at once. Others wait.
const RUNNING_MAX: u32 = 4;

/// How many queries can wait.
const WAITING_MAX: usize = 32;

/// How long a query waits.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// How long a query runs.
const RUN_MAX: Duration = Duration::from_secs(5);

/// How long running queries can go on when livehook is stopping.
const CLOSE_GRACE: Duration = Duration::from_millis(500);

/// The readers. They are opened when they are first needed.
pub(super) struct Readers {
    data_dir: PathBuf,
    has_index: bool,
    run_max: Duration,
    idle: Mutex<Vec<Reader>>,
    permits: Arc<Semaphore>,
    waiting: Semaphore,
    /// Ends every query.
    is_closing: Arc<AtomicBool>,
    log_limit: LogLimit,
}

/// The readers of one query.
pub(in crate::admin) struct Reader {
    /// The index; `None` if it is switched off.
    pub(in crate::admin) index: Option<index::Reader>,
    pub(in crate::admin) journal: journal::Reader,
}

impl Reader {
    /// Ends the query at the deadline, or as soon as `is_closing` is true.
    fn limit(&mut self, deadline: Instant, is_closing: &Arc<AtomicBool>) -> Result<(), Failure> {
        let must_end = || {
            let is_closing = Arc::clone(is_closing);
            move || Instant::now() >= deadline || is_closing.load(Ordering::Relaxed)
        };
        self.journal.give_up_when(must_end())?;
        if let Some(index) = &mut self.index {
            index.give_up_when(must_end())?;
        }
        Ok(())
    }

    /// Returns the events of the journal, found with the help of the index.
    pub(in crate::admin) fn events(&self) -> EventSource<'_> {
        EventSource::new(&self.journal, self.index.as_ref())
    }

    /// Returns the index.
    ///
    /// # Errors
    /// The index is switched off.
    pub(in crate::admin) fn index(&self) -> Result<&index::Reader, Failure> {
        self.index.as_ref().ok_or(Failure::Problem(Problem::no_index()))
    }
}

/// Why a query has no result.
pub(in crate::admin) enum Failure {
    /// The client gets this problem.
    Problem(Problem),
    /// The journal or the index cannot be read. The cause goes to the log.
    Unreadable(IndexError),
    /// The line of an event is not JSON. The cause goes to the log.
    Damaged(EventId, serde_json::Error),
}

impl From<IndexError> for Failure {
    fn from(error: IndexError) -> Failure {
        Failure::Unreadable(error)
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Failure {
        Failure::Unreadable(error.into())
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Failure {
        Failure::Problem(problem)
    }
}

impl Readers {
    /// Makes the readers of a data directory.
    pub(super) fn new(data_dir: PathBuf, has_index: bool) -> Readers {
        Readers {
            data_dir,
            has_index,
            run_max: RUN_MAX,
            idle: Mutex::default(),
            permits: Arc::new(Semaphore::new(RUNNING_MAX as usize)),
            waiting: Semaphore::new(WAITING_MAX),
            is_closing: Arc::default(),
            log_limit: LogLimit::default(),
        }
    }

    /// Runs a query, unless it would have to wait long or runs too long itself.
    pub(super) async fn run<T: Send + 'static>(
        self: &Arc<Readers>,
        query: impl FnOnce(&Reader) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Problem> {
        let permit = {
            // Given back as soon as the query runs, so that only waiting queries count.
            let _place = self.waiting.try_acquire().map_err(|_| self.busy())?;
            let permit = timeout(WAIT_MAX, Arc::clone(&self.permits).acquire_owned()).await;
            permit.map_err(|_| self.busy())?.map_err(|_| Problem::stopping())?
        };
        self.run_with(permit, query).await
    }

    /// Runs a query of livehook itself. There are few at once, so each waits for its turn without a limit.
    pub(super) async fn run_in_turn<T: Send + 'static>(
        self: &Arc<Readers>,
        query: impl FnOnce(&Reader) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Problem> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| Problem::stopping())?;
        self.run_with(permit, query).await
    }

    async fn run_with<T: Send + 'static>(
        self: &Arc<Readers>,
        permit: OwnedSemaphorePermit,
        query: impl FnOnce(&Reader) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Problem> {
        let readers = Arc::clone(self);
        let result = tokio::task::spawn_blocking(move || {
            // The client may disconnect before the query ends. The query counts until it does.
            let _permit = permit;
            let mut reader = readers.take()?;
            // First, because a reader that was idle has the deadline of its query before.
            reader.limit(Instant::now() + readers.run_max, &readers.is_closing)?;
            reader.index.as_mut().map_or(Ok(()), index::Reader::read_settings)?;
            let result = query(&reader);
            // A reader that has failed may fail again.
            if !matches!(result, Err(Failure::Unreadable(_))) {
                readers.lock().push(reader);
            }
            result
        });
        let failure = match result.await {
            Ok(Ok(result)) => return Ok(result),
            Ok(Err(failure)) => failure,
            // The query has panicked.
            Err(_) => return Err(Problem::internal()),
        };
        Err(self.problem(failure))
    }

    /// Returns the problem of a failed query, and logs the cause at a bounded rate.
    fn problem(&self, failure: Failure) -> Problem {
        match failure {
            Failure::Problem(problem) => problem,
            Failure::Unreadable(error) if error.is_given_up() => {
                if self.is_closing.load(Ordering::Relaxed) {
                    // The stop has ended the query, and not its length.
                    return Problem::stopping();
                }
                if let Some(suppressed) = self.log_limit.admit("too_expensive", Instant::now()) {
                    tracing::warn!(
                        suppressed,
                        "a query of the API was cancelled, because it ran for more than {RUN_MAX:?}"
                    );
                }
                Problem::too_expensive()
            }
            Failure::Unreadable(error) => self.internal(&error),
            Failure::Damaged(id, error) => self.internal(&format!("the line of the event {id} is not JSON: {error}")),
        }
    }

    fn internal(&self, cause: &dyn Display) -> Problem {
        if let Some(suppressed) = self.log_limit.admit("internal", Instant::now()) {
            tracing::error!(suppressed, "a query of the API failed: {cause}");
        }
        Problem::internal()
    }

    fn busy(&self) -> Problem {
        if let Some(suppressed) = self.log_limit.admit("busy", Instant::now()) {
            tracing::warn!(suppressed, "a query of the API was refused, because too many others run or wait");
        }
        Problem::busy()
    }

    /// Lets running queries finish, or ends them after a while, and closes all readers. Later queries are refused.
    pub(super) async fn close(&self) {
        // With all permits here, no reader is lent.
        let all = || self.permits.acquire_many(RUNNING_MAX);
        let permits = match timeout(CLOSE_GRACE, all()).await {
            Ok(permits) => permits,
            Err(_) => {
                self.is_closing.store(true, Ordering::Relaxed);
                all().await
            }
        };
        // A query that still waits must not open the files again.
        self.permits.close();
        self.lock().clear();
        drop(permits);
    }

    fn take(&self) -> Result<Reader, Failure> {
        // The service replaces an index that it cannot use, and the old file gets no further events.
        let is_in_place = |reader: &Reader| reader.index.as_ref().is_none_or(index::Reader::is_in_place);
        let idle = self.lock().pop().filter(is_in_place);
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
    use crate::history::testing::Data;

    /// Readers of an empty journal and index.
    fn readers(run_max: Duration) -> (Data, Arc<Readers>) {
        let data = Data::new();
        data.write([]);
        data.index_all();
        let readers = Readers { run_max, ..Readers::new(data.path().to_owned(), true) };
        (data, Arc::new(readers))
    }

    fn error(problem: &Problem) -> (String, u64) {
        let problem = serde_json::to_value(problem).unwrap();
        (problem["error"].as_str().unwrap().to_owned(), problem["status"].as_u64().unwrap())
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
    }

    #[test]
    fn long_query_ends_in_either_file() {
        let (_data, readers) = readers(Duration::from_millis(50));
        runtime().block_on(async {
            for is_of_index in [true, false] {
                let query = move |reader: &Reader| -> Result<(), Failure> {
                    loop {
                        if is_of_index {
                            reader.index()?.cursor()?;
                        } else {
                            reader.journal.get(journal::Offset(1))?;
                        }
                    }
                };
                let problem = readers.run(query).await.unwrap_err();
                assert_eq!(error(&problem), ("too_expensive".to_owned(), 503));
            }
            assert!(readers.run(|reader| Ok(reader.index()?.cursor()?)).await.is_ok(), "the next one has its own time");
        });
    }

    #[test]
    fn idle_reader_gets_a_new_deadline() {
        let (_data, readers) = readers(RUN_MAX);
        runtime().block_on(async {
            // SQLite looks at the deadline once in a thousand of its steps, so not in each of these short queries.
            for _ in 0..300 {
                let mut reader = readers.take().map_err(drop).unwrap();
                reader.limit(Instant::now(), &readers.is_closing).map_err(drop).unwrap();
                readers.lock().push(reader);
                assert_eq!(readers.run(|_| Ok(())).await, Ok(()));
            }
        });
    }

    // A query of a client that has disconnected still counts. Few others wait, and the rest is refused at once.
    #[test]
    fn few_queries_wait() {
        let (_data, readers) = readers(RUN_MAX);
        runtime().block_on(async {
            let mut ends = Vec::new();
            for _ in 0..RUNNING_MAX {
                let (end, ended) = mpsc::channel::<()>();
                ends.push(end);
                let running = Arc::clone(&readers);
                let query = tokio::spawn(async move { running.run(move |_| Ok(ended.recv().is_err())).await });
                let before = readers.permits.available_permits();
                while readers.permits.available_permits() == before {
                    tokio::task::yield_now().await;
                }
                query.abort();
            }
            let waiting: Vec<_> = (0..WAITING_MAX)
                .map(|_| {
                    let readers = Arc::clone(&readers);
                    tokio::spawn(async move { readers.run(|_| Ok(())).await })
                })
                .collect();
            while readers.waiting.available_permits() > 0 {
                tokio::task::yield_now().await;
            }
            let problem = readers.run(|_| Ok(())).await.unwrap_err();
            assert_eq!(error(&problem), ("busy".to_owned(), 503));
            drop(ends);
            for query in waiting {
                assert_eq!(query.await.unwrap(), Ok(()));
            }
        });
    }
}
