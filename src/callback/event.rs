//! A verified callback in its normal form.

use std::borrow::Cow;
use std::sync::Arc;

use super::earlier_line;
use super::event_id::EventId;
use super::event_line::{self, Places};
use super::event_type::EventType;
use super::instance_name::InstanceName;
use super::json;
use super::parse::Callback;
use super::partition_key::PartitionKey;
use super::redact::Redactor;
use super::session_end::SessionEnd;
use super::stream_members::StreamValues;

/// A verified callback, or the end of a session that a person set. Cheap to clone. Only [`super::Verifier::verify`] and
/// [`Event::of_session_end`] make one, and the journal when it reads one back.
#[derive(Clone, Debug)]
pub struct Event {
    id: EventId,
    event_type: EventType,
    received_ms: i64,
    line: Arc<str>,
    places: Places,
}

/// An event that was read back doesn't know the places of the members in `data`, and is equal even so.
impl PartialEq for Event {
    fn eq(&self, other: &Event) -> bool {
        (self.id, self.event_type, self.received_ms) == (other.id, other.event_type, other.received_ms)
            && (&self.line, &self.places.partition_key) == (&other.line, &other.places.partition_key)
            && self.places.sequence == other.places.sequence
    }
}

impl Eq for Event {}

impl Event {
    /// Makes the event of a callback, which was received at `received_ms` (Unix ms). `verified` is false if the callback was
    /// accepted without a signature.
    pub(super) fn new(callback: &Callback<'_>, verified: bool, received_ms: i64, redactor: &Redactor) -> Event {
        let id = EventId::of(callback);
        let (line, places) = event_line::write(callback, id, verified, received_ms, redactor);
        Event { id, event_type: callback.event_type, received_ms, line: line.into(), places }
    }

    /// Makes livehook's own event of the end of a session, which livehook took at `received_ms` (Unix ms).
    pub fn of_session_end(end: &SessionEnd, instance: &InstanceName, received_ms: i64) -> Event {
        let (line, places) = end.write_line(instance, received_ms);
        Event { id: end.id(), event_type: EventType::SessionEnded, received_ms, line: line.into(), places }
    }

    /// Restores a stored event. Only the journal may call it, because it does not compare `id`, `event_type` and `received_ms` with
    /// the line. `None` if `line` is not the line of an event.
    pub(crate) fn restore(id: EventId, event_type: EventType, received_ms: i64, line: &str) -> Option<Event> {
        let (line, places) = event_line::renewed(line)?;
        Some(Event { id, event_type, received_ms, line: line.into(), places })
    }

    /// The dedupe key: every retry and every instance gives the same event the same id.
    pub fn id(&self) -> EventId {
        self.id
    }

    /// The kind of event.
    pub fn event_type(&self) -> EventType {
        self.event_type
    }

    /// When livehook received the callback, in Unix ms.
    pub fn received_ms(&self) -> i64 {
        self.received_ms
    }

    /// `domain/app name/stream`, each percent-encoded; an absent part is empty. Sinks get the events of one key in order.
    pub fn partition_key(&self) -> PartitionKey<'_> {
        let place = &self.places.partition_key;
        PartitionKey(&self.line[place.start as usize..place.end as usize])
    }

    /// The vendor's `sequence`, which the events of one push share. It is text, because its number is above 2^53. Don't sort by it.
    /// `None` if the callback has none, as for most types. Borrows if the text has no escapes.
    pub fn sequence(&self) -> Option<Cow<'_, str>> {
        let place = self.places.sequence.as_ref()?;
        json::string(&self.line[place.start as usize..place.end as usize])
    }

    /// Whether a signature proves the callback. The types of `unsigned_event_types` need none.
    pub fn is_verified(&self) -> bool {
        event_line::is_verified(&self.line, &self.places)
    }

    /// Returns this event as a verified one, because `proof` is a verified event of the same callback. `None` if it is verified
    /// already, or if `proof` proves nothing.
    pub fn confirmed_by(&self, proof: &Event) -> Option<Event> {
        if proof.id != self.id || !proof.is_verified() {
            return None;
        }
        let line = event_line::with_verified(&self.line, &self.places, true)?;
        Some(Event { line: line.into(), places: self.places.clone(), ..*self })
    }

    /// The members of `data`: each name, and its value as JSON text. `None` if a damaged journal has a line without `data`.
    pub(super) fn data_members(&self) -> Option<impl Iterator<Item = (&str, &str)>> {
        event_line::data_members(&self.line, &self.places)
    }

    /// The members of a push or stop that livehook reads again. `None` if a damaged journal has a line without `data`.
    pub(super) fn stream_values(&self) -> Option<StreamValues<'_>> {
        event_line::stream_values(&self.line, &self.places)
    }

    /// The object `data` as JSON text: the vendor's members, without `sign` and `t`. `{}` if a damaged journal has a line without it.
    pub(crate) fn data(&self) -> &str {
        event_line::data(&self.line, &self.places).unwrap_or("{}")
    }

    /// The event as a CloudEvents 1.0 JSON object on one line, without a line end.
    pub fn line(&self) -> &str {
        &self.line
    }

    /// Returns how many bytes of the line are missing after `written`: 0 if it is the whole line. `None` if the line does not start
    /// with `written`. An earlier version may have written the text, or this one before a signed copy confirmed the event.
    pub(crate) fn missing_bytes(&self, written: &[u8]) -> Option<usize> {
        let missing = |line: &str| earlier_line::missing_bytes(line, written);
        missing(&self.line).or_else(|| {
            let unconfirmed = event_line::with_verified(&self.line, &self.places, false)?;
            missing(&unconfirmed)
        })
    }
}

#[cfg(test)]
mod tests;
