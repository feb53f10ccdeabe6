//! Takes over another configuration while the service runs. Either every part of it is in use afterwards, or none.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use super::certificates::OtherFiles;
use super::limits::{admin_limits, receiver_limits, subscribers_max};
use super::reload::Proposal;
use super::start::{App, config_labels, limit_values, unsaved_bytes_max};
use crate::admin;
use crate::callback::Verifier;
use crate::config::{self, Change, Config};
use crate::journal::Consumer;
use crate::telemetry;

/// How long the journal may take to change its limits and its consumers.
const JOURNAL_MAX: Duration = Duration::from_secs(10);

/// The parts of another configuration that could have failed, and did not.
struct Prepared {
    verifier: Verifier,
    fingerprints: Vec<String>,
    files: OtherFiles,
    /// A consumer for each new sink, by its name.
    consumers: HashMap<String, Box<dyn Consumer>>,
}

impl App {
    /// Compares a proposed configuration with the running one, and takes it over unless only that was asked for.
    pub(super) async fn answer_proposal(&mut self, Proposal { mut config, is_dry_run, answer }: Proposal) {
        self.inherited.describe(&mut config);
        let changes = config::changes(&self.config, &config);
        let result = if is_dry_run { Ok(changes) } else { self.take_over(*config, changes).await };
        // The one who asked may be gone.
        let _ = answer.send(result);
    }

    /// Takes over a configuration. Settings that need a restart keep their running values.
    ///
    /// # Errors
    /// The journal can't be changed now. Everything is as it was.
    async fn take_over(&mut self, mut config: Config, changes: Vec<Change>) -> anyhow::Result<Vec<Change>> {
        config::keep_fixed(&mut config, &self.config);
        // Everything that can fail comes first.
        let prepared = timeout(JOURNAL_MAX, async {
            self.until_undone().await;
            self.prepare(&config).await
        })
        .await;
        let prepared = prepared.unwrap_or_else(|_| {
            Err(anyhow::anyhow!(
                "the journal, or the last delivery of a removed sink, has not finished within {} s: nothing has changed, try again",
                JOURNAL_MAX.as_secs()
            ))
        });
        let Prepared { verifier, fingerprints, files, consumers } = match prepared {
            Ok(prepared) => prepared,
            Err(error) => {
                // While an earlier one is undone, this one has not begun.
                if self.undoing.is_none() {
                    self.undoing = Some(self.undo(&config));
                }
                return Err(error);
            }
        };
        let endpoints = &self.endpoints;
        endpoints.take_over(&config, verifier, fingerprints);
        let subscribers_max = subscribers_max(&config.admin, self.open_files);
        let limits = receiver_limits(&config.receiver, subscribers_max, self.open_files);
        self.metrics.limits().set(limit_values(&config, &limits, subscribers_max));
        endpoints.receiver_limits.replace(limits);
        endpoints.admin_limits.replace(admin_limits(subscribers_max, self.open_files));
        endpoints.admin.take_over(&admin::Options { subscribers_max, ..config.admin.clone() });
        telemetry::set_log_options(&config.log);
        if let Some(index) = &self.workers.index {
            index.set_unsaved_bytes_max(unsaved_bytes_max(&config));
            index.take_over(&config.index);
        }
        self.grace = Duration::from_secs(config.shutdown_grace_secs);
        self.metrics.config().describe(config_labels(&config));
        self.workers.replace(config.sinks.clone(), consumers);
        self.certificates.take_over(files);
        self.config = config;
        Ok(changes)
    }

    async fn prepare(&self, config: &Config) -> anyhow::Result<Prepared> {
        let verifier = Verifier::new(config.verifier.clone())?;
        // A fingerprint takes some milliseconds, and callbacks must not wait for it.
        let fingerprinted = verifier.clone();
        let fingerprints = spawn_blocking(move || fingerprinted.fingerprints()).await?;
        let (certificates, receiver, admin) =
            (Arc::clone(&self.certificates), config.receiver.tls.clone(), config.admin.tls.clone());
        let files = spawn_blocking(move || certificates.read(receiver, admin)).await??;
        if config.journal != self.config.journal {
            self.journal.set_options(&config.journal).await?;
        }
        let mut consumers = HashMap::new();
        for sink in added(&self.config, config) {
            let name = sink.name.as_str();
            // Its last delivery ends first, and its cursor is final.
            self.workers.until_gone(name).await;
            let consumer = self.journal.add_consumer(name, sink.start).await;
            consumers.insert(name.to_owned(), consumer.with_context(|| format!("the sink `{name}` can't begin"))?);
        }
        Ok(Prepared { verifier, fingerprints, files, consumers })
    }

    /// Undoes what [`App::prepare`] may have done, or may still do if the journal answers late.
    fn undo(&self, config: &Config) -> JoinHandle<()> {
        let (journal, options) = (Arc::clone(&self.journal), self.config.journal.clone());
        let names: Vec<String> = added(&self.config, config).map(|sink| sink.name.to_string()).collect();
        tokio::spawn(async move {
            // If the journal fails, it is opened again as it was before.
            let _ = journal.set_options(&options).await;
            for name in names {
                let _ = journal.retire_consumer(&name).await;
            }
        })
    }

    /// Waits until a take-over that failed is undone: otherwise, it would retire the sinks of the next one.
    async fn until_undone(&mut self) {
        if let Some(undoing) = &mut self.undoing {
            let _ = undoing.await;
            self.undoing = None;
        }
    }
}

/// The sinks of `other` that `running` doesn't have.
fn added<'c>(running: &'c Config, other: &'c Config) -> impl Iterator<Item = &'c config::SinkConfig> {
    other.sinks.iter().filter(|sink| running.sinks.iter().all(|known| known.name != sink.name))
}
