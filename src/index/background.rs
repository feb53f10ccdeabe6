//! The thread that writes the index: what takes the disk or long belongs on none that answers requests.
//!
//! It asks the system for less of the processor than the rest of the process: where both want the last of it, answers come
//! first and the index catches up later.

use std::sync::mpsc;

use tokio::sync::oneshot;

use super::{IndexError, Store};

/// How nice the thread is to others, on the system's scale from 0 to 19.
const NICENESS: i32 = 10;

type Job = Box<dyn FnOnce(&mut Store) + Send>;

/// The thread that owns an open index.
pub(super) struct Background {
    jobs: mpsc::SyncSender<Job>,
    ended: oneshot::Receiver<()>,
}

impl Background {
    /// Starts the thread.
    pub(super) fn start(mut store: Store) -> Result<Background, IndexError> {
        let (jobs, waiting) = mpsc::sync_channel::<Job>(1);
        let (ends, ended) = oneshot::channel();
        let work = move || {
            // On Linux this is for the calling thread alone. Where it is refused, the thread is as any other.
            let _ = rustix::process::setpriority_process(None, NICENESS);
            for job in waiting {
                job(&mut store);
            }
            drop(store);
            let _ = ends.send(());
        };
        std::thread::Builder::new().name("index".to_owned()).spawn(work).map_err(IndexError::Thread)?;
        Ok(Background { jobs, ended })
    }

    /// Does something with the index, and gives what came of it.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Store) -> Result<T, IndexError> + Send + 'static,
    ) -> Result<T, IndexError> {
        let (reply, done) = oneshot::channel();
        let job: Job = Box::new(move |store| {
            let _ = reply.send(job(store));
        });
        // The channel has room for the one job that is under way at a time.
        self.jobs.try_send(job).map_err(|_| IndexError::Died)?;
        done.await.map_err(|_| IndexError::Died)?
    }

    /// Waits until the index is closed.
    pub(super) async fn close(self) {
        drop(self.jobs);
        let _ = self.ended.await;
    }
}
