//! The most important facts of an event in a few words, for people.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

use super::text_cell::TextCell;
use super::time;
use crate::callback::{Event, EventType, StreamEvent, end_reason};
use crate::printable::printable;

/// The most anomalies that are listed.
const ANOMALIES_MAX: usize = 5;

/// The most characters that are shown of a URL. Users need a URL whole, so this is far more than a normal one has.
const URL_CHARACTERS_MAX: usize = 2048;

/// The most characters that are shown of a reason.
const REASON_CHARACTERS_MAX: usize = 256;

/// An escaped text that depends on the type of the event, for example:
/// - push: `from 203.0.113.7`
/// - stop: `after 2m 8s, errcode 12`
/// - recording, screenshot: the URL of the file
/// - push-anomaly: `2 x Video timestamp jump, No data`
/// - session-ended: the reason that a person gave
///
/// It is empty for all other types.
pub(crate) fn of(event: &Event) -> String {
    match event.event_type() {
        EventType::Recording => url(event, &["video_url"]),
        EventType::Screenshot => url(event, &["pic_full_url", "pic_url"]),
        EventType::PushAnomaly => anomalies(event),
        EventType::SessionEnded => {
            end_reason(event).map(|why| printable(&why, REASON_CHARACTERS_MAX).into_owned()).unwrap_or_default()
        }
        _ => StreamEvent::of(event).map(push_or_stop).unwrap_or_default(),
    }
}

fn push_or_stop(event: StreamEvent<'_>) -> String {
    let mut parts = Vec::new();
    if event.is_stop {
        if let Some(duration_ms) = event.push_duration_ms {
            parts.push(format!("after {}", time::duration(duration_ms)));
        }
        if let Some(errcode) = event.errcode {
            parts.push(format!("errcode {errcode}"));
        }
    } else if let Some(address) = event.user_address {
        parts.push(format!("from {}", TextCell::name(&address).text()));
    }
    parts.join(", ")
}

/// The members of the callback; null if the line has none.
fn data(event: &Event) -> Value {
    #[derive(Deserialize)]
    struct Line {
        data: Value,
    }
    serde_json::from_str(event.line()).map_or(Value::Null, |Line { data }| data)
}

/// The first of these members that isn't empty.
fn url(event: &Event, members: &[&str]) -> String {
    let data = data(event);
    let url = members.iter().filter_map(|name| data[*name].as_str()).find(|url| !url.is_empty());
    url.map(|url| printable(url, URL_CHARACTERS_MAX).into_owned()).unwrap_or_default()
}

fn anomalies(event: &Event) -> String {
    let data = data(event);
    let Some(all) = data["abnormal_event"].as_array() else { return String::new() };
    let mut texts: Vec<String> = all.iter().take(ANOMALIES_MAX).map(anomaly).collect();
    if all.len() > ANOMALIES_MAX {
        texts.push(format!("{} more", all.len() - ANOMALIES_MAX));
    }
    texts.join(", ")
}

/// The kind of an anomaly, such as `2 x No data`. The count is left out if it is 1.
fn anomaly(anomaly: &Value) -> String {
    let text = ["type_desc_en", "event_key", "type_desc_cn"]
        .iter()
        .filter_map(|name| anomaly[*name].as_str())
        .find(|text| !text.is_empty())
        .map_or_else(|| Cow::Owned(format!("type {}", number(&anomaly["type"]).unwrap_or(0))), Cow::Borrowed);
    let text = TextCell::name(&text).text().to_owned();
    match number(&anomaly["count"]) {
        Some(count) if count != 1 => format!("{count} x {text}"),
        _ => text,
    }
}

/// A number. The vendor sends some numbers as strings.
fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use crate::callback::testing::event_of;

    fn summary(body: &str) -> String {
        super::of(&event_of(body, 0))
    }

    #[test]
    fn summary_of_each_type() {
        let anomalies = std::fs::read_to_string("tests/fixtures/321-push-anomaly.json").unwrap();
        for (body, expected) in [
            (r#"{"event_type":1,"user_ip":"2001:db8::1"}"#, "from 2001:db8::1"),
            (r#"{"event_type":0,"push_duration":"128581","errcode":12}"#, "after 2m 8s, errcode 12"),
            (r#"{"event_type":100,"video_url":"http://v/1.mp4"}"#, "http://v/1.mp4"),
            (r#"{"event_type":200,"pic_url":"/a.jpg","pic_full_url":"http://p/a.jpg"}"#, "http://p/a.jpg"),
            (r#"{"event_type":200,"pic_url":"/a.jpg","pic_full_url":""}"#, "/a.jpg"),
            (r#"{"event_type":332,"video_url":"x"}"#, ""),
            (&anomalies, "2 x Video timestamp jump, No data"),
            (r#"{"event_type":321,"abnormal_event":[{"type":"7","count":"3"}]}"#, "3 x type 7"),
        ] {
            assert_eq!(summary(body), expected, "{body}");
        }
    }

    #[test]
    fn summary_of_hostile_event() {
        for body in [
            r#"{"event_type":321}"#,
            r#"{"event_type":321,"abnormal_event":{"a":1}}"#,
            r#"{"event_type":321,"abnormal_event":[]}"#,
            r#"{"event_type":100,"video_url":5}"#,
            r#"{"event_type":200}"#,
        ] {
            assert_eq!(summary(body), "", "{body}");
        }
        let url = summary(r#"{"event_type":100,"video_url":"http://a\u001b]0;x\u0007\nb"}"#);
        assert_eq!(url, r"http://a\u{1b}]0;x\u{7}\nb");
        let many = vec![r#"{"type_desc_en":"\u202ex"}"#; 1000].join(",");
        let text = summary(&format!(r#"{{"event_type":321,"abnormal_event":[null,3,{many}]}}"#));
        assert!(text.starts_with(r"type 0, type 0, \u{202e}x") && text.ends_with(", 997 more"), "{text}");
    }
}
