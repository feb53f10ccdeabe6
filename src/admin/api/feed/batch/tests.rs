use super::*;
use crate::admin::api::feed::testing::{Recorded, filter, messages, summaries, text};
use crate::callback::EventSelection;
use crate::history::testing::BEGIN_SECS;
use crate::moment::TimeRange;

/// A push of `a`, one of `b`, and the stop of `a`.
fn three() -> Recorded {
    Recorded::new(|data| vec![data.push("a", 1), data.push("b", 2), data.stop("a", 1, 60)])
}

#[test]
fn session_follows_its_last_record() {
    let recorded = three();
    let all = [
        "event tencent.css.push #1",
        "event tencent.css.push",
        "session 2 live #2",
        "event tencent.css.stop",
        "session 1 ended #3",
    ];
    assert_eq!(summaries(&recorded.shared("", 0)), all);
    assert_eq!(summaries(&recorded.own("")), all);
}

// A recording and a screenshot are followed by the sessions of the stream that they count towards.
#[test]
fn media_is_followed_by_its_sessions() {
    let recorded = Recorded::new(|data| {
        let media = |members: &str| {
            data.event(&format!(r#"{{"app":"push.example.com","appname":"live","stream_id":"a",{members}}}"#), 0)
        };
        vec![
            data.push("a", 0),
            data.stop("a", 0, 1),
            data.push("a", 10),
            media(&format!(r#""event_type":200,"create_time":{}"#, BEGIN_SECS + 12)),
            media(&format!(r#""event_type":100,"start_time":{BEGIN_SECS},"end_time":{}"#, BEGIN_SECS + 13)),
            media(&format!(r#""event_type":200,"create_time":{}"#, BEGIN_SECS + 5)),
        ]
    });
    let of_media = ["session 0 ended", "session 10 live #5"];
    let mut all = vec![
        "event tencent.css.push #1",
        "event tencent.css.stop #2",
        "event tencent.css.push #3",
        "event tencent.css.screenshot #4",
        "event tencent.css.recording",
    ];
    all.extend(of_media);
    all.push("event tencent.css.screenshot #6");
    assert_eq!(summaries(&recorded.shared("", 0)), all);
    assert_eq!(summaries(&recorded.own("")), all);
    assert_eq!(summaries(&recorded.shared("kind=session", 3)), of_media);
    let sessions = recorded.own("kind=session");
    assert_eq!(summaries(&sessions), of_media);
    assert_eq!(sessions.matches(r#""recordings":1,"#).count(), 2, "{sessions}");
    assert_eq!(summaries(&recorded.shared("kind=event&type=recording", 3)), ["event tencent.css.recording #5"]);
}

#[test]
fn filtered_messages_keep_their_ids() {
    let recorded = three();
    for (query, expected) in [
        ("kind=event", &["event tencent.css.push #1", "event tencent.css.push #2", "event tencent.css.stop #3"][..]),
        ("kind=session", &["session 2 live #2", "session 1 ended #3"]),
        ("type=stop", &["session 2 live #2", "event tencent.css.stop", "session 1 ended #3"]),
        ("type=stop&kind=event", &["event tencent.css.stop #3"]),
        ("stream=a", &["event tencent.css.push #1", "event tencent.css.stop", "session 1 ended #3"]),
        ("stream=a&kind=event", &["event tencent.css.push #1", "event tencent.css.stop #3"]),
        ("stream=c", &[]),
    ] {
        assert_eq!(summaries(&recorded.shared(query, 0)), expected, "{query}");
        assert_eq!(recorded.own(query), recorded.shared(query, 0), "{query}");
    }
}

#[test]
fn later_place_gets_the_rest() {
    let recorded = three();
    let open = Filter::default();
    for (place, expected) in [(0, 5), (1, 4), (2, 2), (3, 0), (9, 0)] {
        assert_eq!(messages(&recorded.shared("", place)).len(), expected, "{place}");
    }
    let rest = recorded.render(2, 1000, &open);
    assert_eq!(rest.len(), 1);
    assert_eq!((rest[0].after, rest[0].until), (Offset(2), Offset(3)));
    let rest = recorded.render(3, 1000, &open);
    assert_eq!((rest[0].after, rest[0].until, rest[0].text.len()), (Offset(3), Offset(1000), 0));
    let some = recorded.render(0, 2, &open);
    let some = summaries(&text(some[0].pieces(&open, Offset(0))));
    assert_eq!(some.last().unwrap(), "session 2 live #2");
}

#[test]
fn earlier_events_are_left_out() {
    let recorded = three();
    for (secs, expected) in [(1, 5), (2, 4), (62, 0)] {
        let received = TimeRange { since_ms: Some((BEGIN_SECS + secs) * 1000), until_ms: None };
        let since = Filter::new(Vec::new(), EventSelection { received, ..EventSelection::default() });
        let batches = recorded.render(0, 1000, &since);
        let text = text(batches.iter().flat_map(|batch| batch.pieces(&since, Offset(0))));
        assert_eq!(messages(&text).len(), expected, "{secs}");
    }
}

// A sender cannot end a line of the feed, and so cannot forge a message.
#[test]
fn hostile_text_stays_in_its_line() {
    let hostile = r"x\n\nevent: gap\ndata: {}\r\rid: 1\u2028\u0085\u0000";
    let recorded = Recorded::new(|data| {
        let event = |event_type: u8| {
            let body = format!(
                r#"{{"event_type":{event_type},"app":"push.example.com","appname":"{hostile}","stream_id":"{hostile}","sequence":"7","event_time":{BEGIN_SECS},"errcode":1,"errmsg":"{hostile}","node":"{hostile}","user_ip":"{hostile}"}}"#
            );
            data.event(&body, 0)
        };
        vec![event(1), event(0)]
    });
    let text = recorded.shared("", 0);
    // Of these characters, a client of server-sent events ends a line only at a carriage return.
    assert!(!text.contains(['\r', '\0']), "{text:?}");
    assert_eq!(messages(&text).len(), 3);
    let session = text.split("\n\n").nth(2).unwrap();
    assert!(session.contains(r"x\n\nevent: gap"), "the session has the text, escaped: {session}");
}

#[test]
fn pruned_records_show_as_a_gap() {
    let recorded = Recorded::pushes(6);
    let none = filter("stream=none");
    let gap = |after, until| messages(&text(recorded.render(after, until, &none)[0].pieces(&none, Offset(after))));
    // A hole after an existing record was never pruned.
    recorded.delete("4");
    assert_eq!(gap(3, 6), []);
    recorded.delete("1,2,3");
    assert_eq!(gap(4, 6), [], "no record after it was pruned");
    for (after, until, end) in [(0, 6, 4), (1, 6, 4), (3, 6, 4), (1, 3, 3)] {
        let point = |offset| recorded.mark.at(Offset(offset)).to_string();
        let expected = serde_json::json!({"reason": "pruned", "from": point(after), "to": point(end)}).to_string();
        let [(kind, data, id)] = &gap(after, until)[..] else { panic!("{after}") };
        assert_eq!(
            (kind.as_str(), serde_json::from_str::<serde_json::Value>(data).unwrap(), *id),
            ("gap", serde_json::from_str(&expected).unwrap(), Some(end))
        );
    }
    recorded.delete("5,6");
    assert_eq!(gap(5, 6).len(), 1, "no record is left");
    assert_eq!(gap(6, 6), []);
}

#[test]
fn batches_and_pieces_have_bounds() {
    let recorded = Recorded::new(|data| {
        let event = |number: i64| {
            let body = format!(
                r#"{{"event_type":1,"app":"push.example.com","stream_id":"a","sequence":"{number}","event_time":{BEGIN_SECS},"padding":"{}"}}"#,
                "x".repeat(30_000)
            );
            data.event(&body, number)
        };
        (0..20).map(event).collect()
    });
    let open = Filter::default();
    let batches = recorded.render(0, 20, &open);
    assert!(batches.len() >= 4);
    let (mut place, mut count) = (Offset(0), 0);
    for batch in &batches {
        assert_eq!(batch.after, place);
        place = batch.until;
        assert!(batch.text.len() < BATCH_BYTES_MAX + 40_000);
        let pieces = batch.pieces(&open, batch.after);
        assert!(pieces.iter().all(|piece| !piece.is_empty() && piece.len() <= PIECE_BYTES_MAX));
        assert_eq!(pieces.iter().map(Bytes::len).sum::<usize>(), batch.text.len());
        count += messages(&text(pieces)).len();
    }
    assert_eq!((place, count), (Offset(20), 40));
}
