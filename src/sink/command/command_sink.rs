//! The sink itself: delivers a batch in the configured mode.

use std::sync::Arc;

use async_trait::async_trait;

use super::lines::Conversation;
use super::options::{Mode, Options};
use super::program_log::ProgramLog;
use super::{each, lines, lookup};
use crate::journal::Record;
use crate::sink::outage::OutageDetector;
use crate::sink::parallel::{GroupDelivery, deliver_groups, group_by_stream, in_order};
use crate::sink::{Failure, Outcome, Sink};

#[cfg(test)]
mod tests;

/// Hands events to a program.
pub struct CommandSink {
    options: Options,
    log: Arc<ProgramLog>,
    /// The program of mode `lines`, between two events.
    conversation: Option<Conversation>,
}

impl CommandSink {
    /// Makes the sink of this name. It starts no program until it delivers.
    pub fn new(sink: &str, options: Options) -> CommandSink {
        let log = Arc::new(ProgramLog::new(sink, &options));
        CommandSink { options, log, conversation: None }
    }
}

#[async_trait]
impl Sink for CommandSink {
    async fn deliver(&mut self, batch: &[Record]) -> Vec<Outcome> {
        let CommandSink { options, log, conversation } = self;
        let outages = OutageDetector::new(options.concurrency);
        match options.mode {
            Mode::Each => {
                let deliver_group = async |group| {
                    let mut delivery = GroupDelivery::new(batch, group, &outages);
                    while let Some((position, record)) = delivery.next() {
                        delivery.note(position, each::deliver(options, log, record).await);
                    }
                    delivery.finish()
                };
                let groups = group_by_stream(batch, options.concurrency);
                deliver_groups(batch, groups, options.concurrency, deliver_group).await
            }
            Mode::Lines => {
                // One program takes one event at a time, so the whole batch is one group.
                let mut delivery = GroupDelivery::new(batch, (0..batch.len()).collect(), &outages);
                while let Some((position, record)) = delivery.next() {
                    delivery.note(position, lines::deliver(options, log, conversation, record).await);
                }
                in_order(batch, delivery.finish())
            }
        }
    }

    async fn probe(&mut self) -> Result<String, Failure> {
        let found = lookup::find(&self.options).map_err(Failure::outage)?;
        Ok(format!("{} can be started; livehook did not start it", found.display()))
    }
}
