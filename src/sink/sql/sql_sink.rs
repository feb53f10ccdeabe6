//! The sink itself: keeps the connection, and sends each part of a batch in one transaction.

use async_trait::async_trait;

use super::database::{Conflict, Database};
use super::destination::Destination;
use super::fault::Fault;
use super::options::Options;
use crate::journal::Record;
use crate::sink::parallel::none_tried;
use crate::sink::server::requests;
use crate::sink::{Failure, Outcome, Sink};

/// Writes events to a database.
pub struct SqlSink {
    destination: Destination,
    database: Option<Box<dyn Database>>,
    /// Whether the events of an earlier commit may be stored without proof.
    is_unproven: bool,
}

impl SqlSink {
    /// Makes the sink. It touches nothing until it delivers.
    pub fn new(options: Options) -> SqlSink {
        SqlSink { destination: Destination::new(options), database: None, is_unproven: true }
    }

    /// Sends events in one transaction.
    async fn send(&mut self, events: &[Record]) -> Result<(), Fault> {
        // Taken out, so that a delivery that is dropped leaves no connection in the middle of a transaction.
        let mut database = match self.database.take() {
            Some(database) => database,
            None => self.destination.open(self.destination.options.create_tables).await.map_err(Fault::Outage)?,
        };
        // If the events of an unproven commit come again, nothing is left to write, and the server would wait for no standby.
        let conflict = if self.is_unproven { Conflict::Touch } else { Conflict::Keep };
        self.is_unproven = true;
        let timeout = self.destination.server.timeout;
        match tokio::time::timeout(timeout, self.destination.transact(&mut *database, events, conflict)).await {
            Ok(Ok(())) => {
                self.is_unproven = false;
                self.database = Some(database);
                Ok(())
            }
            Ok(Err(Fault::Row(reason))) => {
                let rollback = tokio::time::timeout(timeout, database.run("ROLLBACK")).await;
                self.database = rollback.is_ok_and(|answer| answer.is_ok()).then_some(database);
                Err(Fault::Row(reason))
            }
            // After an outage, a new connection asks for the address again, which a failover may have changed.
            Ok(Err(outage)) => Err(outage),
            Err(_) => Err(Fault::Outage(self.destination.server.no_answer())),
        }
    }
}

#[async_trait]
impl Sink for SqlSink {
    async fn deliver(&mut self, batch: &[Record]) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(batch.len());
        let mut waiting: Vec<&[Record]> = requests(batch, self.destination.options.batch_events_max).collect();
        waiting.reverse();
        while let Some(events) = waiting.pop() {
            match self.send(events).await {
                Ok(()) => outcomes.extend(vec![Outcome::Delivered; events.len()]),
                Err(Fault::Row(reason)) if events.len() == 1 => outcomes.push(Outcome::rejected(reason)),
                // Halves find the row, and keep the order of the others.
                Err(Fault::Row(_)) => {
                    let (first, second) = events.split_at(events.len() / 2);
                    waiting.extend([second, first]);
                }
                Err(Fault::Outage(failure)) => {
                    outcomes.extend(none_tried(&batch[outcomes.len()..], failure));
                    return outcomes;
                }
            }
        }
        outcomes
    }

    fn is_ordered(&self) -> bool {
        true
    }

    async fn probe(&mut self) -> Result<String, Failure> {
        self.destination.probe().await
    }
}
