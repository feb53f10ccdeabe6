//! The consumers of the journal: a worker for each sink, and the index. A reload replaces the workers of the sinks that it changes, and
//! does not disturb the others.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::callback::EventSelection;
use crate::clock;
use crate::config::SinkConfig;
use crate::delivery::{Order, Outlet, Status, Statuses, Worker};
use crate::index;
use crate::journal::{Consumer, JournalError, SqliteJournal, Start};
use crate::telemetry::Metrics;

/// The wait before another try to change the consumers of a journal that fails.
const JOURNAL_WAIT: Duration = Duration::from_secs(1);

/// How a worker ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// A reload has removed or replaced it.
    Ordered,
    /// The service stops, or else must.
    OfService,
}

/// The running consumers.
pub(super) struct Workers {
    pub(super) tasks: JoinSet<anyhow::Result<Ending>>,
    /// The status of each sink.
    pub(super) statuses: Statuses,
    /// The status of the index; `None` without an index.
    pub(super) index: Option<Arc<index::Status>>,
    /// In the order of the configuration.
    sinks: Vec<SinkWorker>,
    /// The sinks that were removed and may still be finishing their last delivery.
    leaving: Vec<(String, Running)>,
    stop_index: watch::Sender<bool>,
    journal: Arc<SqliteJournal>,
    metrics: Arc<Metrics>,
}

/// The worker of a sink.
struct SinkWorker {
    config: SinkConfig,
    status: Arc<Status>,
    order: watch::Sender<Order>,
    running: Running,
}

/// Shows whether a task is running. The task holds the sender, which is dropped at its end, whatever ends it.
#[derive(Clone)]
struct Running(watch::Receiver<()>);

impl Running {
    fn new() -> (watch::Sender<()>, Running) {
        let (held, receiver) = watch::channel(());
        (held, Running(receiver))
    }

    fn has_ended(&self) -> bool {
        self.0.has_changed().is_err()
    }

    async fn ended(&mut self) {
        while self.0.changed().await.is_ok() {}
    }
}

impl Workers {
    /// Starts a worker for each sink, and the index. `consumers` has one consumer for each sink, in the order of the sinks.
    pub(super) fn start(
        sinks: Vec<SinkConfig>,
        consumers: Vec<Box<dyn Consumer>>,
        index: Option<(index::Worker, Arc<index::Status>)>,
        journal: &Arc<SqliteJournal>,
        metrics: &Arc<Metrics>,
    ) -> Workers {
        let (stop_index, index_stopped) = watch::channel(false);
        let mut workers = Workers {
            tasks: JoinSet::new(),
            statuses: Statuses::default(),
            index: None,
            sinks: Vec::new(),
            leaving: Vec::new(),
            stop_index,
            journal: Arc::clone(journal),
            metrics: Arc::clone(metrics),
        };
        let consumers = sinks.iter().map(|sink| sink.name.to_string()).zip(consumers).collect();
        workers.replace(sinks, consumers);
        if let Some((worker, status)) = index {
            workers.tasks.spawn(async move {
                worker.run(index_stopped).await.context("the index has stopped")?;
                Ok(Ending::OfService)
            });
            workers.index = Some(status);
        }
        workers
    }

    /// Lets every consumer take what the journal holds now, and then end.
    pub(super) fn drain(&self) {
        self.stop_index.send_replace(true);
        for sink in &self.sinks {
            sink.order.send_replace(Order::Drain);
        }
    }

    /// Waits until a sink of this name, if it was removed before, has done its last delivery.
    pub(super) async fn until_gone(&self, name: &str) {
        for (_, running) in self.leaving.iter().filter(|(leaving, _)| leaving == name) {
            running.clone().ended().await;
        }
    }

    /// Takes over another list of sinks. `added` has a consumer for each sink that is new.
    ///
    /// An unchanged sink goes on. The worker of any other sink finishes the delivery at hand, and only then the new workers begin:
    /// a new sink may write to the file of a removed one.
    pub(super) fn replace(&mut self, sinks: Vec<SinkConfig>, mut added: HashMap<String, Box<dyn Consumer>>) {
        let goes_on = |worker: &SinkWorker| sinks.iter().any(|sink| worker.config.is_unchanged(sink));
        let (mut kept, replaced): (Vec<_>, Vec<_>) = std::mem::take(&mut self.sinks).into_iter().partition(goes_on);
        self.leaving.retain(|(_, running)| !running.has_ended());
        let mut earlier: Vec<Running> = self.leaving.iter().map(|(_, running)| running.clone()).collect();
        for worker in &replaced {
            worker.order.send_replace(Order::End);
            earlier.push(worker.running.clone());
        }
        for config in sinks {
            if let Some(position) = kept.iter().position(|worker| worker.config.name == config.name) {
                self.sinks.push(SinkWorker { config, ..kept.swap_remove(position) });
                continue;
            }
            let status = Status::new(config.name.as_str(), config.sink.type_name());
            let status = status.with_selection(EventSelection::from(config.filter.clone()));
            if let Some(replaced) = replaced.iter().find(|worker| worker.config.name == config.name) {
                status.continue_after(&replaced.status);
            }
            let consumer = added.remove(config.name.as_str());
            let worker = self.spawn(config, Arc::new(status), consumer, earlier.clone());
            self.sinks.push(worker);
        }
        for worker in replaced {
            if !self.sinks.iter().any(|sink| sink.config.name == worker.config.name) {
                self.retire(worker);
            }
        }
        self.statuses.replace(self.sinks.iter().map(|sink| Arc::clone(&sink.status)).collect());
    }

    /// Starts the worker of a sink. It begins when `earlier` ones have ended. Without a consumer, it goes on with the one of an
    /// earlier worker of its name.
    fn spawn(
        &mut self,
        config: SinkConfig,
        status: Arc<Status>,
        consumer: Option<Box<dyn Consumer>>,
        earlier: Vec<Running>,
    ) -> SinkWorker {
        let (order, ordered) = watch::channel(Order::Work);
        let (held, running) = Running::new();
        let outlet = {
            let (config, status, metrics) = (config.clone(), Arc::clone(&status), Arc::clone(&self.metrics));
            move |consumer| {
                let sink = config.sink.build(config.name.as_str(), clock::system_clock);
                let (retry, status, metrics) = (config.retry.clone(), Arc::clone(&status), Arc::clone(&metrics));
                Outlet::new(consumer, sink, retry, status, metrics, clock::system_clock)
            }
        };
        let (name, journal) = (config.name.to_string(), Arc::clone(&self.journal));
        // At once if possible, because it shows the cursor in the status.
        let ready = consumer.map(&outlet);
        self.tasks.spawn(async move {
            let _held = held;
            for mut running in earlier {
                running.ended().await;
            }
            let outlet = match ready {
                Some(outlet) => outlet,
                None => outlet(consumer_of(&journal, &name).await?),
            };
            Worker::new(outlet).run(ordered.clone()).await.with_context(|| format!("the sink `{name}` has stopped"))?;
            Ok(if *ordered.borrow() == Order::End { Ending::Ordered } else { Ending::OfService })
        });
        SinkWorker { config, status, order, running }
    }

    /// Retires the consumer of a removed sink, as soon as its last delivery is done.
    fn retire(&mut self, worker: SinkWorker) {
        let SinkWorker { config, running: mut worker, .. } = worker;
        let (held, running) = Running::new();
        let name = config.name.to_string();
        self.leaving.push((name.clone(), running));
        let (journal, metrics) = (Arc::clone(&self.journal), Arc::clone(&self.metrics));
        self.tasks.spawn(async move {
            let _held = held;
            worker.ended().await;
            while let Err(error) = journal.retire_consumer(&name).await {
                // The next start retires it.
                if matches!(error, JournalError::Closed) {
                    break;
                }
                sleep(JOURNAL_WAIT).await;
            }
            metrics.forget_sink(&name);
            Ok(Ending::Ordered)
        });
    }
}

/// Opens the consumer of a sink that an earlier worker has used until now.
async fn consumer_of(journal: &SqliteJournal, name: &str) -> anyhow::Result<Box<dyn Consumer>> {
    let mut logged = String::new();
    loop {
        // The start does not matter, because it has a cursor.
        match journal.add_consumer(name, Start::Now).await {
            Ok(consumer) => return Ok(consumer),
            Err(error @ JournalError::Closed) => return Err(error.into()),
            Err(error) => {
                let text = error.to_string();
                if text != logged {
                    tracing::warn!(sink = name, "the sink waits for the journal: {text}");
                }
                logged = text;
            }
        }
        sleep(JOURNAL_WAIT).await;
    }
}
