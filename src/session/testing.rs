//! Callbacks as CSS posts them, the events that become of them, and random histories of both, for tests alone.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Fact, Session, StreamKey};
use crate::callback::testing::event_of;
use crate::callback::{EndTimes, Event, InstanceName, PartitionKey, SessionEnd};

/// When every history begins, in Unix seconds.
pub(crate) const BEGIN_SECS: i64 = 1_700_000_000;

/// The verified event of a callback.
pub(crate) fn event(callback: &Value) -> Event {
    event_of(&callback.to_string(), (BEGIN_SECS + 1_000_000_000) * 1000)
}

/// A callback with other members: a `null` takes one away.
pub(crate) fn with(mut callback: Value, members: Value) -> Value {
    for (name, value) in members.as_object().unwrap() {
        match value {
            Value::Null => drop(callback.as_object_mut().unwrap().remove(name)),
            value => callback[name] = value.clone(),
        }
    }
    callback
}

/// The push of a stream (`domain/app name/stream`) at a time, in seconds after the beginning.
pub(crate) fn push(stream: &str, sequence: &str, secs: i64) -> Value {
    let [domain, app_name, stream] = parts(stream);
    json!({"event_type": 1, "app": domain, "appname": app_name, "stream_id": stream, "channel_id": stream,
        "appid": 12_345_678, "sequence": sequence, "event_time": BEGIN_SECS + secs, "errcode": 0, "errmsg": "ok",
        "node": "100.121.160.92", "user_ip": "119.29.94.245", "width": 0, "height": 0})
}

/// The stop of a push, by the client.
pub(crate) fn stop(stream: &str, sequence: &str, secs: i64) -> Value {
    let errmsg = "The push client actively stopped the push";
    with(push(stream, sequence, secs), json!({"event_type": 0, "errcode": 1, "errmsg": errmsg}))
}

/// What CSS says of a push that has trouble.
pub(crate) fn anomaly(stream: &str, sequence: &str, secs: i64) -> Value {
    let [domain, app_name, stream] = parts(stream);
    json!({"event_type": 321, "domain": domain, "path": app_name, "stream_id": stream, "sequence": sequence,
        "data_time": (BEGIN_SECS + secs) * 1000 + 123, "abnormal_event": []})
}

/// The event of a person who ends a session.
pub(crate) fn manual_end(stream: &str, sequence: &str, secs: i64, why: &str) -> Event {
    let ended_ms = (BEGIN_SECS + secs) * 1000;
    let times = EndTimes { started_ms: 0, ended_ms, now_ms: ended_ms };
    let end = SessionEnd::new(PartitionKey::from_text(stream), sequence, times, why.parse().unwrap()).unwrap();
    Event::of_session_end(&end, &InstanceName::default(), ended_ms)
}

/// A recording of a stream.
pub(crate) fn recording(stream: &str, from_secs: i64, until_secs: i64) -> Value {
    let [domain, app_name, stream] = parts(stream);
    json!({"event_type": 100, "app": domain, "appname": app_name, "stream_id": stream,
        "start_time": BEGIN_SECS + from_secs, "end_time": BEGIN_SECS + until_secs})
}

/// A screenshot of a stream.
pub(crate) fn screenshot(stream: &str, secs: i64) -> Value {
    let [domain, app_name, stream] = parts(stream);
    json!({"event_type": 200, "app": domain, "appname": app_name, "stream_id": stream,
        "create_time": BEGIN_SECS + secs})
}

fn parts(stream: &str) -> [&str; 3] {
    stream.split('/').collect::<Vec<_>>().try_into().unwrap()
}

/// Sessions by stream and sequence.
pub(crate) type Sessions = BTreeMap<(StreamKey, String), Session>;

/// The sessions of events.
pub(crate) fn fold<'e>(events: impl IntoIterator<Item = &'e Event>) -> Sessions {
    let mut sessions = Sessions::new();
    for fact in events.into_iter().filter_map(Fact::of) {
        sessions.entry((fact.stream.clone(), fact.sequence.clone())).or_default().apply(fact);
    }
    sessions
}

/// Different events in an arrangement of chance, some of them more than once.
pub(crate) fn shuffled(events: &[Event], random: &mut fastrand::Rng) -> Vec<Event> {
    let mut arrived: Vec<Event> = events.to_vec();
    arrived.extend(events.iter().filter(|_| random.u8(0..4) == 0).cloned());
    random.shuffle(&mut arrived);
    arrived
}

/// How long a random history is at most, in seconds, its recordings aside.
pub(crate) const HISTORY_SECS: i64 = 600;

/// Different events of a few streams and pushes, each as likely as its contradiction.
pub(crate) fn history() -> impl Strategy<Value = Vec<Event>> {
    let callback = callback().prop_map(|callback| event(&callback));
    let happening = prop_oneof![9 => callback, 1 => random_manual_end()];
    prop::collection::vec(happening, 0..40).prop_map(|mut events| {
        events.sort_unstable_by_key(Event::id);
        events.dedup_by_key(|event| event.id());
        events
    })
}

/// Stream, sequence and second of an event. There are few of each, so that many are equal.
fn place() -> impl Strategy<Value = (&'static str, &'static str, i64)> {
    let stream = prop::sample::select(vec!["a.com/live/s", "A.com/live/s", "b.com/live/s", "a.com/live/t", "//x"]);
    let sequence = prop::sample::select(vec!["1", "2", "3", "6674468118806626493"]);
    let secs = (0..20i64).prop_map(|step| step * HISTORY_SECS / 20);
    (stream, sequence, secs)
}

fn random_manual_end() -> impl Strategy<Value = Event> {
    let why = prop::sample::select(vec!["power", "network"]);
    (place(), why).prop_map(|((stream, sequence, secs), why)| manual_end(stream, sequence, secs, why))
}

fn callback() -> impl Strategy<Value = Value> {
    (place(), 0..12u8, details()).prop_map(|((stream, sequence, secs), kind, details)| match kind {
        0..=3 => with(push(stream, sequence, secs), details),
        4..=7 => with(stop(stream, sequence, secs), details),
        8 => anomaly(stream, sequence, secs),
        9 => recording(stream, secs - 90, secs),
        // A file that is closed long after its stream has ended, and one that does not say when it began.
        10 if secs % 60 == 0 => recording(stream, secs, secs + 3 * 86_400),
        10 => with(recording(stream, secs, secs + 10), json!({"start_time": null})),
        _ => screenshot(stream, secs),
    })
}

/// Members in which pushes and stops differ from each other.
fn details() -> impl Strategy<Value = Value> {
    let errcode = prop::sample::select(vec![json!(null), json!(0), json!(1), json!("21"), json!(12), json!(404)]);
    let duration = prop::sample::select(vec![json!(null), json!(null), json!(0), json!("60000"), json!(120_000)]);
    let address = prop::sample::select(vec![json!(null), json!("192.0.2.1"), json!("2001:db8::1")]);
    let width = prop::sample::select(vec![json!(null), json!(0), json!("1280"), json!(1920)]);
    let sequence = prop::sample::select(vec![json!(null), json!(7)]);
    (errcode, duration, address, width, sequence, 0..10u8).prop_map(
        |(errcode, push_duration, user_ip, width, sequence, chance)| {
            let mut details = json!({"errcode": errcode, "push_duration": push_duration, "user_ip": user_ip,
                "width": width, "height": 720});
            // Now and then one that names no push, or names it by a number.
            if chance == 0 {
                details["sequence"] = sequence;
            }
            details
        },
    )
}
