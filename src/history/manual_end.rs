//! Decides whether a person may end a session, for the API and the command line.

use super::session_events::SessionEvents;
use crate::callback::{EndReason, EndTimes, EventId, PartitionKey, SessionEnd, SessionEndError};
use crate::index::{self, IndexError, SessionView};
use crate::journal;
use crate::session::{SessionId, State, StreamKey};

/// The wish of a person to end a session.
#[derive(Clone, Debug)]
pub struct EndRequest {
    /// The session.
    pub id: SessionId,
    /// When it ended, in Unix ms; `None` is now.
    pub ended_ms: Option<i64>,
    /// Why.
    pub reason: EndReason,
}

/// The answer to an [`EndRequest`] that is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndDecision {
    /// This end must be stored.
    Store(SessionEnd),
    /// The same request has ended the session before.
    Done {
        /// The id of its event.
        event_id: EventId,
        /// When it ended, in Unix ms.
        ended_ms: i64,
    },
}

/// Why a session cannot be ended.
#[derive(Debug, thiserror::Error)]
pub enum EndError {
    /// The index does not know the session.
    #[error("there is no session `{0}`")]
    Absent(SessionId),
    /// It is not live.
    #[error("the session `{id}` is not live: it {}", ended_how(view))]
    NotLive {
        /// The session's id.
        id: SessionId,
        /// The session as it is.
        view: Box<SessionView>,
    },
    /// The time does not fit.
    #[error("the end {0}")]
    Time(SessionEndError),
    /// The index or the journal cannot be read.
    #[error(transparent)]
    Index(#[from] IndexError),
}

impl EndRequest {
    /// Decides at `now_ms` (Unix ms).
    ///
    /// # Errors
    /// The session does not exist or is not live, the time does not fit, or the index or the journal cannot be read.
    pub fn decide(
        self,
        index: &index::Reader,
        journal: &journal::Reader,
        now_ms: i64,
    ) -> Result<EndDecision, EndError> {
        let Some(view) = index.session(&self.id, now_ms)? else { return Err(EndError::Absent(self.id)) };
        let times = EndTimes { started_ms: view.started.0, ended_ms: self.ended_ms.unwrap_or(now_ms), now_ms };
        let key = partition_key(&view, index, journal, now_ms)?;
        let end = SessionEnd::new(PartitionKey::from_text(&key), &view.sequence, times, self.reason);
        let end = end.map_err(EndError::Time)?;
        match view.state {
            State::Live => Ok(EndDecision::Store(end)),
            _ if view.manual_end_event_id == Some(end.id()) => {
                Ok(EndDecision::Done { event_id: end.id(), ended_ms: end.ended_ms() })
            }
            _ => Err(EndError::NotLive { id: self.id, view: Box::new(view) }),
        }
    }
}

/// Returns the partition key of the session's events. Sinks keep the order of one key, and the index alone does not know it: it
/// writes domains in lower case.
fn partition_key(
    view: &SessionView,
    index: &index::Reader,
    journal: &journal::Reader,
    now_ms: i64,
) -> Result<String, IndexError> {
    let events = SessionEvents::of(view, index, journal, now_ms)?;
    let first = events.records().next().transpose()?;
    Ok(match first {
        Some(record) => record.event.partition_key().as_str().to_owned(),
        // The journal has pruned all of them, so there is no order to keep.
        None => StreamKey::from_parts(&view.domain, &view.app_name, &view.stream).as_str().to_owned(),
    })
}

/// Continues the sentence "it ...".
fn ended_how(view: &SessionView) -> String {
    let ended = view.ended.map_or_else(String::new, |ended| format!(" at {ended}"));
    match (view.state, view.stop_event_id) {
        (State::Stale, _) => "is stale, so it no longer counts as live".to_owned(),
        (_, Some(_)) => format!("has stopped{ended}"),
        (_, None) => {
            let why = view.reason.as_ref().and_then(|reason| reason.errmsg.as_deref()).unwrap_or_default();
            format!("was ended by a person{ended} ({why})")
        }
    }
}

#[cfg(test)]
mod tests;
