//! Each way in which pushes and stops go wrong, and random histories.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::callback::{Event, ReasonCategory, StreamKey};
use crate::session::testing::{
    BEGIN_SECS, HISTORY_SECS, Sessions, anomaly, event, fold, history, manual_end, push, recording, shuffled, stop,
    with,
};

const STREAM: &str = "push.example.com/live/demo";
const DAY_SECS: i64 = 86_400;

/// As configured by default.
const STALE_AFTER_MS: Option<i64> = Some(7 * DAY_SECS * 1000);

/// A moment, in Unix ms.
fn at(secs: i64) -> i64 {
    (BEGIN_SECS + secs) * 1000
}

fn sessions(callbacks: &[Value]) -> Sessions {
    fold(&callbacks.iter().map(event).collect::<Vec<_>>())
}

/// The one session of some callbacks. They make no other in the reverse order.
fn session(callbacks: &[Value]) -> Session {
    let sessions = sessions(callbacks);
    let mut reversed = callbacks.to_vec();
    reversed.reverse();
    assert_eq!(sessions, self::sessions(&reversed));
    assert_eq!(sessions.len(), 1, "{sessions:?}");
    sessions.into_values().next().unwrap()
}

fn state(session: &Session, secs: i64) -> State {
    session.state(at(secs), STALE_AFTER_MS)
}

/// How many pushes of a stream are live, which is live while any of them is.
fn live(sessions: &Sessions, stream: &str, secs: i64) -> usize {
    let key = StreamKey::from_text(stream);
    sessions.iter().filter(|((stream, _), session)| *stream == key && state(session, secs) == State::Live).count()
}

#[test]
fn push_and_stop_are_one_ended_session() {
    let stop = with(stop(STREAM, "1", 128), json!({"push_duration": "128581", "width": 1920, "height": 1080}));
    let session = session(&[push(STREAM, "1", 0), stop]);
    assert_eq!(state(&session, 128), State::Ended);
    assert_eq!((session.started_ms(), session.ended_ms()), (at(0), Some(at(128))));
    assert_eq!(session.duration_ms(), Some(128_581), "CSS measures better than whole seconds do");
    assert_eq!(session.size(), Some((1920, 1080)), "known at the end only");
    assert_eq!(session.reason().unwrap().category, ReasonCategory::Client);
    assert_eq!((session.node(), session.user_address()), (Some("100.121.160.92"), Some("119.29.94.245")));
}

/// Folds events in their order and in the reverse, each of them twice.
fn session_of(events: &[Event]) -> Session {
    let once = fold(events).into_values().next().unwrap();
    let reversed = events.iter().rev().chain(events);
    assert_eq!(fold(reversed).into_values().next().unwrap(), once);
    once
}

#[test]
fn person_ends_a_session_without_a_stop() {
    let begin = event(&push(STREAM, "1", 0));
    let end = manual_end(STREAM, "1", 60, "power");
    let session = session_of(&[begin.clone(), end.clone(), event(&anomaly(STREAM, "1", 90))]);
    assert_eq!((state(&session, 91), session.ended_ms()), (State::Ended, Some(at(60))));
    assert_eq!(session.duration_ms(), Some(60_000));
    let reason = session.reason().unwrap();
    assert_eq!((reason.category, reason.errcode), (ReasonCategory::Manual, None));
    assert_eq!(session.reason_text(), Some("power"));
    // Of two, the earlier one counts.
    let session = session_of(&[begin, end, manual_end(STREAM, "1", 50, "camera")]);
    assert_eq!((session.ended_ms(), session.reason_text()), (Some(at(50)), Some("camera")));
    // Without a push, nothing says how long it lasted.
    let session = session_of(&[event(&anomaly(STREAM, "1", 5)), manual_end(STREAM, "1", 50, "camera")]);
    assert_eq!((session.started_ms(), session.ended_ms(), session.duration_ms()), (at(5) + 123, Some(at(50)), None));
}

#[test]
fn stop_wins_over_a_manual_end() {
    let end = manual_end(STREAM, "1", 60, "power");
    for stop_secs in [50, 60, 70] {
        let stop = event(&with(stop(STREAM, "1", stop_secs), json!({"errcode": 12, "errmsg": "network"})));
        let session = session_of(&[event(&push(STREAM, "1", 0)), end.clone(), stop]);
        assert_eq!(session.ended_ms(), Some(at(stop_secs)));
        assert_eq!(session.duration_ms(), Some(stop_secs * 1000));
        assert_eq!(session.reason().unwrap().category, ReasonCategory::Network);
        assert_eq!(session.reason_text(), Some("network"));
    }
}

#[test]
fn stop_before_its_push_is_filled_in() {
    let stop = with(stop(STREAM, "1", 100), json!({"push_duration": "60000"}));
    let alone = session(std::slice::from_ref(&stop));
    assert_eq!(state(&alone, 100), State::Ended);
    assert_eq!((alone.started_ms(), alone.ended_ms(), alone.duration_ms()), (at(40), Some(at(100)), Some(60_000)));
    let filled = session(&[stop, with(push(STREAM, "1", 39), json!({"user_ip": "192.0.2.1"}))]);
    assert_eq!(state(&filled, 100), State::Ended);
    assert_eq!((filled.started_ms(), filled.user_address()), (at(39), Some("192.0.2.1")));
}

#[test]
fn a_stop_that_comes_twice_ends_once() {
    let stop = stop(STREAM, "1", 60);
    let once = session(&[push(STREAM, "1", 0), stop.clone()]);
    assert_eq!(session(&[push(STREAM, "1", 0), stop.clone(), stop.clone()]), once);
    // Another try that CSS writes differently is another event; what happened first counts.
    let later = with(stop, json!({"event_time": BEGIN_SECS + 75, "errcode": 20}));
    let twice = session(&[push(STREAM, "1", 0), later, self::stop(STREAM, "1", 60)]);
    assert_eq!((twice.ended_ms(), twice.stop), (once.ended_ms(), once.stop));
}

#[test]
fn late_stop_ends_only_the_replaced_push() {
    let replaced = with(stop(STREAM, "1", 101), json!({"errcode": 21, "errmsg": "replaced"}));
    let sessions = sessions(&[push(STREAM, "1", 0), push(STREAM, "2", 100), replaced]);
    assert_eq!(live(&sessions, STREAM, 102), 1);
    let states: Vec<State> = sessions.values().map(|session| state(session, 102)).collect();
    assert_eq!(states, [State::Ended, State::Live]);
}

#[test]
fn stream_is_live_with_main_or_backup_push() {
    let (main, backup) = (push(STREAM, "1", 0), push(STREAM, "2", 5));
    let stops = [stop(STREAM, "1", 50), stop(STREAM, "2", 60)];
    assert_eq!(live(&sessions(&[main.clone(), backup.clone()]), STREAM, 61), 2);
    for stop in stops.clone() {
        assert_eq!(live(&sessions(&[main.clone(), backup.clone(), stop]), STREAM, 61), 1);
    }
    let [first, second] = stops;
    assert_eq!(live(&sessions(&[main, backup, second, first]), STREAM, 61), 0);
}

#[test]
fn session_without_a_stop_turns_stale() {
    let push = push(STREAM, "1", 0);
    let alone = session(std::slice::from_ref(&push));
    assert_eq!(state(&alone, 7 * DAY_SECS), State::Live, "some streams run for days");
    assert_eq!(alone.state(at(7 * DAY_SECS) + 1, STALE_AFTER_MS), State::Stale);
    assert_eq!(alone.state(i64::MAX, None), State::Live, "if it waits for ever");
    assert_eq!(state(&alone, -DAY_SECS), State::Live, "a clock that is behind");

    let signed = session(&[push.clone(), anomaly(STREAM, "1", 10 * DAY_SECS)]);
    assert_eq!(state(&signed, 12 * DAY_SECS), State::Live);
    assert_eq!(state(&signed, 18 * DAY_SECS), State::Stale);
    assert_eq!((signed.ended_ms(), signed.duration_ms(), signed.reason()), (None, None, None));

    let ended = session(&[push, anomaly(STREAM, "1", 10 * DAY_SECS), stop(STREAM, "1", 20 * DAY_SECS)]);
    assert_eq!(state(&ended, 20 * DAY_SECS), State::Ended);
    assert_eq!(ended.duration_ms(), Some(20 * DAY_SECS * 1000));
}

#[test]
fn repeated_push_does_not_reopen() {
    let callbacks = [stop(STREAM, "1", 30), anomaly(STREAM, "1", 20), push(STREAM, "1", 0)];
    let mut session = Session::default();
    for (position, callback) in callbacks.iter().enumerate() {
        session.apply(Fact::of(&event(callback)).unwrap());
        assert_eq!(state(&session, 600), State::Ended, "after {} callbacks", position + 1);
    }
    assert_eq!((session.started_ms(), session.duration_ms()), (at(0), Some(30_000)));
}

#[test]
fn session_can_have_no_length() {
    let session = session(&[push(STREAM, "1", 7), stop(STREAM, "1", 7)]);
    assert_eq!(state(&session, 7), State::Ended);
    assert_eq!((session.started_ms(), session.ended_ms(), session.duration_ms()), (at(7), Some(at(7)), Some(0)));
}

#[test]
fn stop_before_its_push_has_no_length() {
    let session = session(&[push(STREAM, "1", 9), stop(STREAM, "1", 7)]);
    assert_eq!((session.started_ms(), session.ended_ms(), session.duration_ms()), (at(9), Some(at(9)), Some(0)));
}

#[test]
fn numbers_and_strings_say_the_same() {
    let stop = with(
        stop(STREAM, "6674468118806626493", 60),
        json!({"event_type": "0", "appid": "12345678", "errcode": "1", "event_time": (BEGIN_SECS + 60).to_string(),
            "push_duration": 60_412, "sequence": 6_674_468_118_806_626_493_u64, "width": "1920", "height": "1080"}),
    );
    let session = session(&[push(STREAM, "6674468118806626493", 0), stop]);
    assert_eq!((session.duration_ms(), session.size()), (Some(60_412), Some((1920, 1080))));
    assert_eq!((session.appid(), session.ended_ms()), (Some(12_345_678), Some(at(60))));
    assert_eq!(session.reason().unwrap().category, ReasonCategory::Client);
}

#[test]
fn sequences_differ_in_their_last_digit() {
    let sequences = ["6674468118806626493", "6674468118806626494", "06674468118806626493", "a", "A"];
    let pushes: Vec<Value> = sequences.iter().map(|sequence| push(STREAM, sequence, 0)).collect();
    assert_eq!(sessions(&pushes).len(), sequences.len());
}

#[test]
fn an_ipv6_address_is_kept_whole() {
    let address = "2001:0db8:85a3:08d3:1319:8a2e:0370:7348";
    let session = session(&[with(push(STREAM, "1", 0), json!({"user_ip": address, "node": "2001:db8::7"}))]);
    assert_eq!((session.user_address(), session.node()), (Some(address), Some("2001:db8::7")));
}

#[test]
fn long_texts_are_cut() {
    let long = "直".repeat(10_000);
    let stop = with(stop(STREAM, "1", 0), json!({"errmsg": long, "user_ip": long, "node": long}));
    let session = session(&[stop]);
    assert_eq!(session.user_address().unwrap().chars().count(), 256);
    let (_, stop) = session.stop.unwrap();
    assert_eq!((stop.errmsg.unwrap(), stop.push.node.unwrap()), ("直".repeat(256), "直".repeat(256)));
}

#[test]
fn event_type_0_is_a_stop() {
    for event_type in [json!(0), json!("0")] {
        let fact = Fact::of(&event(&with(stop(STREAM, "1", 0), json!({"event_type": event_type})))).unwrap();
        assert!(matches!(fact.kind, Kind::Stop(_)));
    }
}

#[test]
fn absent_errcode_is_unknown() {
    for errcode in [json!(null), json!("?"), json!([])] {
        let session = session(&[push(STREAM, "1", 0), with(stop(STREAM, "1", 9), json!({"errcode": errcode}))]);
        assert_eq!(state(&session, 9), State::Ended);
        let reason = session.reason().unwrap();
        assert_eq!((reason.errcode, reason.category), (None, ReasonCategory::Unknown));
    }
}

#[test]
fn one_name_in_two_domains_is_two_streams() {
    let other = "other.example.com/live/demo";
    let sessions = sessions(&[push(STREAM, "1", 0), push(other, "1", 0), stop(STREAM, "1", 9)]);
    assert_eq!((live(&sessions, STREAM, 10), live(&sessions, other, 10)), (0, 1));
    let ids: Vec<String> = sessions.keys().map(|(stream, sequence)| stream.session(sequence).to_string()).collect();
    assert_ne!(ids[0], ids[1]);
    let app_name = "push.example.com/LIVE/demo";
    assert_eq!(self::sessions(&[push(STREAM, "1", 0), push(app_name, "1", 0)]).len(), 2);
}

#[test]
fn case_of_a_domain_does_not_matter() {
    let session = session(&[push("Push.Example.COM/live/demo", "1", 0), stop(STREAM, "1", 9)]);
    assert_eq!(state(&session, 10), State::Ended);
    assert!(session.push.is_some());
}

#[test]
fn all_pairs_of_names_are_one_stream() {
    assert_eq!(session(&[push(STREAM, "1", 0), anomaly(STREAM, "1", 5)]).last_ms(), at(5) + 123);
}

#[test]
fn stop_without_duration_counts_from_push() {
    assert_eq!(session(&[push(STREAM, "1", 0), stop(STREAM, "1", 90)]).duration_ms(), Some(90_000));
    let alone = session(&[stop(STREAM, "1", 90)]);
    assert_eq!((alone.started_ms(), alone.ended_ms(), alone.duration_ms()), (at(90), Some(at(90)), None));
    let seen = session(&[stop(STREAM, "1", 90), anomaly(STREAM, "1", 20)]);
    assert_eq!((seen.started_ms(), seen.duration_ms()), (at(20) + 123, None), "it was on by then");
}

#[test]
fn too_long_duration_is_ignored() {
    let session = session(&[with(stop(STREAM, "1", 90), json!({"push_duration": i64::MAX}))]);
    assert_eq!((session.duration_ms(), session.started_ms(), session.ended_ms()), (None, at(90), Some(at(90))));
}

#[test]
fn first_push_of_a_sequence_counts() {
    let early = with(push(STREAM, "1", 0), json!({"user_ip": "192.0.2.1"}));
    let late = with(push(STREAM, "1", 30), json!({"user_ip": "192.0.2.2"}));
    let session = session(&[late, early]);
    assert_eq!((session.started_ms(), session.user_address()), (at(0), Some("192.0.2.1")));
    assert_eq!((session.first_ms(), session.last_ms()), (at(0), at(30)));
    // Two of one second: whichever it is, it is always the same one; `session` tries both orders.
    let twins = ["192.0.2.1", "192.0.2.2"].map(|address| with(push(STREAM, "1", 0), json!({"user_ip": address})));
    self::session(&twins);
}

#[test]
fn the_shapes_of_2016_make_sessions() {
    let fixture = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let push = fixture(include_str!("../../../tests/fixtures/001-push-2016.json"));
    let stop = fixture(include_str!("../../../tests/fixtures/000-stop-2016.json"));
    let session = session(&[push, stop]);
    assert_eq!(session.duration_ms(), Some((1_471_853_787 - 1_471_850_187) * 1000));
    assert_eq!((session.appid(), session.size(), session.user_address()), (None, None, Some("192.0.2.16")));
    assert_eq!(session.reason().unwrap().category, ReasonCategory::Unknown, "a stop's 0 says nothing");
    let mixed = fixture(include_str!("../../../tests/fixtures/000-stop-mixed-types.json"));
    assert_eq!(self::session(&[mixed]).duration_ms(), Some(3_600_412));
}

#[test]
fn anomaly_is_a_sign_of_its_push() {
    let anomaly = |secs| anomaly(STREAM, "1", secs);
    let alone = session(&[anomaly(50)]);
    assert_eq!((state(&alone, 60), alone.started_ms(), alone.ended_ms()), (State::Live, at(50) + 123, None));
    let before = session(&[anomaly(0), push(STREAM, "1", 10)]);
    assert_eq!((before.started_ms(), before.first_ms()), (at(10), at(0) + 123));
    let after = session(&[push(STREAM, "1", 10), stop(STREAM, "1", 20), anomaly(30)]);
    assert_eq!((state(&after, 31), after.ended_ms()), (State::Ended, Some(at(20))));
    assert_eq!(after.last_ms(), at(30) + 123);
}

#[test]
fn event_without_sequence_has_no_session() {
    let unnamed = [json!(null), json!(""), json!("a b"), json!("1".repeat(65)), json!({"no": "text"}), json!("直")];
    for sequence in unnamed {
        let callback = with(push(STREAM, "1", 0), json!({"sequence": sequence}));
        assert_eq!(Fact::of(&event(&callback)), None, "{sequence}");
    }
    assert_eq!(Fact::of(&event(&with(recording(STREAM, 0, 9), json!({"sequence": "1"})))), None);
    assert!(Fact::of(&event(&push(STREAM, &"1".repeat(64), 0))).is_some());
}

/// The event of the smallest id for which `is_one` is true.
fn first_of<'e>(events: &[&'e Event], is_one: impl Fn(&Kind) -> bool) -> Option<&'e Event> {
    events.iter().copied().filter(|event| is_one(&Fact::of(event).unwrap().kind)).min_by_key(|event| event.id())
}

proptest! {
    #[test]
    fn every_order_gives_the_same_sessions(history in history(), seed in any::<u64>()) {
        let arrived = shuffled(&history, &mut fastrand::Rng::with_seed(seed));
        let sessions = fold(&arrived);
        prop_assert_eq!(&sessions, &fold(&history));
        // Said a second way: each part comes from the event that it must come from.
        for ((stream, sequence), session) in sessions {
            let of_it: Vec<&Event> = history.iter().filter(|event| {
                Fact::of(event).is_some_and(|fact| fact.stream == stream && fact.sequence == sequence)
            }).collect();
            let times = || of_it.iter().map(|event| event.id().time_ms());
            prop_assert_eq!(session.seen_ms, times().min().zip(times().max()));
            let push = first_of(&of_it, |kind| matches!(kind, Kind::Push(_)));
            prop_assert_eq!(session.push.map(|(id, _)| id), push.map(Event::id));
            let stop = first_of(&of_it, |kind| matches!(kind, Kind::Stop(_)));
            prop_assert_eq!(session.stop.map(|(id, _)| id), stop.map(Event::id));
            let manual_end = first_of(&of_it, |kind| matches!(kind, Kind::ManualEnd(_)));
            prop_assert_eq!(session.manual_end.map(|(id, _)| id), manual_end.map(Event::id));
        }
    }

    #[test]
    fn sessions_do_not_mix(history in history()) {
        let sessions = fold(&history);
        for (key, session) in &sessions {
            let alone = history.iter().filter(|event| {
                Fact::of(event).is_some_and(|fact| (&fact.stream, &fact.sequence) == (&key.0, &key.1))
            });
            prop_assert_eq!(fold(alone), Sessions::from([(key.clone(), session.clone())]));
        }
    }

    #[test]
    fn ended_session_stays_ended(history in history(), seed in any::<u64>(), now_secs in any::<i32>()) {
        let now_ms = at(i64::from(now_secs));
        let mut sessions = Sessions::new();
        for fact in shuffled(&history, &mut fastrand::Rng::with_seed(seed)).iter().filter_map(Fact::of) {
            let session = sessions.entry((fact.stream.clone(), fact.sequence.clone())).or_default();
            let had_ended = session.is_ended() && session.state(now_ms, Some(1)) == State::Ended;
            session.apply(fact);
            let has_ended = session.state(now_ms, Some(1)) == State::Ended;
            prop_assert!(has_ended || !had_ended);
            prop_assert_eq!(has_ended, session.ended_ms().is_some() && session.reason().is_some());
            prop_assert!(session.ended_ms().is_none_or(|ended_ms| ended_ms >= session.started_ms()));
        }
    }

    #[test]
    fn state_goes_one_way_with_time(
        history in history(), seed in any::<u64>(), stale_after_secs in 0..2 * HISTORY_SECS,
    ) {
        let arrived = shuffled(&history, &mut fastrand::Rng::with_seed(seed));
        for (one, other) in fold(&history).values().zip(fold(&arrived).values()) {
            let mut last = None;
            for secs in (-60..4 * HISTORY_SECS).step_by(60) {
                let state = one.state(at(secs), Some(stale_after_secs * 1000));
                prop_assert_eq!(state, other.state(at(secs), Some(stale_after_secs * 1000)));
                let is_stale = one.last_ms() + stale_after_secs * 1000 < at(secs);
                let expected = match one.ended_ms() {
                    Some(_) => State::Ended,
                    None if is_stale => State::Stale,
                    None => State::Live,
                };
                prop_assert_eq!(state, expected);
                prop_assert!(last.is_none_or(|last| last == state || (last, state) == (State::Live, State::Stale)));
                last = Some(state);
            }
        }
    }
}
