use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::callback::StreamEvent;

fn event(body: &str) -> Event {
    Event::new(&Callback::parse(body.as_bytes()).unwrap(), true, 1_545_030_873_120, &Redactor::default())
}

#[test]
fn the_line_in_full() {
    let event = event(
        r#"{"app":"test.domain.com","appid":12345678,"appname":"live", "event_time":1545115790,"event_type":1,
        "sequence":"6674468118806626493","stream_id":"test_stream","user_ip":"119.29.94.245",
        "sign":"ca3e25e5dc17a6f9909a9ae7281e300d","t":1545030873}"#,
    );
    let expected = concat!(
        r#"{"specversion":"1.0","id":"ID","source":"/tencent-css/12345678/test.domain.com/live","type":"tencent.css.push","#,
        r#""subject":"test_stream","time":"2018-12-18T06:49:50Z","datacontenttype":"application/json","#,
        r#""pushsequence":"6674468118806626493","partitionkey":"test.domain.com/live/test_stream","verified":true,"#,
        r#""receivedtime":"2018-12-17T07:14:33.120Z","data":{"app":"test.domain.com","appid":12345678,"appname":"live","#,
        r#""event_time":1545115790,"event_type":1,"sequence":"6674468118806626493","stream_id":"test_stream","#,
        r#""user_ip":"119.29.94.245"}}"#
    );
    assert_eq!(event.line(), expected.replace("ID", &event.id().to_string()));
    assert_eq!(event.partition_key().as_str(), "test.domain.com/live/test_stream");
}

#[test]
fn parts_are_encoded_or_left_out() {
    let event = event(r#"{"event_type":0,"app":"d","appname":"a/b","stream_id":"直 播\u001b\n","event_time":"x"}"#);
    let line: Value = serde_json::from_str(event.line()).unwrap();
    assert_eq!(line["source"], "/tencent-css//d/a%2Fb");
    assert_eq!(line["partitionkey"], "d/a%2Fb/%E7%9B%B4%20%E6%92%AD%1B%0A");
    assert!(event.line().contains("\"subject\":\"直 播\u{fffd}\u{fffd}\""));
    assert!(line.get("time").is_none() && line.get("pushsequence").is_none());
    assert_eq!(event.partition_key().stream(), "直 播\u{1b}\n");
}

#[test]
fn the_sequence_is_found_in_the_line() {
    for (value, sequence) in [
        (r#""6674468118806626493""#, Some("6674468118806626493")),
        ("6674468118806626493", Some("6674468118806626493")),
        (r#""\"\u001b,\"pushsequence\":\"1""#, Some("\"\u{fffd},\"pushsequence\":\"1")),
        (r#""""#, None),
        ("null", None),
    ] {
        let body = format!(r#"{{"event_type":1,"stream_id":",\"pushsequence\":\"2\"","sequence":{value}}}"#);
        assert_eq!(event(&body).sequence().as_deref(), sequence, "{value}");
    }
    assert_eq!(event(r#"{"event_type":1,"x":{"pushsequence":"1"}}"#).sequence(), None);
}

#[test]
fn values_stay_as_received() {
    let members = r#""a":1.50,"b":1e400,"c":"\/\u0026\ud83d\ude00","d":-0,"e":12345678901234567890123,"f":null"#;
    assert!(event(&format!(r#"{{"event_type":0,{members}}}"#)).line().contains(members));
}

#[test]
fn redaction_does_not_change_the_id() {
    let body = r#"{"event_type":1,"stream_param":"txSecret=5ECR37\u0026a=1","stream_id":"s?txSecret=5ECR37",
        "sequence":"txSecret=5ECR37","appid":"txSecret=5ECR37","txsecret":"5ECR37","txSecret:5ECR37":1,"x":{"y":["txSecret=5ECR37"]}}"#;
    let redacted = event(body);
    assert!(!redacted.line().contains("5ECR37"), "{}", redacted.line());
    assert!(!redacted.partition_key().as_str().contains("5ECR37"));
    assert!(redacted.line().contains(r#""stream_param":"txSecret=REDACTED\u0026a=1""#));
    let more = Event::new(&Callback::parse(body.as_bytes()).unwrap(), true, 0, &Redactor::new(["a"]));
    assert!(more.line().contains(r#"txSecret=REDACTED\u0026a=REDACTED"#));
    assert_eq!(more.id(), redacted.id());
}

#[test]
fn every_type_finds_its_members() {
    for (event_type, body, key, time) in [
        (
            100,
            r#""app":"d","appname":"a","stream_id":"s","end_time":1703731606"#,
            "d/a/s",
            Some("2023-12-28T02:46:46Z"),
        ),
        (200, r#""app":"d","stream_id":"s","create_time":1703731606"#, "d//s", Some("2023-12-28T02:46:46Z")),
        (314, r#""stream_id":"s","event_time":"1703731606""#, "//s", Some("2023-12-28T02:46:46Z")),
        (315, r#""domain":"d","path":"a","stream_id":"s""#, "d/a/s", None),
        (317, r#""app":"d","appname":"a","streamId":"s","sendTime":1703731606"#, "d/a/s", Some("2023-12-28T02:46:46Z")),
        (
            321,
            r#""domain":"d","path":"a","stream_id":"s","data_time":1703731606001"#,
            "d/a/s",
            Some("2023-12-28T02:46:46.001Z"),
        ),
        (328, r#""stream_id":"s","event_time":1703731606001"#, "//s", Some("2023-12-28T02:46:46.001Z")),
        (
            332,
            r#""domain":"d","appname":"a","stream_id":"s","event_time":1703731606"#,
            "d/a/s",
            Some("2023-12-28T02:46:46Z"),
        ),
        (
            341,
            r#""domain":"d","path":"a","stream_id":"s","timestamp":1703731606"#,
            "d/a/s",
            Some("2023-12-28T02:46:46Z"),
        ),
        (
            343,
            r#""domain":"d","appname":"a","stream_id":"s","event_time":1703731606"#,
            "d/a/s",
            Some("2023-12-28T02:46:46Z"),
        ),
        (348, r#""domain":"d","path":"a","stream_id":"s""#, "d/a/s", None),
        (329, r#""stream_id":"","channel_id":"c""#, "//", None),
        (
            777,
            r#""app":"d","path":"a","stream_id":"s","event_time":1703731606001"#,
            "d/a/s",
            Some("2023-12-28T02:46:46.001Z"),
        ),
        (315, r#""event_time":1703731606"#, "//", Some("2023-12-28T02:46:46Z")),
        (315, r#""event_time":1703731606001"#, "//", None),
        (338, r#""app":"d","path":"a","stream_id":"s""#, "d/a/s", None),
        (778, r#""domain":"d","appname":"a","event_time":1703731606"#, "d/a/", Some("2023-12-28T02:46:46Z")),
        (1, r#""app":"d","event_time":253402207200"#, "d//", Some("9999-12-30T22:00:00Z")),
        (1, r#""app":"d","event_time":253402207201"#, "d//", None),
        (1, r#""app":"d","event_time":253402300800"#, "d//", None),
    ] {
        let event = event(&format!(r#"{{"event_type":{event_type},{body}}}"#));
        let line: Value = serde_json::from_str(event.line()).unwrap();
        assert_eq!(event.partition_key().as_str(), key, "{event_type}");
        assert_eq!(line["time"].as_str(), time, "{event_type}");
    }
}

proptest! {
    /// A body without escapes takes a shorter way. An escape in a name sends the same members on the general way.
    #[test]
    fn both_parsers_give_the_same_line(
        values in prop::collection::vec("[ -!#-\\[\\]-~]{0,12}|txSecret=[a-f0-9]{4}&a=b", 1..5), secret_name in any::<bool>(),
    ) {
        let mut members = String::new();
        for (position, value) in values.iter().enumerate() {
            members += &format!(r#","member{position}":"{value}""#);
        }
        if secret_name {
            members += r#","mytxSecret":"abc""#;
        }
        let line = |name: &str| {
            let body = format!(r#"{{"{name}":1,"stream_id":"s"{members},"sign":"ca3e25e5dc17a6f9909a9ae7281e300d","t":1545030873}}"#);
            event(&body).line().to_owned()
        };
        prop_assert_eq!(line("event_type"), line("event_typ\\u0065"));
    }

    #[test]
    fn any_event_is_one_line_of_json(
        members in prop::collection::btree_map("[a-s]{1,6}|sequence|stream_id|app", any::<String>(), 0..8), received_ms in any::<i64>(),
    ) {
        let mut data: serde_json::Map<String, Value> =
            members.into_iter().filter(|(name, _)| name != "sign").map(|(name, text)| (name, text.into())).collect();
        data.insert("event_type".into(), 0.into());
        let body = serde_json::to_string_pretty(&data).unwrap();
        let event = Event::new(&Callback::parse(body.as_bytes()).unwrap(), true, received_ms, &Redactor::default());
        let line: Value = serde_json::from_str(event.line()).unwrap();
        prop_assert_eq!(&line["data"], &Value::Object(data));
        prop_assert!(!event.line().contains(json::is_harmful));
        prop_assert_eq!(Event::restore(event.id(), event.event_type(), received_ms, event.line()), Some(event));
    }
}

/// Only a callback in its usual form has places for its members.
#[test]
fn places_lead_to_the_same_members() {
    for (body, has_places) in [
        (
            r#"{"event_type":0,"user_ip":"txSecret=abc","a":"","push_duration":"128581","height":"720","node":"10.0.0.1"}"#,
            true,
        ),
        (
            r#"{ "txSecret=width":3 , "user_ip" : "2001:db8::1","event_type":1,"node":"" ,"errmsg":"", "width":null}"#,
            true,
        ),
        (
            r#"{"txSecret=a":1,"txSecret=b":2,"event_type":0,"appid":"7","width":7,"errmsg":"x=txSecret=y","errcode":-1}"#,
            true,
        ),
        (r#"{"event_type":1,"key":"txSecret","value":"abc","sign2":"x","height":2}"#, true),
        (r#"{"event_type":1}"#, true),
        (r#"{"event_type":100,"width":1}"#, false),
        (r#"{"appid":1,"event_type":0,"errmsg":"a,\"b","errcode":-1,"node":{"width":7},"width":1}"#, false),
        (r#"{"width":1,"event_type":1,"stream_param":"txSecret=abc&a=\"width\":5","height":2}"#, false),
    ] {
        let make = |verified| Event::new(&Callback::parse(body.as_bytes()).unwrap(), verified, 0, &Redactor::default());
        let (signed, unsigned) = (make(true), make(false));
        assert_eq!(signed.places.stream.is_some(), has_places, "{body}");
        let confirmed = unsigned.confirmed_by(&signed).unwrap();
        let read_back = Event::restore(signed.id(), signed.event_type(), 0, signed.line()).unwrap();
        assert!(read_back.places.stream.is_none());
        for event in [&signed, &unsigned, &confirmed] {
            assert_eq!(StreamEvent::of(event), StreamEvent::of(&read_back), "{body}");
        }
    }
}

#[test]
fn other_texts_are_not_restored() {
    let line = event(r#"{"event_type":1,"stream_id":"s\\\"","sequence":"1"}"#).line().to_owned();
    let restore = |line: &str| Event::restore(EventId::from_bytes([0; 16]), EventType::Push, 0, line);
    assert_eq!(restore(&line).unwrap().sequence().as_deref(), Some("1"));
    let head = line.split(r#","verified""#).next().unwrap();
    assert!(restore(head).is_some());
    for end in 0..head.len() {
        assert_eq!(restore(&head[..end]), None, "{end}");
    }
    for text in ["{}", r#"{"verified":true}"#, r#"{"a":"\"#, r#"{"a":"\\"#] {
        assert_eq!(restore(text), None, "{text}");
    }
}

/// Many programs refuse a whole page because of one lone surrogate.
#[test]
fn line_is_valid_unicode_without_changing_the_id() {
    let body = r#"{"event_type":1,"stream_id":"a\ud83d\u0000\n\ufdd0b","sequence":"1\u009b","errmsg":"cut \ud83d","x":{"\udc00":"\u0000"}}"#;
    let event = event(body);
    let line: Value = serde_json::from_str(event.line()).unwrap();
    assert_eq!(line["subject"], "a\u{fffd}\u{fffd}\u{fffd}\u{fffd}b");
    assert_eq!((&line["pushsequence"], event.sequence().unwrap().as_ref()), (&"1\u{fffd}".into(), "1\u{fffd}"));
    assert_eq!(line["data"]["errmsg"], "cut \u{fffd}");
    assert_eq!(line["data"]["x"], serde_json::json!({"\u{fffd}": "\u{fffd}"}));
    let other = self::event(&body.replace(r"\ud83d", r"\ufffd").replace(r"\udc00", r"\ufffd"));
    assert_ne!(event.id(), other.id(), "the id is computed from the callback as received");
}

/// A line of an earlier version, with all that today's lines don't have.
#[test]
fn stored_line_is_renewed() {
    let stored = r#"{"specversion":"1.0","id":"x","source":"/","type":"tencent.css.push","subject":"a\u001b\n\ud83d\",\"subject\":","datacontenttype":"application/json","pushsequence":"1\t2","partitionkey":"d/a/s","verified":true,"receivedtime":"x","data":{"errmsg":"\ud83d","ok":"\ud83d\ude00\u0026"}}"#;
    let id = event(r#"{"event_type":1}"#).id();
    let restored = Event::restore(id, EventType::Push, 1, stored).unwrap();
    let line: Value = serde_json::from_str(restored.line()).unwrap();
    assert_eq!(line["subject"], "a\u{fffd}\u{fffd}\u{fffd}\",\"subject\":");
    assert_eq!(
        (line["pushsequence"].as_str(), restored.sequence().as_deref()),
        (Some("1\u{fffd}2"), Some("1\u{fffd}2"))
    );
    assert_eq!(restored.partition_key().as_str(), "d/a/s");
    assert_eq!((&line["data"]["errmsg"], &line["data"]["ok"]), (&"\u{fffd}".into(), &"\u{1f600}&".into()));
    let again = Event::restore(id, EventType::Push, 1, restored.line()).unwrap();
    assert_eq!(again, restored);
}

/// Names that differ in their secrets alone stay two names, and the names of the vendor stay.
#[test]
fn redacted_members_keep_their_names() {
    let body = r#"{"event_type":1,"txSecret=a":1,"txSecret=b":2,"txSecret=REDACTED-2":3,"stream_id":"s","errcode":2}"#;
    let redactor = Redactor::new(["code", "id"]);
    let event = Event::new(&Callback::parse(body.as_bytes()).unwrap(), true, 1, &redactor);
    let data = r#""data":{"event_type":1,"txSecret=REDACTED":1,"txSecret=REDACTED-2":2,"txSecret=REDACTED-3":3,"stream_id":"s","errcode":2}"#;
    assert!(event.line().contains(data), "{}", event.line());
}

/// Only a verified event of the same callback confirms an event, and nothing but `verified` changes.
#[test]
fn verified_copy_confirms_an_event() {
    let body = r#"{"event_type":314,"stream_id":",\"verified\":false,","x":{"verified":false,"receivedtime":""},"sequence":"7"}"#;
    let make = |body: &str, verified, received_ms| {
        Event::new(&Callback::parse(body.as_bytes()).unwrap(), verified, received_ms, &Redactor::default())
    };
    let (unsigned, signed, other) = (make(body, false, 1), make(body, true, 2), make(r#"{"event_type":314}"#, true, 2));
    assert!(!unsigned.is_verified() && signed.is_verified());
    let confirmed = unsigned.confirmed_by(&signed).unwrap();
    assert_eq!(confirmed, make(body, true, 1), "all as if it had come with a signature");
    assert_eq!(Event::restore(confirmed.id(), EventType::Relay, 1, confirmed.line()), Some(confirmed.clone()));
    for (event, written, missing) in [
        (&confirmed, unsigned.line(), Some(0)),
        (&confirmed, confirmed.line(), Some(0)),
        (&unsigned, confirmed.line(), None),
        (&confirmed, &unsigned.line()[..unsigned.line().len() - 3], Some(3)),
    ] {
        assert_eq!(event.missing_bytes(written.as_bytes()), missing, "{written}");
    }
    for (event, proof) in [(&unsigned, &other), (&unsigned, &unsigned), (&signed, &signed), (&signed, &unsigned)] {
        assert_eq!(event.confirmed_by(proof), None, "{event:?} by {proof:?}");
    }
}
