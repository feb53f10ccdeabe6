//! The end of a session that a person sets, because a stop can be lost: livehook's own event `livehook.session.ended`.
//!
//! The event has no signature. Its proof is a [`SessionEnd`]: only [`SessionEnd::new`] makes one, and it checks the times and the
//! reason. Whether the session exists and is live is for the caller to check, because only the index knows that.

use std::fmt::Write;
use std::str::FromStr;

use super::event_id::EventId;
use super::event_line::{Places, attribute};
use super::event_type::EventType;
use super::instance_name::InstanceName;
use super::json;
use super::partition_key::PartitionKey;
use super::time_text::timestamp;
use crate::moment::Moment;
use crate::printable::printable_again;

/// The most characters of a reason.
const REASON_CHARACTERS_MAX: usize = 256;

/// Why a person ended a session: one line of 1 to 256 visible characters, without white space at its ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndReason(String);

/// A text that cannot be an [`EndReason`].
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("must be one line of 1 to 256 visible characters, such as \"the encoder lost power\"")]
pub struct InvalidEndReason;

impl EndReason {
    /// Returns the reason as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EndReason {
    type Err = InvalidEndReason;

    fn from_str(text: &str) -> Result<EndReason, InvalidEndReason> {
        let text = text.trim();
        // A text that needs no escape has no line end, no control character, and nothing invisible.
        let is_visible = printable_again(text, REASON_CHARACTERS_MAX) == text;
        if is_visible && !text.is_empty() { Ok(EndReason(text.to_owned())) } else { Err(InvalidEndReason) }
    }
}

/// The times of the end of a session, all in Unix ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndTimes {
    /// When the session started.
    pub started_ms: i64,
    /// When it ended.
    pub ended_ms: i64,
    /// The current time.
    pub now_ms: i64,
}

/// The end of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionEnd {
    partition_key: String,
    sequence: String,
    ended_ms: i64,
    reason: EndReason,
}

/// Why a session cannot end at a time.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SessionEndError {
    /// The time is before the session's start.
    #[error("is before the start of the session, which is {}", Moment(*.0))]
    BeforeStart(i64),
    /// The time has not come.
    #[error("is in the future; the time now is {}", Moment(*.0))]
    InFuture(i64),
}

impl SessionEnd {
    /// Checks the end of a session. `partition_key` is the one of the session's events, so that sinks keep their order.
    ///
    /// # Errors
    /// The end is before the start, or in the future.
    pub fn new(
        partition_key: PartitionKey<'_>,
        sequence: &str,
        times: EndTimes,
        reason: EndReason,
    ) -> Result<SessionEnd, SessionEndError> {
        let EndTimes { started_ms, ended_ms, now_ms } = times;
        if ended_ms > now_ms {
            return Err(SessionEndError::InFuture(now_ms));
        }
        // If a clock of CSS is ahead, a session can start in the future. It can end now nevertheless.
        if ended_ms < started_ms.min(now_ms) {
            return Err(SessionEndError::BeforeStart(started_ms));
        }
        let (partition_key, sequence) = (partition_key.as_str().to_owned(), sequence.to_owned());
        Ok(SessionEnd { partition_key, sequence, ended_ms, reason })
    }

    /// The id of the event. The same session, time and reason give the same id, so a repeated request makes no second event.
    pub fn id(&self) -> EventId {
        // No callback has these members: each has `event_type`.
        let members = [
            ("type", "livehook.session.ended"),
            ("partitionkey", self.partition_key.as_str()),
            ("pushsequence", self.sequence.as_str()),
            ("why", self.reason.as_str()),
        ];
        EventId::of_members(members.into_iter(), Some(self.ended_ms))
    }

    /// When the session ended, in Unix ms.
    pub fn ended_ms(&self) -> i64 {
        self.ended_ms
    }

    /// Writes the line of the event.
    pub(super) fn write_line(&self, instance: &InstanceName, received_ms: i64) -> (String, Places) {
        let key = PartitionKey::from_text(&self.partition_key);
        let (event_type, ended) = (EventType::SessionEnded, timestamp(self.ended_ms));
        let mut line = format!(
            r#"{{"specversion":"1.0","id":"{}","source":"/livehook/{instance}","type":"{}""#,
            self.id(),
            event_type.cloud_event_type()
        );
        let stream = key.stream();
        if !stream.is_empty() {
            line.push_str(r#","subject":"#);
            json::write_string(&mut line, &attribute(&stream));
        }
        let _ = write!(line, r#","time":"{ended}","datacontenttype":"application/json","pushsequence":"#);
        let start = line.len();
        json::write_string(&mut line, &self.sequence);
        let sequence = start as u32..line.len() as u32;
        line.push_str(r#","partitionkey":""#);
        let start = line.len();
        line.push_str(&self.partition_key);
        let partition_key = start as u32..line.len() as u32;
        let received = timestamp(received_ms);
        let _ = write!(
            line,
            r#"","verified":true,"receivedtime":"{received:.3}","data":{{"event_type":{}"#,
            event_type.number()
        );
        for (name, value) in [
            ("domain", key.domain().as_ref()),
            ("appname", key.app_name().as_ref()),
            ("stream_id", stream.as_ref()),
            ("sequence", &self.sequence),
            ("why", self.reason.as_str()),
        ] {
            let _ = write!(line, r#","{name}":"#);
            json::write_string(&mut line, value);
        }
        line.push_str("}}");
        (line, Places { partition_key, sequence: Some(sequence), stream: None })
    }
}

#[cfg(test)]
mod tests;
