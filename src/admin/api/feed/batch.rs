//! Turns records into messages, once for all subscribers that get them.
//!
//! A record is one message (`event: event`) or more: the last record of a session in a batch is followed by the changed session
//! (`event: session`). The id is in the last message of a record, so a client that reconnects with it has missed no other. A
//! subscriber that wants only some messages gets slices of the shared text, and holds no text of its own.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Range;

use bytes::Bytes;

use super::filter::{Filter, Names};
use super::point::{Gap, GapReason, JournalMark, Point};
use crate::admin::api::json::json;
use crate::admin::api::readers::{Failure, Reader};
use crate::callback::{Event, EventType};
use crate::index;
use crate::journal::{self, JournalError, Offset, Record};
use crate::session::{Fact, SessionId};

/// A batch ends after the record with which it reaches this size. A subscriber that does not read holds on to one batch.
pub(super) const BATCH_BYTES_MAX: usize = 128 * 1024;

/// How many bytes are written to a connection at a time.
pub(super) const PIECE_BYTES_MAX: usize = 16 * 1024;

/// Consecutive records, as messages.
#[derive(Debug)]
pub(super) struct Batch {
    /// The batch begins after this record.
    pub(super) after: Offset,
    /// The batch ends with this record. Some records in between may have been filtered out.
    pub(super) until: Offset,
    pub(super) text: Bytes,
    entries: Vec<Entry>,
    /// How many bytes at the start of the text are a message about a gap before the first record.
    gap_bytes: usize,
}

/// The place of one record in the text.
#[derive(Debug)]
struct Entry {
    offset: Offset,
    received_ms: i64,
    event_type: EventType,
    names: Names,
    event: Range<usize>,
    /// The messages about sessions; empty if there are none.
    session: Range<usize>,
    /// The id, with the end of the message that it is in.
    id: Range<usize>,
}

/// Which records to turn into messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Section {
    /// The records after this one,
    pub(super) after: Offset,
    /// up to this one,
    pub(super) until: Offset,
    /// and at most this many.
    pub(super) records_max: usize,
}

/// Turns records into messages, except records that the filter leaves out. Returns at least one batch; each batch begins
/// after the last record of the one before. `now_ms` is the current time in Unix ms.
///
/// # Errors
/// The journal or the index cannot be read.
pub(super) fn render(reader: &Reader, section: Section, filter: &Filter, now_ms: i64) -> Result<Vec<Batch>, Failure> {
    let Section { after, until, records_max } = section;
    let mark = JournalMark::of(&reader.journal.generation()?);
    let mut records = reader.journal.read(after, records_max)?;
    let gap_end = gap_end(&reader.journal, after, records.first(), until)?;
    // The journal can be ahead of the index, and a session must be sent as its record has left it.
    records.retain(|record| record.offset <= until);
    // Without a record in the section, the section is done up to its end.
    let until = records.last().map_or(until, |last| last.offset);

    let wanted: Vec<(Names, Record)> = records
        .into_iter()
        .map(|record| (names(&record.event), record))
        .filter(|(names, record)| filter.wants(names, record.event.received_ms()))
        .collect();
    let mut sessions = match &reader.index {
        Some(index) if filter.wants_sessions() => sessions(index, &wanted, now_ms)?,
        _ => HashMap::new(),
    };

    let mut writer = Writer::new(mark, after);
    if let Some(gap_end) = gap_end {
        writer.gap(after, gap_end);
    }
    for (names, record) in wanted {
        let sessions = sessions.remove(&record.offset).unwrap_or_default();
        if !sessions.is_empty() || filter.wants_events(record.event.event_type()) {
            writer.record(record, names, &sessions);
        }
    }
    Ok(writer.finish(until))
}

/// Returns the JSON of the sessions that the records have changed, each at the last record that changed it.
fn sessions(
    index: &index::Reader,
    records: &[(Names, Record)],
    now_ms: i64,
) -> Result<HashMap<Offset, Vec<String>>, Failure> {
    let mut last: BTreeMap<SessionId, Offset> = BTreeMap::new();
    for (_, Record { offset, event }) in records {
        let changed = match event.event_type() {
            EventType::Recording | EventType::Screenshot => index.sessions_of_media(*offset, now_ms)?,
            _ => Fact::session_of(event).into_iter().collect(),
        };
        last.extend(changed.into_iter().map(|session| (session, *offset)));
    }
    let mut sessions: HashMap<Offset, Vec<String>> = HashMap::new();
    for (session, offset) in last {
        if let Some(view) = index.session(&session, now_ms)? {
            sessions.entry(offset).or_default().push(json(&view));
        }
    }
    Ok(sessions)
}

/// Returns the end of the gap after the record at `after`; `None` if no record was pruned there. If that record or the one
/// directly after it exists, nothing was pruned, because pruning removes the oldest records first.
fn gap_end(
    journal: &journal::Reader,
    after: Offset,
    next: Option<&Record>,
    until: Offset,
) -> Result<Option<Offset>, JournalError> {
    let end = next.map_or(until, |next| next.offset.before().min(until));
    Ok(if end > after && journal.get(after)?.is_none() { Some(end) } else { None })
}

fn names(event: &Event) -> Names {
    let key = event.partition_key();
    Names {
        domain: key.domain().into_owned(),
        app_name: key.app_name().into_owned(),
        stream: key.stream().into_owned(),
    }
}

/// Writes a message without its end. `data` must be one line.
pub(super) fn message(text: &mut String, kind: &str, data: &str) {
    for part in ["event: ", kind, "\ndata: ", data, "\n"] {
        text.push_str(part);
    }
}

/// Writes the id of a message, and the message's end.
pub(super) fn id(text: &mut String, point: &Point) {
    text.push_str(&format!("id: {point}\n\n"));
}

struct Writer {
    mark: JournalMark,
    after: Offset,
    text: String,
    entries: Vec<Entry>,
    gap_bytes: usize,
    done: Vec<Batch>,
}

impl Writer {
    fn new(mark: JournalMark, after: Offset) -> Writer {
        Writer { mark, after, text: String::new(), entries: Vec::new(), gap_bytes: 0, done: Vec::new() }
    }

    fn gap(&mut self, from: Offset, to: Offset) {
        let gap = Gap { reason: GapReason::Pruned, from: self.mark.at(from), to: self.mark.at(to) };
        message(&mut self.text, "gap", &json(&gap));
        id(&mut self.text, &gap.to);
        self.gap_bytes = self.text.len();
    }

    fn record(&mut self, record: Record, names: Names, sessions: &[String]) {
        let Record { offset, event } = record;
        let start = self.text.len();
        message(&mut self.text, "event", event.line());
        let mut event_end = None;
        for session in sessions {
            // This ends the message before, which has no id.
            self.text.push('\n');
            event_end.get_or_insert(self.text.len());
            message(&mut self.text, "session", session);
        }
        let id_start = self.text.len();
        id(&mut self.text, &self.mark.at(offset));
        let end = self.text.len();
        let event_end = event_end.unwrap_or(end);
        self.entries.push(Entry {
            offset,
            received_ms: event.received_ms(),
            event_type: event.event_type(),
            names,
            event: start..event_end,
            session: event_end..end,
            id: id_start..end,
        });
        if end >= BATCH_BYTES_MAX {
            self.end_batch(offset);
        }
    }

    fn end_batch(&mut self, until: Offset) {
        self.done.push(Batch {
            after: self.after,
            until,
            text: Bytes::from(std::mem::take(&mut self.text)),
            entries: std::mem::take(&mut self.entries),
            gap_bytes: std::mem::take(&mut self.gap_bytes),
        });
        self.after = until;
    }

    fn finish(mut self, until: Offset) -> Vec<Batch> {
        if self.done.is_empty() || self.after < until || !self.text.is_empty() {
            self.end_batch(until);
        }
        self.done
    }
}

impl Batch {
    /// Returns the messages after `place` that the filter passes, in pieces that share the text of the batch.
    pub(super) fn pieces(&self, filter: &Filter, place: Offset) -> VecDeque<Bytes> {
        let mut pieces = VecDeque::new();
        for range in self.ranges(filter, place) {
            let mut start = range.start;
            while start < range.end {
                let end = range.end.min(start + PIECE_BYTES_MAX);
                pieces.push_back(self.text.slice(start..end));
                start = end;
            }
        }
        pieces
    }

    /// Returns the parts of the text to send, in order. Parts that touch are joined.
    fn ranges(&self, filter: &Filter, place: Offset) -> Vec<Range<usize>> {
        // The most common subscriber has no filter, and gets the shared text as it is.
        if filter.is_open() && place <= self.after {
            return std::iter::once(0..self.text.len()).collect();
        }
        let mut ranges: Vec<Range<usize>> = Vec::new();
        let mut add = |range: Range<usize>| match ranges.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => ranges.push(range),
        };
        if place <= self.after {
            add(0..self.gap_bytes);
        }
        let entries = self.entries.iter().filter(|entry| entry.offset > place);
        for entry in entries.filter(|entry| filter.wants(&entry.names, entry.received_ms)) {
            let wants_session = filter.wants_sessions() && !entry.session.is_empty();
            match (filter.wants_events(entry.event_type), wants_session) {
                (true, true) => add(entry.event.start..entry.id.end),
                (true, false) if entry.session.is_empty() => add(entry.event.clone()),
                (true, false) => {
                    // Without the empty line that ends the event's message, because the id comes before that line.
                    add(entry.event.start..entry.event.end - 1);
                    add(entry.id.clone());
                }
                (false, true) => add(entry.session.clone()),
                (false, false) => {}
            }
        }
        ranges
    }
}

#[cfg(test)]
mod tests;
