//! Records made into messages of the feed, once for all that are given them.
//!
//! A record is one message, `event: event`, or more: the last record of a session among those that are read together is
//! followed by what the session has become, `event: session`. The id stands in the last message of a record, so that
//! nobody who comes back with it has missed another. Of what is wanted in part, the parts of the text are given: no
//! subscriber has a text of its own.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::Range;

use bytes::Bytes;

use super::filter::{Filter, Names};
use super::point::{Gap, GapReason, JournalMark, Point};
use crate::admin::api::readers::{Failure, Reader};
use crate::admin::api::text_of;
use crate::callback::{Event, EventType};
use crate::index;
use crate::journal::{self, JournalError, Offset, Record};
use crate::session::{Fact, SessionId};

/// How many bytes a batch has at most, beyond its last record. A subscriber that does not read holds on to one.
pub(super) const BATCH_BYTES_MAX: usize = 128 * 1024;

/// How many bytes are handed to a connection at a time.
pub(super) const PIECE_BYTES_MAX: usize = 16 * 1024;

/// Some records in a row, as messages.
#[derive(Debug)]
pub(super) struct Batch {
    /// Its records stand after this.
    pub(super) after: Offset,
    /// Every record up to here is in it, or was not wanted.
    pub(super) until: Offset,
    pub(super) text: Bytes,
    entries: Vec<Entry>,
    /// How much of the text, from its start, says that records before the first are missing.
    gap_bytes: usize,
}

/// One record, and where in the text it stands.
#[derive(Debug)]
struct Entry {
    offset: Offset,
    received_ms: i64,
    event_type: EventType,
    names: Names,
    event: Range<usize>,
    /// Those behind the event; empty where there is none.
    session: Range<usize>,
    /// The id with the end of the message that it belongs to.
    id: Range<usize>,
}

/// Which records are to be made into messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Section {
    /// Those after this,
    pub(super) after: Offset,
    /// up to this,
    pub(super) until: Offset,
    /// at most so many.
    pub(super) records_max: usize,
}

/// Makes records into messages, those of which the filter wants something: at least one batch, each beginning where the
/// one before ends. Sessions are as they are at `now_ms`.
///
/// # Errors
/// The journal or the index cannot be read.
pub(super) fn render(reader: &Reader, section: Section, filter: &Filter, now_ms: i64) -> Result<Vec<Batch>, Failure> {
    let Section { after, until, records_max } = section;
    let mark = JournalMark::of(&reader.journal.generation()?);
    let mut records = reader.journal.read(after, records_max)?;
    let gap_end = gap_end(&reader.journal, after, records.first(), until)?;
    records.retain(|record| record.offset <= until);
    // Where nothing is left of those that were asked for, there is nothing up to the end.
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

/// What the sessions have become that records name, or count towards, each by the last of its records.
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
    let mut told: HashMap<Offset, Vec<String>> = HashMap::new();
    for (session, offset) in last {
        if let Some(view) = index.session(&session, now_ms)? {
            told.entry(offset).or_default().push(text_of(&view));
        }
    }
    Ok(told)
}

/// Where a gap ends that begins at `after`, if there is one. The record at `after`, or the one that follows it directly,
/// proves that nothing was pruned in between.
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

/// A message without its end. The data must have no line end.
pub(super) fn message(text: &mut String, kind: &str, data: &str) {
    for part in ["event: ", kind, "\ndata: ", data, "\n"] {
        text.push_str(part);
    }
}

/// The id of a message, and the message's end.
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
        message(&mut self.text, "gap", &text_of(&gap));
        id(&mut self.text, &gap.to);
        self.gap_bytes = self.text.len();
    }

    fn record(&mut self, record: Record, names: Names, sessions: &[String]) {
        let Record { offset, event } = record;
        let start = self.text.len();
        message(&mut self.text, "event", event.line());
        let mut event_end = None;
        for session in sessions {
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
    /// What the filter lets pass of the records after `place`, in pieces of bounded size that share the batch's text.
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

    /// The parts of the text that are to be given, in order and not touching each other.
    fn ranges(&self, filter: &Filter, place: Offset) -> Vec<Range<usize>> {
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
                    // The line end that ends the message comes with the id.
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
pub(super) mod tests;
