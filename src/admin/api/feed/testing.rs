//! Journals, filters and messages for the tests of the feed.

use bytes::Bytes;

use super::batch::{Batch, Section, render};
use super::filter::Filter;
use super::point::{JournalMark, Point};
use crate::admin::api::follow::FeedParameters;
use crate::admin::api::parameters::StreamParameters;
use crate::admin::api::query::Query;
use crate::admin::api::readers::Reader;
use crate::callback::Event;
use crate::history::testing::{BEGIN_SECS, Data};
use crate::journal::Offset;

/// The time of the tests, in Unix ms.
pub(super) const NOW_MS: i64 = (BEGIN_SECS + 100) * 1000;

/// A journal with events, and an index of it.
pub(super) struct Recorded {
    pub(super) data: Data,
    pub(super) mark: JournalMark,
}

impl Recorded {
    /// Stores the events that `make` returns.
    pub(super) fn new(make: impl FnOnce(&Data) -> Vec<Event>) -> Recorded {
        let data = Data::new();
        data.write(make(&data));
        data.index_all();
        let mark = JournalMark::of(&data.readers().0.generation().unwrap());
        Recorded { data, mark }
    }

    /// Stores pushes of the stream `a`, each of a session of its own.
    pub(super) fn pushes(count: i64) -> Recorded {
        Recorded::new(|data| (0..count).map(|number| data.push("a", number)).collect())
    }

    pub(super) fn render(&self, after: i64, until: i64, filter: &Filter) -> Vec<Batch> {
        let (journal, index) = self.data.readers();
        let reader = Reader { journal, index: Some(index) };
        let section = Section { after: Offset(after), until: Offset(until), records_max: 100 };
        render(&reader, section, filter, NOW_MS).unwrap_or_else(|_| panic!("the journal cannot be read"))
    }

    /// Returns the text that a subscriber gets of batches that are made for all subscribers.
    pub(super) fn shared(&self, query: &str, place: i64) -> String {
        let batches = self.render(0, 1000, &Filter::default());
        text(batches.iter().flat_map(|batch| batch.pieces(&filter(query), Offset(place))))
    }

    /// Returns the text that a subscriber gets that reads the journal by itself.
    pub(super) fn own(&self, query: &str) -> String {
        let filter = filter(query);
        let batches = self.render(0, 1000, &filter);
        text(batches.iter().flat_map(|batch| batch.pieces(&filter, Offset(0))))
    }

    /// Deletes records, given by a list of offsets for SQL.
    pub(super) fn delete(&self, offsets: &str) {
        let connection = rusqlite::Connection::open(self.data.path().join("journal.db")).unwrap();
        connection.execute(&format!("DELETE FROM records WHERE offset IN ({offsets})"), []).unwrap();
    }
}

pub(super) fn filter(query: &str) -> Filter {
    let query = Query::<(StreamParameters, FeedParameters)>::read("/feed", query).unwrap();
    let (streams, parameters) = query.parameters;
    parameters.filter(streams, None)
}

pub(super) fn text(pieces: impl IntoIterator<Item = Bytes>) -> String {
    String::from_utf8(pieces.into_iter().flatten().collect()).unwrap()
}

/// Returns the messages of a text, each with its kind, a summary of its data, and the offset of its id.
pub(super) fn messages(text: &str) -> Vec<(String, String, Option<i64>)> {
    assert!(text.is_empty() || text.ends_with("\n\n"), "{text}");
    let messages = text.split_terminator("\n\n").map(|message| {
        let mut lines = message.lines();
        let kind = lines.next().unwrap().strip_prefix("event: ").unwrap().to_owned();
        let data: serde_json::Value =
            serde_json::from_str(lines.next().unwrap().strip_prefix("data: ").unwrap()).unwrap();
        let id = lines.next().map(|line| line.strip_prefix("id: ").unwrap().parse::<Point>().unwrap().offset.0);
        assert_eq!(lines.next(), None, "{message}");
        let summary = match kind.as_str() {
            "event" => data["type"].as_str().unwrap().to_owned(),
            "session" => format!("{} {}", data["sequence"].as_str().unwrap(), data["state"].as_str().unwrap()),
            _ => format!("{data}"),
        };
        (kind, summary, id)
    });
    messages.collect()
}

/// Returns the messages of a text as one line each, such as `session 7 live #8`.
pub(super) fn summaries(text: &str) -> Vec<String> {
    let summaries = messages(text).into_iter().map(|(kind, summary, id)| match id {
        Some(id) => format!("{kind} {summary} #{id}"),
        None => format!("{kind} {summary}"),
    });
    summaries.collect()
}
