//! Says in the log and in the status whether a sink works: once when that changes, not at each attempt.

use super::outlet::Outlet;
use super::pending::{Pending, RECORDS_MAX};
use super::status::FailingEvent;

/// A failure that differs from the last one of its event, with the event if the sink tried one.
pub(super) type NewFailure = (Option<FailingEvent>, String);

/// What the log says of a sink.
#[derive(Default)]
pub(super) struct Report {
    /// The last failure in the log; `None` once the sink takes events again.
    logged: Option<String>,
}

impl Report {
    /// The sink has failed, after `attempts` attempts in a row. Logs the failure if its reason is new.
    pub(super) fn failure(&mut self, outlet: &Outlet, attempts: u32, failure: String, new: Option<NewFailure>) {
        outlet.status.note_failure(outlet.now_ms(), failure.clone());
        outlet.status.set_attempt(attempts.saturating_add(1), Some(failure));
        let Some((event, reason)) = new.filter(|(_, reason)| !self.is_logged(reason)) else { return };
        let (id, stream) = event.map(|event| (event.id.to_string(), event.stream)).unzip();
        tracing::warn!(
            sink = outlet.name(),
            id,
            stream,
            reason,
            "the sink fails: livehook keeps its events and tries again"
        );
        self.logged = Some(reason);
    }

    fn is_logged(&self, reason: &str) -> bool {
        self.logged.as_deref().is_some_and(|logged| is_same(logged, reason))
    }

    /// The sink has taken an event, and no other one has failed.
    pub(super) fn success(&mut self, outlet: &Outlet) {
        self.logged = None;
        if outlet.status.set_attempt(1, None) {
            tracing::info!(sink = outlet.name(), "the sink takes events again");
        }
    }

    /// Shows whether streams wait in the journal, and whether the sink reads no more events. Logs each change.
    pub(super) fn waiting(&self, outlet: &Outlet, pending: &Pending) {
        let (sink, streams) = (outlet.name(), pending.held_streams());
        let before = outlet.status.set_held_streams(streams);
        if before == 0 && streams > 0 {
            let event = pending.first_failed().map(|record| FailingEvent::of(&record.event));
            let (id, stream) = event.map(|event| (event.id.to_string(), event.stream)).unzip();
            tracing::warn!(
                sink,
                id,
                stream,
                streams,
                "the events of these streams wait in the journal, because an earlier one fails: the other streams go on. \
                 Correct the cause, or give up on events with `livehook sinks skip`"
            );
        }
        if before > 0 && streams == 0 {
            tracing::info!(sink, "no stream waits in the journal any longer");
        }
        let is_blocked = pending.free_records() == 0 && pending.has_failed();
        if !outlet.status.set_blocked(is_blocked) {
            return;
        }
        if is_blocked {
            tracing::warn!(
                sink,
                events = RECORDS_MAX,
                "the sink reads no more events, because these have failed or wait behind one that failed: correct the \
                 cause, or give up on events with `livehook sinks skip`"
            );
        } else {
            tracing::info!(sink, "the sink reads events again");
        }
    }
}

/// Whether two reasons differ in the quoted answer at most. Many receivers put a time or a request number into each answer.
fn is_same(one: &str, other: &str) -> bool {
    let without_quote = |reason: &str| reason.split(": \"").next().map(str::to_owned);
    without_quote(one) == without_quote(other)
}
