use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

use super::{BATCH_BYTES_MAX, Batch, PIECE_BYTES_MAX, Section, render};
use crate::admin::api::feed::filter::Filter;
use crate::admin::api::feed::point::{JournalMark, Point};
use crate::admin::api::parameters::Parameters;
use crate::admin::api::readers::Reader;
use crate::callback::{Callback, Event, Options as VerifierOptions, Verifier};
use crate::index;
use crate::journal::{self, Journal, Offset, Options, SqliteJournal};

/// A data directory with events, and the index of them.
pub(in crate::admin::api::feed) struct Data {
    directory: tempfile::TempDir,
    pub(in crate::admin::api::feed) mark: JournalMark,
}

fn event(body: &str) -> Event {
    let verifier = Verifier::new(VerifierOptions { allow_unsigned: true, ..VerifierOptions::default() }).unwrap();
    verifier.verify(&Callback::parse(body.as_bytes()).unwrap(), 1_700_000_000_000).unwrap()
}

/// A push, or a stop for an odd number; of stream and sequence.
pub(in crate::admin::api::feed) fn body(number: u32, stream: &str, sequence: u32) -> String {
    let event_type = u8::from(number.is_multiple_of(2));
    format!(
        r#"{{"event_type":{event_type},"app":"push.example.com","appname":"live","stream_id":"{stream}","event_time":{},"sequence":"{sequence}","errcode":0}}"#,
        1_700_000_000 + number
    )
}

impl Data {
    pub(in crate::admin::api::feed) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(in crate::admin::api::feed) async fn of(bodies: &[String]) -> Data {
        let directory = tempfile::tempdir().unwrap();
        let options = Options { retention_days: 100_000, ..Options::default() };
        let opened =
            SqliteJournal::open(directory.path(), &options, &[], Arc::default(), crate::clock::system_clock).unwrap();
        let wakeups = tokio::spawn(opened.wakeups.run());
        for body in bodies {
            opened.journal.append(event(body)).await.unwrap();
        }
        opened.journal.close();
        wakeups.await.unwrap().unwrap();
        opened.journal.join();
        drop(opened.journal);
        drop(opened.consumers);
        drop(index::Store::open(directory.path(), &index::Options::default()).unwrap());
        index::rebuild(directory.path(), &index::Options::default(), |_, _| {}).unwrap();
        let generation = journal::Reader::open(directory.path()).unwrap().generation().unwrap();
        Data { directory, mark: JournalMark::of(&generation) }
    }

    fn reader(&self) -> Reader {
        let path = self.directory.path();
        Reader { index: Some(index::Reader::open(path).unwrap()), journal: journal::Reader::open(path).unwrap() }
    }

    pub(in crate::admin::api::feed) fn render(&self, after: i64, until: i64, filter: &Filter) -> Vec<Batch> {
        let section = Section { after: Offset(after), until: Offset(until), records_max: 100 };
        render(&self.reader(), section, filter, 1_700_000_100_000).unwrap_or_else(|_| panic!("it cannot be read"))
    }

    /// What a subscriber gets of the batches that are made for all.
    fn shared(&self, query: &str, place: i64) -> String {
        let batches = self.render(0, 1000, &Filter::default());
        text(batches.iter().flat_map(|batch| batch.pieces(&filter(query), Offset(place))))
    }

    /// What a subscriber gets that is behind.
    fn own(&self, query: &str) -> String {
        let filter = filter(query);
        let batches = self.render(0, 1000, &filter);
        text(batches.iter().flat_map(|batch| batch.pieces(&filter, Offset(0))))
    }

    fn delete(&self, offsets: &str) {
        let connection = rusqlite::Connection::open(self.directory.path().join("journal.db")).unwrap();
        connection.execute(&format!("DELETE FROM records WHERE offset IN ({offsets})"), []).unwrap();
    }
}

pub(in crate::admin::api::feed) fn filter(query: &str) -> Filter {
    Filter::of(&mut Parameters::of(Some(query))).unwrap()
}

fn text(pieces: impl Iterator<Item = Bytes>) -> String {
    String::from_utf8(pieces.flatten().collect()).unwrap()
}

/// The messages of a text, each by its kind, what its data is about, and the offset of its id.
fn messages(text: &str) -> Vec<(String, String, Option<i64>)> {
    assert!(text.is_empty() || text.ends_with("\n\n"), "{text}");
    let messages = text.split_terminator("\n\n").map(|message| {
        let mut lines = message.lines();
        let kind = lines.next().unwrap().strip_prefix("event: ").unwrap().to_owned();
        let data: serde_json::Value =
            serde_json::from_str(lines.next().unwrap().strip_prefix("data: ").unwrap()).unwrap();
        let id = lines.next().map(|line| line.strip_prefix("id: ").unwrap().parse::<Point>().unwrap().offset.0);
        assert_eq!(lines.next(), None, "{message}");
        let about = match kind.as_str() {
            "event" => data["type"].as_str().unwrap().to_owned(),
            "session" => format!("{} {}", data["sequence"].as_str().unwrap(), data["state"].as_str().unwrap()),
            _ => format!("{data}"),
        };
        (kind, about, id)
    });
    messages.collect()
}

pub(in crate::admin::api::feed) fn told(text: &str) -> Vec<String> {
    let messages = messages(text).into_iter().map(|(kind, about, id)| match id {
        Some(id) => format!("{kind} {about} #{id}"),
        None => format!("{kind} {about}"),
    });
    messages.collect()
}

/// A push of `a`, one of `b`, and the stop of `a`.
async fn three() -> Data {
    Data::of(&[body(0, "a", 1), body(2, "b", 2), body(1, "a", 1)]).await
}

#[tokio::test]
async fn a_recording_and_a_screenshot_are_followed_by_the_sessions_that_they_count_towards() {
    let of_stream =
        |members: &str| format!(r#"{{"app":"push.example.com","appname":"live","stream_id":"a",{members}}}"#);
    let bodies = [
        body(0, "a", 1),
        body(1, "a", 1),
        body(10, "a", 2),
        of_stream(r#""event_type":200,"create_time":1700000012"#),
        of_stream(r#""event_type":100,"start_time":1700000000,"end_time":1700000013"#),
        of_stream(r#""event_type":200,"create_time":1700000005"#),
    ];
    let data = Data::of(&bodies).await;
    let of_media = ["session 1 ended", "session 2 live #5"];
    let mut all = vec![
        "event tencent.css.push #1",
        "event tencent.css.stop #2",
        "event tencent.css.push #3",
        "event tencent.css.screenshot #4",
        "event tencent.css.recording",
    ];
    all.extend(of_media);
    all.push("event tencent.css.screenshot #6");
    assert_eq!(told(&data.shared("", 0)), all);
    assert_eq!(told(&data.own("")), all);
    assert_eq!(told(&data.shared("kind=session", 3)), of_media);
    assert_eq!(told(&data.own("kind=session")), of_media);
    let session = data.own("kind=session");
    assert_eq!(session.matches(r#""recordings":1,"#).count(), 2, "{session}");
    assert_eq!(told(&data.shared("kind=event&type=recording", 3)), ["event tencent.css.recording #5"]);
}

#[tokio::test]
async fn a_session_follows_its_last_record_and_the_id_stands_in_the_last_message_of_a_record() {
    let all = [
        "event tencent.css.push #1",
        "event tencent.css.push",
        "session 2 live #2",
        "event tencent.css.stop",
        "session 1 ended #3",
    ];
    let data = three().await;
    assert_eq!(told(&data.shared("", 0)), all);
    assert_eq!(told(&data.own("")), all);
}

#[tokio::test]
async fn whoever_wants_a_part_gets_it_with_every_id() {
    let data = three().await;
    for (query, expected) in [
        ("kind=event", &["event tencent.css.push #1", "event tencent.css.push #2", "event tencent.css.stop #3"][..]),
        ("kind=session", &["session 2 live #2", "session 1 ended #3"]),
        ("type=stop", &["session 2 live #2", "event tencent.css.stop", "session 1 ended #3"]),
        ("type=stop&kind=event", &["event tencent.css.stop #3"]),
        ("stream=a", &["event tencent.css.push #1", "event tencent.css.stop", "session 1 ended #3"]),
        ("stream=a&kind=event", &["event tencent.css.push #1", "event tencent.css.stop #3"]),
        ("stream=c", &[]),
    ] {
        assert_eq!(told(&data.shared(query, 0)), expected, "{query}");
        assert_eq!(data.own(query), data.shared(query, 0), "{query}");
    }
}

#[tokio::test]
async fn whoever_has_some_gets_the_rest() {
    let data = three().await;
    for (place, expected) in [(0, 5), (1, 4), (2, 2), (3, 0), (9, 0)] {
        assert_eq!(messages(&data.shared("", place)).len(), expected, "{place}");
    }
    let rest = data.render(2, 1000, &Filter::default());
    assert_eq!(rest.len(), 1);
    assert_eq!((rest[0].after, rest[0].until), (Offset(2), Offset(3)));
    let rest = data.render(3, 1000, &Filter::default());
    assert_eq!((rest[0].after, rest[0].until, rest[0].text.len()), (Offset(3), Offset(1000), 0));
    let some = data.render(0, 2, &Filter::default());
    assert_eq!(
        told(&text(some[0].pieces(&Filter::default(), Offset(0)).into_iter())).last().unwrap(),
        "session 2 live #2"
    );
}

#[tokio::test]
async fn what_was_received_before_is_not_wanted() {
    let data = three().await;
    for (since_ms, expected) in [(1_700_000_000_000, 5), (1_700_000_000_001, 0)] {
        let since = Filter::default().since(since_ms);
        let batches = data.render(0, 1000, &since);
        assert_eq!(messages(&text(batches.iter().flat_map(|batch| batch.pieces(&since, Offset(0))))).len(), expected);
    }
}

#[tokio::test]
async fn every_message_is_of_whole_lines_whatever_a_sender_writes() {
    let hostile = r"x\n\nevent: gap\ndata: {}\r\rid: 1\u2028\u0085\u0000";
    let bodies: Vec<String> = [0, 1]
        .map(|number| {
            let body = body(number, hostile, 7).replace(
                "\"errcode\":0",
                &format!("\"errcode\":1,\"errmsg\":\"{hostile}\",\"node\":\"{hostile}\",\"user_ip\":\"{hostile}\""),
            );
            body.replace("\"live\"", &format!("\"{hostile}\""))
        })
        .into();
    let data = Data::of(&bodies).await;
    let text = data.shared("", 0);
    // Of these, a client ends a line at the first alone, besides at a line feed.
    assert!(!text.contains(['\r', '\0']), "{text:?}");
    assert_eq!(messages(&text).len(), 3);
    let session = text.split("\n\n").nth(2).unwrap();
    assert!(session.contains(r"x\n\nevent: gap"), "the session tells it, escaped: {session}");
}

#[tokio::test]
async fn what_was_pruned_shows_as_a_gap_and_what_never_was_does_not() {
    let bodies: Vec<String> = (0..6).map(|number| body(2 * number, "a", number)).collect();
    let data = Data::of(&bodies).await;
    let gap = |after, until| {
        let batches = data.render(after, until, &filter("stream=none"));
        messages(&text(batches[0].pieces(&filter("stream=none"), Offset(after)).into_iter()))
    };
    // A hole behind a record that is there.
    data.delete("4");
    assert_eq!(gap(3, 6), []);
    data.delete("1,2,3");
    assert_eq!(gap(4, 6), [], "nothing that comes after it was pruned");
    for (after, until, end) in [(0, 6, 4), (1, 6, 4), (3, 6, 4), (1, 3, 3)] {
        let point = |offset| data.mark.at(Offset(offset)).to_string();
        let said = serde_json::json!({"reason": "pruned", "from": point(after), "to": point(end)}).to_string();
        let [(kind, data, id)] = &gap(after, until)[..] else { panic!("{after}") };
        assert_eq!(
            (kind.as_str(), serde_json::from_str::<serde_json::Value>(data).unwrap(), *id),
            ("gap", serde_json::from_str(&said).unwrap(), Some(end))
        );
    }
    data.delete("5,6");
    assert_eq!(gap(5, 6).len(), 1, "nothing is left");
    assert_eq!(gap(6, 6), []);
}

#[tokio::test]
async fn a_batch_has_a_bound_and_is_given_in_pieces_of_bounded_size() {
    let padding = "x".repeat(30_000);
    let bodies: Vec<String> = (0..20)
        .map(|number| body(2 * number, "a", number).replace("\"errcode\":0", &format!("\"padding\":\"{padding}\"")))
        .collect();
    let data = Data::of(&bodies).await;
    let batches = data.render(0, 20, &Filter::default());
    assert!(batches.len() >= 4);
    let mut place = Offset(0);
    let mut messages_told = 0;
    for batch in &batches {
        assert_eq!(batch.after, place);
        place = batch.until;
        assert!(batch.text.len() < BATCH_BYTES_MAX + 40_000);
        let pieces = batch.pieces(&Filter::default(), batch.after);
        assert!(pieces.iter().all(|piece| !piece.is_empty() && piece.len() <= PIECE_BYTES_MAX));
        assert_eq!(pieces.iter().map(Bytes::len).sum::<usize>(), batch.text.len());
        messages_told += messages(&text(pieces.into_iter())).len();
    }
    assert_eq!((place, messages_told), (Offset(20), 40));
}
