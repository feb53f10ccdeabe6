//! The thread that writes the index: work that takes long or needs the disk must not run on a thread that answers requests.
//!
//! The thread has a low priority. If the processor is busy, requests are answered first and the index catches up later.

use std::sync::mpsc;

use tokio::sync::oneshot;

use crate::index::{IndexError, Store};

/// The thread's priority on the system's scale, from 0 to 19 for the lowest.
const NICENESS: i32 = 10;

type Job = Box<dyn FnOnce(&mut Store) + Send>;

/// The thread that owns an open index.
pub(super) struct WriterThread {
    jobs: mpsc::SyncSender<Job>,
    ended: oneshot::Receiver<()>,
}

impl WriterThread {
    /// Starts the thread.
    pub(super) fn start(mut store: Store) -> Result<WriterThread, IndexError> {
        let (jobs, waiting) = mpsc::sync_channel::<Job>(1);
        let (ends, ended) = oneshot::channel();
        let work = move || {
            // On Linux this is for the calling thread alone. If it is refused, the thread has the usual priority.
            let _ = rustix::process::setpriority_process(None, NICENESS);
            for job in waiting {
                job(&mut store);
            }
            drop(store);
            let _ = ends.send(());
        };
        std::thread::Builder::new().name("index".to_owned()).spawn(work).map_err(IndexError::Thread)?;
        Ok(WriterThread { jobs, ended })
    }

    /// Runs a job with the index on the thread, and returns its result.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Store) -> Result<T, IndexError> + Send + 'static,
    ) -> Result<T, IndexError> {
        let (reply, done) = oneshot::channel();
        let job: Job = Box::new(move |store| {
            let _ = reply.send(job(store));
        });
        // One job runs at a time, so the channel has a place for it, unless the thread has ended.
        self.jobs.try_send(job).map_err(|_| IndexError::Died)?;
        done.await.map_err(|_| IndexError::Died)?
    }

    /// Waits until the index is closed.
    pub(super) async fn close(self) {
        drop(self.jobs);
        let _ = self.ended.await;
    }
}
