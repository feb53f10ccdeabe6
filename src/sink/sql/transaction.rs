//! One transaction: adds events, and merges their facts into the stored sessions.

use std::collections::{BTreeMap, HashSet};

use super::database::{Conflict, Database};
use super::destination::Destination;
use super::fault::{Fault, fault};
use super::session_row::{session_of_facts, session_row};
use super::tables::{Row, Table, event_row};
use crate::journal::Record;
use crate::session::{Fact, Session};
use crate::sink::Failure;

impl Destination {
    /// Adds events in one transaction. The caller limits the time.
    ///
    /// # Errors
    /// Nothing is stored, or the commit has no proof.
    pub(super) async fn transact(
        &self,
        database: &mut dyn Database,
        events: &[Record],
        conflict: Conflict,
    ) -> Result<(), Fault> {
        let mut ids = HashSet::new();
        let once = events.iter().filter(|record| ids.insert(record.event.id()));
        let rows: Vec<Row> = once.map(|record| event_row(&record.event)).collect();
        let fault = |error: sqlx::Error| fault(&self.server, &error);
        database.run("BEGIN").await.map_err(fault)?;
        database.insert(&self.options.events(), &rows, conflict).await.map_err(fault)?;
        if let Some(table) = self.options.sessions() {
            self.merge_sessions(database, &table, events).await?;
        }
        match database.commit().await {
            Ok(None) => Ok(()),
            Ok(Some(warning)) => {
                let reason = format!(
                    "{} answered the commit with a warning, which proves nothing: {warning}",
                    self.server.shown
                );
                Err(Fault::Outage(Failure::outage(reason)))
            }
            Err(error) => Err(fault(error)),
        }
    }

    /// Merges the facts of events into the stored sessions, as the index does. So their order and repetition make no difference.
    async fn merge_sessions(&self, database: &mut dyn Database, table: &Table, events: &[Record]) -> Result<(), Fault> {
        let fault = |error: sqlx::Error| fault(&self.server, &error);
        // In the order of the ids, so that two instances of livehook wait for each other's locks and never in a circle.
        let mut facts: BTreeMap<String, Vec<Fact>> = BTreeMap::new();
        for fact in events.iter().filter_map(|record| Fact::of(&record.event)) {
            facts.entry(fact.stream.session(&fact.sequence).to_string()).or_default().push(fact);
        }
        if facts.is_empty() {
            return Ok(());
        }
        let new: Vec<Row> = facts.values().map(|facts| merged(&Session::default(), facts).1).collect();
        database.insert(table, &new, Conflict::Keep).await.map_err(fault)?;
        let keys: Vec<String> = facts.keys().cloned().collect();
        let mut changed = Vec::new();
        for (key, text) in database.lock_facts(table, &keys).await.map_err(fault)? {
            let Some(stored) = session_of_facts(&text) else {
                let reason = format!(
                    "{}: {}: the column `facts` of the session {key} is damaged: remove this row, and replay its events",
                    self.server.shown, table.name
                );
                return Err(Fault::Outage(Failure::outage(reason)));
            };
            let Some(facts) = facts.get(&key) else { continue };
            let (session, row) = merged(&stored, facts);
            if session != stored {
                changed.push(row);
            }
        }
        if changed.is_empty() {
            return Ok(());
        }
        database.insert(table, &changed, Conflict::Replace).await.map_err(fault)
    }
}

/// Merges facts of one session into the stored session, and returns it with its row.
fn merged(stored: &Session, facts: &[Fact]) -> (Session, Row) {
    let mut session = stored.clone();
    facts.iter().for_each(|fact| session.apply(fact.clone()));
    let row = facts.first().map(|fact| session_row(&fact.stream, &fact.sequence, &session)).unwrap_or_default();
    (session, row)
}

#[cfg(test)]
mod tests;
