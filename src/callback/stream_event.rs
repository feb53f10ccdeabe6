//! Push and stop with all their members, typed.
//!
//! Source: the vendor's page on stream push and interruption callbacks, and captured payloads. Every member is optional,
//! since older shapes lack some, and numbers may come as strings.

use serde::Deserialize;

use super::event::Event;
use super::event_type::EventType;
use super::members::{self, Member};
use super::parse::Callback;

/// The longest duration that is believed, in ms: ten years. A start that is reckoned from a longer one would be in no
/// calendar, and one sum of durations would never be of use again.
const PUSH_DURATION_MS_MAX: i64 = 10 * 365 * 86_400_000;

/// A push (event type 1) or a stop (event type 0).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamEvent {
    /// Whether it is a stop.
    pub is_stop: bool,
    /// The account's APPID.
    pub appid: Option<i64>,
    /// The push domain (`app`).
    pub domain: Option<String>,
    /// The path of the push URL (`appname`).
    pub app_name: Option<String>,
    /// The stream name (`stream_id`).
    pub stream: Option<String>,
    /// Documented as equal to the stream name; not always so.
    pub channel_id: Option<String>,
    /// When it happened, in Unix ms (resolution 1 s).
    pub event_time_ms: Option<i64>,
    /// Pairs a push with its stop. Digits above 2^53; never to be sorted by.
    pub sequence: Option<String>,
    /// The ingest node's address.
    pub node: Option<String>,
    /// The pusher's address, v4 or v6.
    pub user_address: Option<String>,
    /// The query of the push URL, secrets redacted.
    pub stream_param: Option<String>,
    /// On a stop: how long the push lasted, in ms. Absent where no push could have lasted so long.
    pub push_duration_ms: Option<i64>,
    /// On a stop: why (see the vendor's table). 0 on a push.
    pub errcode: Option<i64>,
    /// Free text, never to be tested for.
    pub errmsg: Option<String>,
    /// 1 to 6 where pushed from mainland China, 7 to 200 outside.
    pub set_id: Option<i64>,
    /// In real payloads, in no field table.
    pub idc_id: Option<i64>,
    /// Picture width in pixels; the vendor's 0 means unknown.
    pub width: Option<i64>,
    /// Picture height in pixels; the vendor's 0 means unknown.
    pub height: Option<i64>,
}

impl StreamEvent {
    /// The members of a push or stop; `None` for every other kind of event.
    pub fn of(event: &Event) -> Option<StreamEvent> {
        if !matches!(event.event_type(), EventType::Push | EventType::Stop) {
            return None;
        }
        with_members(event, |members| StreamEvent::from_members(members, event.event_type()))
    }

    fn from_members(members: &[Member<'_>], event_type: EventType) -> StreamEvent {
        let text = |name| members::text(members, name).map(|text| text.into_owned());
        let number = |name| members::number(members, name);
        StreamEvent {
            is_stop: event_type == EventType::Stop,
            appid: number("appid"),
            domain: text("app"),
            app_name: text("appname"),
            stream: text("stream_id"),
            channel_id: text("channel_id"),
            event_time_ms: members::event_time_ms(members, event_type),
            sequence: text("sequence"),
            node: text("node"),
            user_address: text("user_ip"),
            stream_param: text("stream_param"),
            push_duration_ms: number("push_duration").filter(|ms| (0..=PUSH_DURATION_MS_MAX).contains(ms)),
            errcode: members::signed_number(members, "errcode"),
            errmsg: text("errmsg"),
            set_id: number("set_id"),
            idc_id: number("idc_id"),
            width: number("width").filter(|pixels| *pixels > 0),
            height: number("height").filter(|pixels| *pixels > 0),
        }
    }
}

/// When the file of a `recording` event begins, in Unix ms; `None` for every other kind of event.
pub fn recording_started_ms(event: &Event) -> Option<i64> {
    if event.event_type() != EventType::Recording {
        return None;
    }
    with_members(event, |members| members::number(members, "start_time"))?.and_then(|secs| secs.checked_mul(1000))
}

/// Reads the members of the callback that an event was made of.
fn with_members<T>(event: &Event, read: impl FnOnce(&[Member<'_>]) -> T) -> Option<T> {
    #[derive(Deserialize)]
    struct Line<'a> {
        #[serde(borrow)]
        data: &'a serde_json::value::RawValue,
    }
    let line: Line<'_> = serde_json::from_str(event.line()).ok()?;
    let callback = Callback::parse(line.data.get().as_bytes()).ok()?;
    Some(read(&callback.members))
}

#[cfg(test)]
mod tests {
    use super::super::redact::Redactor;
    use super::*;

    fn stream_event(body: &str) -> Option<StreamEvent> {
        StreamEvent::of(&Event::new(&Callback::parse(body.as_bytes()).unwrap(), true, 0, &Redactor::default()))
    }

    #[test]
    fn a_stop_in_todays_shape() {
        let stop = stream_event(
            r#"{"app":"push.example.com","appid":1,"appname":"live","channel_id":"c","errcode":1,"errmsg":"The push client actively stopped the push",
            "event_time":1703731606,"event_type":0,"node":"10.0.0.1","push_duration":"128581","sequence":"2210464508206756938","set_id":2,
            "stream_id":"s","stream_param":"","user_ip":"2001:db8::1","width":0,"height":720}"#,
        )
        .unwrap();
        assert!(stop.is_stop);
        assert_eq!((stop.push_duration_ms, stop.errcode), (Some(128_581), Some(1)));
        assert_eq!(stop.event_time_ms, Some(1_703_731_606_000));
        assert_eq!((stop.width, stop.height), (None, Some(720)));
        assert_eq!((stop.stream_param, stop.user_address.as_deref()), (None, Some("2001:db8::1")));
    }

    #[test]
    fn numbers_as_strings_and_strings_as_numbers() {
        let stop = stream_event(
            r#"{"event_type":"0","appid":"1","errcode":"18","event_time":"1703731606","push_duration":128581,"sequence":2210464508206756938}"#,
        )
        .unwrap();
        assert_eq!((stop.appid, stop.errcode, stop.push_duration_ms), (Some(1), Some(18), Some(128_581)));
        for (value, errcode) in
            [("-1", Some(-1)), (r#""-35""#, Some(-35)), ("--1", None), ("1.0", None), (r#""-""#, None)]
        {
            let stop = stream_event(&format!(
                r#"{{"event_type":0,"errcode":{}}}"#,
                if value == "--1" { r#""--1""# } else { value }
            ));
            assert_eq!(stop.unwrap().errcode, errcode, "{value}");
        }
        assert_eq!(stop.sequence.as_deref(), Some("2210464508206756938"));
    }

    #[test]
    fn a_duration_that_no_push_has_is_absent() {
        for (duration, expected) in [
            ("0", Some(0)),
            ("315360000000", Some(PUSH_DURATION_MS_MAX)),
            ("315360000001", None),
            ("9223372036854775807", None),
            ("-5", None),
        ] {
            let stop = stream_event(&format!(r#"{{"event_type":0,"push_duration":{duration}}}"#)).unwrap();
            assert_eq!(stop.push_duration_ms, expected, "{duration}");
        }
    }

    #[test]
    fn an_old_push_lacks_members_and_wrong_types_are_absent() {
        let push =
            stream_event(r#"{"event_type":1,"stream_id":"s","app":{"no":"text"},"errcode":null,"width":-1}"#).unwrap();
        assert_eq!(push, StreamEvent { stream: Some("s".into()), ..StreamEvent::default() });
        assert_eq!(stream_event(r#"{"event_type":100}"#), None);
    }
}
