use super::*;
use crate::callback::{Event, InstanceName};
use crate::history::testing::{BEGIN_SECS, Data, push_at};

const NOW_MS: i64 = (BEGIN_SECS + 1000) * 1000;

fn decide(data: &Data, sequence: &str, ended_secs: Option<i64>) -> Result<EndDecision, String> {
    let (journal, index) = data.readers();
    let id = index.sessions_of_sequence(sequence, NOW_MS).unwrap().remove(0).id;
    let ended_ms = ended_secs.map(|secs| (BEGIN_SECS + secs) * 1000);
    let request = EndRequest { id, ended_ms, reason: "power".parse().unwrap() };
    request.decide(&index, &journal, NOW_MS).map_err(|error| error.to_string())
}

fn event_of(decision: EndDecision) -> Event {
    let EndDecision::Store(end) = decision else { panic!("{decision:?}") };
    Event::of_session_end(&end, &InstanceName::default(), NOW_MS)
}

#[test]
fn live_session_ends_once() {
    let data = Data::new();
    data.write([data.push("a", 1)]);
    data.index_all();
    let event = event_of(decide(&data, "1", Some(60)).unwrap());
    data.write([event.clone()]);
    data.index_all();
    let done = EndDecision::Done { event_id: event.id(), ended_ms: (BEGIN_SECS + 60) * 1000 };
    assert_eq!(decide(&data, "1", Some(60)), Ok(done.clone()));
    let error = decide(&data, "1", Some(61)).unwrap_err();
    assert!(error.contains("is not live: it was ended by a person at 2026-05-01T12:01:00Z (power)"), "{error}");
    // The stop arrives, and the repeated request is still no error.
    data.write([data.stop("a", 1, 90)]);
    data.index_all();
    assert_eq!(decide(&data, "1", Some(60)), Ok(done));
    let error = decide(&data, "1", None).unwrap_err();
    assert!(error.contains("it has stopped at 2026-05-01T12:01:31Z"), "{error}");
}

#[test]
fn wrong_end_is_refused() {
    let data = Data::new();
    let week_ago = push_at("old", -8 * 86_400).sequence("8").build();
    data.write([data.push("a", 1), week_ago]);
    data.index_all();
    for (sequence, ended_secs, expected) in [
        ("1", Some(0), "the end is before the start of the session, which is 2026-05-01T12:00:01Z"),
        ("1", Some(1001), "the end is in the future; the time now is 2026-05-01T12:16:40Z"),
        ("8", None, "it is stale, so it no longer counts as live"),
    ] {
        let error = decide(&data, sequence, ended_secs).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
    let (journal, index) = data.readers();
    let id = "9-00000000".parse().unwrap();
    let request = EndRequest { id, ended_ms: None, reason: "power".parse().unwrap() };
    assert!(matches!(request.decide(&index, &journal, NOW_MS), Err(EndError::Absent(_))));
}

/// The index writes a domain in lower case. The sinks' order is by the key that the events have.
#[test]
fn key_is_the_one_of_the_events() {
    let data = Data::new();
    data.write([push_at("a", 1).domain("Push.Example.com").build(), data.push("b", 2)]);
    data.index_all();
    assert_eq!(event_of(decide(&data, "1", None).unwrap()).partition_key().as_str(), "Push.Example.com/live/a");
    data.prune_records(1);
    assert_eq!(event_of(decide(&data, "1", None).unwrap()).partition_key().as_str(), "push.example.com/live/a");
}
