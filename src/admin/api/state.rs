//! The state that the handlers of the API share.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderName, StatusCode};
use tokio::time::timeout;

use super::feed::Feed;
use super::json::{Answer, answer};
use super::readers::{Failure, Reader, Readers};
use crate::admin::Reloads;
use crate::admin::problem::Problem;
use crate::admin::sources::{Sources, lag};
use crate::callback::InstanceName;
use crate::clock::Clock;
use crate::delivery::{Status, Statuses};
use crate::http::quoted;
use crate::index;
use crate::journal::{Journal, JournalError};
use crate::receiver::{HourlyCounts, RecentRefusals};

/// How long a query waits for the index to take the newest events in.
const INDEX_WAIT: Duration = Duration::from_millis(200);

/// The header that says how many records the index lacked when it answered.
const INDEX_LAG: HeaderName = HeaderName::from_static("livehook-index-lag-records");

/// The state that the handlers of the API share.
pub(in crate::admin) struct Api {
    pub(super) readers: Arc<Readers>,
    pub(super) journal: Arc<dyn Journal>,
    pub(super) sinks: Statuses,
    pub(super) index: Option<Arc<index::Status>>,
    pub(super) refusals: Arc<RecentRefusals>,
    pub(super) hourly_counts: Arc<HourlyCounts>,
    pub(super) feed: Arc<Feed>,
    pub(super) reloads: Reloads,
    pub(super) instance: InstanceName,
    pub(super) clock: Clock,
    /// Held while a dry run counts the events of a replay. A dry run can take long, so they run one at a time.
    pub(super) dry_run: tokio::sync::Mutex<()>,
}

impl Api {
    /// Makes the state, with a feed of at most `subscribers_max` subscribers.
    pub(in crate::admin) fn new(sources: &Sources, subscribers_max: usize) -> Api {
        let readers = Arc::new(Readers::new(sources.data_dir.clone(), sources.index.is_some()));
        let journal = Arc::clone(&sources.journal);
        // An event is followed by the session that it has changed, so the feed must not be ahead of the index.
        let horizon = sources.index.as_ref().map_or_else(|| journal.head(), |index| index.cursor());
        let stopping = sources.stopping.clone();
        let clock = sources.clock;
        let feed = Feed::new(Arc::clone(&readers), Arc::clone(&journal), horizon, stopping, subscribers_max, clock);
        Api {
            readers,
            journal,
            sinks: sources.sinks.clone(),
            index: sources.index.clone(),
            refusals: Arc::clone(&sources.refusals),
            hourly_counts: Arc::clone(&sources.hourly_counts),
            feed: Arc::new(feed),
            reloads: sources.reloads.clone(),
            instance: sources.instance.clone(),
            clock,
            dry_run: tokio::sync::Mutex::default(),
        }
    }

    /// The feed, which runs next to the listener.
    pub(in crate::admin) fn feed(&self) -> &Arc<Feed> {
        &self.feed
    }

    /// Ends all queries and closes the files that they read. Later queries are refused.
    pub(in crate::admin) async fn close(&self) {
        self.readers.close().await;
    }

    /// Runs a query of the journal and the index. It waits up to 200 ms for the index to have every event that is stored now.
    pub(in crate::admin) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Reader) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Problem> {
        self.wait_for_index().await;
        self.query(query).await
    }

    /// Runs a query that does not need the newest events in the index.
    pub(in crate::admin) async fn query<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Reader) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Problem> {
        self.readers.run(query).await
    }

    /// Answers with the JSON that a query of the journal and the index returns.
    pub(super) async fn answer(
        &self,
        query: impl FnOnce(&Reader) -> Result<String, Failure> + Send + 'static,
    ) -> Answer {
        Ok(answer(self.readers.run(query).await?))
    }

    /// Answers with the JSON that a query of the index returns. The query waits up to 200 ms for the index to have every event
    /// that is stored now. A header says how many records it lacks after that.
    pub(super) async fn answer_from_index(
        &self,
        query: impl FnOnce(&Reader) -> Result<String, Failure> + Send + 'static,
    ) -> Answer {
        let lag_records = self.wait_for_index().await;
        let mut answer = self.answer(query).await?;
        answer.headers_mut().insert(INDEX_LAG, lag_records.into());
        Ok(answer)
    }

    /// Returns how many records the index lacks after the wait.
    pub(super) async fn wait_for_index(&self) -> i64 {
        let Some(index) = &self.index else { return 0 };
        let head = *self.journal.head().borrow();
        let mut cursor = index.cursor();
        let view = index.view();
        // A failing index does not catch up soon, and neither does one that is being rebuilt.
        if *cursor.borrow() < head && view.last_error.is_none() && !view.is_rebuilding {
            index.await_records();
            // Without an answer in time, the header says so.
            let _ = timeout(INDEX_WAIT, cursor.wait_for(|cursor| *cursor >= head)).await;
        }
        lag(head.0, cursor.borrow().0)
    }

    /// Returns the status of a sink; `None` if no sink of this name is configured.
    pub(in crate::admin) fn sink(&self, name: &str) -> Option<Arc<Status>> {
        self.sinks.find(name)
    }

    /// Returns the status of the sink that a request wants to send to.
    pub(super) fn configured_sink(&self, name: &str) -> Result<Arc<Status>, Problem> {
        self.sink(name).ok_or_else(|| Problem::new(StatusCode::CONFLICT, "no_such_sink", self.no_such_sink(name)))
    }

    /// Returns the status of the sink that the path of a request names.
    pub(in crate::admin) fn sink_of_path(&self, name: &str) -> Result<Arc<Status>, Problem> {
        self.sink(name).ok_or_else(|| Problem::not_found(self.no_such_sink(name)))
    }

    fn no_such_sink(&self, name: &str) -> String {
        let sinks = self.sinks.all();
        let names: Vec<&str> = sinks.iter().map(|status| status.sink.as_str()).collect();
        let (name, names) = (quoted(name), names.join(", "));
        format!(
            "there is no sink `{name}`; the configured sinks are {names}: name one of them, or configure `{name}` and reload the configuration"
        )
    }
}

/// Returns the problem of a change that the journal could not make, and logs the cause.
pub(super) fn not_changed(error: JournalError) -> Problem {
    tracing::error!("the journal could not make a change that was requested: {error}");
    Problem::unavailable(
        "unavailable",
        "the journal made no change, or only a part of it: see the log for the cause, and try again",
    )
}
