use serde_json::{Value, json};

use super::super::event::Event;
use super::super::stream_event::end_reason;
use super::*;

const TIMES: EndTimes = EndTimes { started_ms: 1_000_000, ended_ms: 1_500_000, now_ms: 2_000_000 };

fn end_of(key: &str, times: EndTimes, why: &str) -> Result<SessionEnd, SessionEndError> {
    SessionEnd::new(PartitionKey::from_text(key), "17-a", times, why.parse().unwrap())
}

fn event(end: &SessionEnd) -> Event {
    Event::of_session_end(end, &InstanceName::new("eu-1").unwrap(), 2_000_000)
}

#[test]
fn event_is_a_line_of_cloud_events() {
    let end = end_of("Push.com/live/a%2Fb", TIMES, r#" no "picture" 直 \ "#).unwrap();
    let event = event(&end);
    let line: Value = serde_json::from_str(event.line()).unwrap();
    assert_eq!(
        line,
        json!({
            "specversion": "1.0", "id": end.id(), "source": "/livehook/eu-1", "type": "livehook.session.ended",
            "subject": "a/b", "time": "1970-01-01T00:25:00Z", "datacontenttype": "application/json",
            "pushsequence": "17-a", "partitionkey": "Push.com/live/a%2Fb", "verified": true,
            "receivedtime": "1970-01-01T00:33:20.000Z",
            "data": {"event_type": -1, "domain": "Push.com", "appname": "live", "stream_id": "a/b", "sequence": "17-a",
                "why": r#"no "picture" 直 \"#},
        })
    );
    assert_eq!((event.id(), event.event_type()), (end.id(), EventType::SessionEnded));
    assert_eq!(event.partition_key().as_str(), "Push.com/live/a%2Fb");
    assert_eq!(event.sequence().unwrap(), "17-a");
    assert_eq!(end_reason(&event).unwrap(), r#"no "picture" 直 \"#);
    let restored = Event::restore(event.id(), event.event_type(), event.received_ms(), event.line());
    assert_eq!(restored, Some(event));
}

#[test]
fn stream_without_a_name_has_no_subject() {
    let line: Value = serde_json::from_str(event(&end_of("//", TIMES, "x").unwrap()).line()).unwrap();
    assert_eq!((line.get("subject"), &line["data"]["stream_id"]), (None, &json!("")));
}

#[test]
fn same_end_has_the_same_id() {
    let end = end_of("d/a/s", TIMES, "x").unwrap();
    assert_eq!(end_of("d/a/s", EndTimes { now_ms: 9_000_000, started_ms: 0, ..TIMES }, " x ").unwrap().id(), end.id());
    assert_eq!(end.id().time_ms(), TIMES.ended_ms);
    for other in [
        end_of("d/a/t", TIMES, "x"),
        end_of("d/a/s", TIMES, "y"),
        end_of("d/a/s", EndTimes { ended_ms: 1_500_001, ..TIMES }, "x"),
        SessionEnd::new(PartitionKey::from_text("d/a/s"), "18", TIMES, "x".parse().unwrap()),
    ] {
        assert_ne!(other.unwrap().id(), end.id());
    }
}

#[test]
fn end_is_between_start_and_now() {
    let at = |started_ms, ended_ms, now_ms| end_of("d/a/s", EndTimes { started_ms, ended_ms, now_ms }, "x").map(|_| ());
    assert_eq!(at(10, 10, 20), Ok(()));
    assert_eq!(at(10, 20, 20), Ok(()));
    assert_eq!(at(10, 9, 20), Err(SessionEndError::BeforeStart(10)));
    assert_eq!(at(10, 21, 20), Err(SessionEndError::InFuture(20)));
    // A clock of CSS that is ahead must not keep a session live for ever.
    assert_eq!(at(30, 20, 20), Ok(()));
    assert_eq!(at(30, 19, 20), Err(SessionEndError::BeforeStart(30)));
    assert_eq!(at(10, i64::MIN, 20), Err(SessionEndError::BeforeStart(10)));
}

#[test]
fn reason_is_one_visible_line() {
    let longest = "直".repeat(256);
    for text in ["x", "  the encoder lost power\n", r"a \ b", longest.as_str()] {
        assert_eq!(text.parse::<EndReason>().unwrap().as_str(), text.trim());
    }
    let too_long = "x".repeat(257);
    for text in ["", "  ", "a\nb", "a\u{1b}[31m", "a\u{202e}b", "a\u{0}", "\u{2028}", "a\u{200b}b", too_long.as_str()] {
        assert_eq!(text.parse::<EndReason>(), Err(InvalidEndReason), "{text:?}");
    }
}
