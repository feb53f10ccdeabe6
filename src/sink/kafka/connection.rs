//! One connection to the cluster: logs in, and produces records.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rskafka::BackoffConfig;
use rskafka::client::error::Error;
use rskafka::client::partition::{PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder, Credentials, SaslConfig};
use rskafka::record::Record;
use tokio::sync::Mutex;

use super::answer::is_permanent;
use super::errors::{failed, timed_out};
use super::options::{Mechanism, Options};
use super::partition_counts::PartitionCounts;
use crate::sink::Failure;
use crate::sink::server::ShownServer;

/// How long the library itself tries again, for example while the partition gets another leader.
const TRIES_FOR: Duration = Duration::from_secs(1);

/// The first wait of the library between two tries.
const WAIT_FIRST: Duration = Duration::from_millis(50);

/// A connection that is logged in.
pub(super) struct Connection {
    client: Client,
    server: ShownServer,
    partition_counts: PartitionCounts,
    partitions: Mutex<HashMap<(String, i32), Arc<PartitionClient>>>,
}

/// Why records were not produced.
pub(super) enum Unproduced {
    /// The brokers refuse at least one of them for good.
    Refused(String),
    /// The connection is of no use any more.
    Broken(Failure),
}

impl Connection {
    /// Connects, logs in, and asks for the topics.
    ///
    /// # Errors
    /// No broker can be reached, or it refuses the login.
    pub(super) async fn open(options: &Options) -> Result<Connection, Failure> {
        let timeout = options.limits().timeout();
        let server = ShownServer { shown: options.shown(), secrets: options.own_secrets(), timeout };
        let builder = builder(options).await?;
        let opened = async {
            let client = builder.build().await?;
            let topics = client.list_topics().await?;
            Ok((client, topics))
        };
        let (client, topics) = match tokio::time::timeout(timeout, opened).await {
            Ok(opened) => opened.map_err(|error: Error| failed(&server, &error))?,
            Err(_) => return Err(timed_out(&server)),
        };
        let partition_counts = PartitionCounts::new(topics);
        Ok(Connection { client, server, partition_counts, partitions: Mutex::default() })
    }

    /// Asks for the topics again if the last answer is old. No request may be in flight, because an event that goes to another
    /// partition must not pass an earlier one of its stream.
    ///
    /// # Errors
    /// The brokers returned an error, or no answer in time.
    pub(super) async fn renew_partition_counts(&mut self) -> Result<(), Failure> {
        if !self.partition_counts.are_old() {
            return Ok(());
        }
        match tokio::time::timeout(self.server.timeout, self.client.list_topics()).await {
            Ok(Ok(topics)) => self.partition_counts.renew(topics),
            Ok(Err(error)) => return Err(failed(&self.server, &error)),
            Err(_) => return Err(timed_out(&self.server)),
        }
        Ok(())
    }

    /// Returns the number of partitions of a topic.
    ///
    /// # Errors
    /// There is no such topic.
    pub(super) fn partition_count(&self, topic: &str) -> Result<usize, Failure> {
        self.partition_counts.of(topic).ok_or_else(|| {
            Failure::outage(format!(
                "{} has no topic `{topic}`, or the user may not describe it: create the topic, or let the user do so",
                self.server.shown
            ))
        })
    }

    /// The topics that the user can see.
    pub(super) fn topics(&self) -> impl Iterator<Item = &str> {
        self.partition_counts.topics()
    }

    /// Produces records to a partition, all or none of them.
    ///
    /// # Errors
    /// Not all replicas that must have the records have confirmed them.
    pub(super) async fn produce(
        &self,
        topic: &str,
        partition: i32,
        records: Vec<Record>,
        options: &Options,
    ) -> Result<(), Unproduced> {
        let produced = async {
            let client = self.partition(topic, partition).await?;
            client.produce(records, options.compression.of_library()).await
        };
        match tokio::time::timeout(self.server.timeout, produced).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) if is_permanent(&error) => Err(Unproduced::Refused(failed(&self.server, &error).reason)),
            Ok(Err(error)) => Err(Unproduced::Broken(failed(&self.server, &error))),
            Err(_) => Err(Unproduced::Broken(timed_out(&self.server))),
        }
    }

    async fn partition(&self, topic: &str, partition: i32) -> Result<Arc<PartitionClient>, Error> {
        let key = (topic.to_owned(), partition);
        let mut partitions = self.partitions.lock().await;
        if let Some(known) = partitions.get(&key) {
            return Ok(Arc::clone(known));
        }
        let made = self.client.partition_client(topic, partition, UnknownTopicHandling::Error).await?;
        let made = Arc::new(made);
        partitions.insert(key, Arc::clone(&made));
        Ok(made)
    }
}

async fn builder(options: &Options) -> Result<ClientBuilder, Failure> {
    let backoff = BackoffConfig {
        init_backoff: WAIT_FIRST,
        max_backoff: TRIES_FOR,
        base: 2.0,
        deadline: Some(TRIES_FOR.min(options.limits().timeout() / 2)),
    };
    let mut builder = ClientBuilder::new(options.brokers.clone()).client_id("livehook").backoff_config(backoff);
    if options.tls {
        builder = builder.tls_config(options.tls_files().config().await?);
    }
    if let Some(sasl) = &options.sasl {
        let password = sasl.password.as_ref().map_or("", |password| password.reveal()).to_owned();
        let credentials = Credentials::new(sasl.user.clone().unwrap_or_default(), password);
        builder = builder.sasl_config(match sasl.mechanism {
            Mechanism::Plain => SaslConfig::Plain(credentials),
            Mechanism::ScramSha256 => SaslConfig::ScramSha256(credentials),
            Mechanism::ScramSha512 => SaslConfig::ScramSha512(credentials),
        });
    }
    Ok(builder)
}
