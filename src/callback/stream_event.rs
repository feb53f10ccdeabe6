//! Reads the members of a push, a stop, a recording and a manual end that livehook itself uses from the line of the event.
//!
//! Source: the vendor's page on stream push and interruption callbacks, and captured payloads. Every member is optional,
//! because older callbacks lack some, and numbers may come as strings.

use std::borrow::Cow;

use super::event::Event;
use super::event_type::EventType;
use super::json;

/// The longest `push_duration` that livehook believes, in ms: ten years. With a longer one, the computed start of the push would be
/// before any date that can be written, and sums of durations would be useless.
const PUSH_DURATION_MS_MAX: i64 = 10 * 365 * 86_400_000;

/// A push (event type 1) or a stop (event type 0). A member of a wrong type is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamEvent<'e> {
    /// Whether it is a stop.
    pub is_stop: bool,
    /// The account's APPID.
    pub appid: Option<i64>,
    /// The ingest node's address.
    pub node: Option<Cow<'e, str>>,
    /// The pusher's address, v4 or v6 (`user_ip`).
    pub user_address: Option<Cow<'e, str>>,
    /// On a stop: how long the push lasted, in ms. Absent if no push can last that long.
    pub push_duration_ms: Option<i64>,
    /// On a stop: the vendor's code of the reason. 0 on a push.
    pub errcode: Option<i64>,
    /// The vendor's text for `errcode`. It changes over the years, so never compare it.
    pub errmsg: Option<Cow<'e, str>>,
    /// Picture width in pixels. The vendor's 0 means unknown.
    pub width: Option<i64>,
    /// Picture height in pixels. The vendor's 0 means unknown.
    pub height: Option<i64>,
}

impl<'e> StreamEvent<'e> {
    /// Reads the members of a push or stop. `None` for every other type of event.
    pub fn of(event: &'e Event) -> Option<StreamEvent<'e>> {
        if !event.event_type().is_push_or_stop() {
            return None;
        }
        let values = event.stream_values()?;
        let is_possible = |duration_ms: &i64| *duration_ms <= PUSH_DURATION_MS_MAX;
        Some(StreamEvent {
            is_stop: event.event_type() == EventType::Stop,
            appid: values.appid.and_then(number),
            node: values.node.and_then(json::text),
            user_address: values.user_address.and_then(json::text),
            push_duration_ms: values.push_duration.and_then(number).filter(is_possible),
            errcode: values.errcode.and_then(json::signed),
            errmsg: values.errmsg.and_then(json::text),
            width: values.width.and_then(pixels),
            height: values.height.and_then(pixels),
        })
    }
}

/// Returns when the file of a `recording` event starts, in Unix ms. `None` for every other type of event, and if the callback does
/// not say when.
pub fn recording_started_ms(event: &Event) -> Option<i64> {
    if event.event_type() != EventType::Recording {
        return None;
    }
    let (_, started_secs) = event.data_members()?.find(|(name, _)| *name == "start_time")?;
    number(started_secs)?.checked_mul(1000)
}

/// Returns the URL of the file of a `recording` or `screenshot` event. `None` for every other type of event, and for anything that
/// a browser would not take for the address of a file elsewhere, such as `javascript:`.
pub fn media_url(event: &Event) -> Option<Cow<'_, str>> {
    let member = match event.event_type() {
        EventType::Recording => "video_url",
        EventType::Screenshot => "pic_full_url",
        _ => return None,
    };
    let (_, url) = event.data_members()?.find(|(name, _)| *name == member)?;
    json::text(url).filter(|url| ["https://", "http://"].iter().any(|scheme| url.starts_with(scheme)))
}

/// Returns why a person ended the session, from an event of type `session-ended`. `None` for every other type of event.
pub fn end_reason(event: &Event) -> Option<Cow<'_, str>> {
    if event.event_type() != EventType::SessionEnded {
        return None;
    }
    let (_, why) = event.data_members()?.find(|(name, _)| *name == "why")?;
    json::text(why)
}

fn number(value: &str) -> Option<i64> {
    json::whole(value).map(|(_, number)| number)
}

fn pixels(value: &str) -> Option<i64> {
    number(value).filter(|pixels| *pixels > 0)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{event, event_of};
    use super::*;

    #[test]
    fn a_stop_of_today() {
        let event = event_of(
            r#"{"app":"push.example.com","appid":1,"appname":"live","channel_id":"c","errcode":1,"errmsg":"The push client actively stopped the push",
            "event_time":1703731606,"event_type":0,"node":"10.0.0.1","push_duration":"128581","sequence":"2210464508206756938","set_id":2,
            "stream_id":"s","stream_param":"","user_ip":"2001:db8::1","width":0,"height":720}"#,
            0,
        );
        let expected = StreamEvent {
            is_stop: true,
            appid: Some(1),
            node: Some("10.0.0.1".into()),
            user_address: Some("2001:db8::1".into()),
            push_duration_ms: Some(128_581),
            errcode: Some(1),
            errmsg: Some("The push client actively stopped the push".into()),
            width: None,
            height: Some(720),
        };
        assert_eq!(StreamEvent::of(&event), Some(expected));
    }

    #[test]
    fn numbers_may_be_strings() {
        let event = event("stop").member("appid", "1").member("errcode", "18").member("push_duration", 128_581).build();
        let stop = StreamEvent::of(&event).unwrap();
        assert_eq!((stop.appid, stop.errcode, stop.push_duration_ms), (Some(1), Some(18), Some(128_581)));
        for (value, errcode) in
            [("-1", Some(-1)), (r#""-35""#, Some(-35)), (r#""--1""#, None), ("1.0", None), (r#""-""#, None)]
        {
            let event = event_of(&format!(r#"{{"event_type":0,"errcode":{value}}}"#), 0);
            assert_eq!(StreamEvent::of(&event).unwrap().errcode, errcode, "{value}");
        }
    }

    #[test]
    fn media_have_addresses_of_the_web() {
        for (event_type, member, url, expected) in [
            ("recording", "video_url", "https://a.example/b.mp4", true),
            ("screenshot", "pic_full_url", "http://a.example/b.jpg", true),
            ("screenshot", "pic_url", "/b.jpg", false),
            ("recording", "video_url", "javascript:alert(1)", false),
            ("push", "video_url", "https://a.example/b.mp4", false),
        ] {
            let event = event(event_type).member(member, url).build();
            assert_eq!(media_url(&event), expected.then(|| url.into()), "{url}");
        }
    }

    #[test]
    fn too_long_durations_are_absent() {
        for (duration, expected) in [
            (0, Some(0)),
            (315_360_000_000, Some(PUSH_DURATION_MS_MAX)),
            (315_360_000_001, None),
            (i64::MAX, None),
            (-5, None),
        ] {
            let event = event("stop").member("push_duration", duration).build();
            assert_eq!(StreamEvent::of(&event).unwrap().push_duration_ms, expected, "{duration}");
        }
    }

    #[test]
    fn wrong_types_are_absent() {
        let body = r#"{"event_type":1,"stream_id":"s","node":{"no":"text"},"user_ip":7,"errcode":null,"errmsg":"\ud800","width":-1}"#;
        let event = event_of(body, 0);
        let push = StreamEvent::of(&event).unwrap();
        let (user_address, errmsg) = (Some("7".into()), Some("\u{fffd}".into()));
        assert_eq!(push, StreamEvent { user_address, errmsg, ..StreamEvent::default() });
    }

    #[test]
    fn other_types_have_no_push() {
        assert_eq!(StreamEvent::of(&event("recording").build()), None);
        assert_eq!(recording_started_ms(&event("push").member("start_time", 5).build()), None);
        assert_eq!(recording_started_ms(&event("recording").member("start_time", "5").build()), Some(5000));
        assert_eq!(recording_started_ms(&event("recording").member("start_time", i64::MAX).build()), None);
    }
}
