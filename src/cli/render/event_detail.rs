//! What one event says, in a few words for people.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

use super::cell::Cell;
use super::human;
use crate::callback::{Event, EventType, StreamEvent};
use crate::printable::printable;

/// How many anomalies of one event are told.
const ANOMALIES_MAX: usize = 5;

/// The most characters of a URL that are shown. A shorter one is of use only whole.
const URL_CHARACTERS_MAX: usize = 2048;

/// Of a push, from where it comes; of a stop, how long the push lasted and why it stopped; of a recording or a screenshot, its
/// URL; of anomalies, how many there were of which. Nothing for all others. Escaped.
pub(crate) fn told(event: &Event) -> String {
    match event.event_type() {
        EventType::Recording => url(event, &["video_url"]),
        EventType::Screenshot => url(event, &["pic_full_url", "pic_url"]),
        EventType::PushAnomaly => anomalies(event),
        _ => StreamEvent::of(event).map(push_or_stop).unwrap_or_default(),
    }
}

fn push_or_stop(event: StreamEvent<'_>) -> String {
    let mut parts = Vec::new();
    if event.is_stop {
        if let Some(duration_ms) = event.push_duration_ms {
            parts.push(format!("after {}", human::duration(duration_ms)));
        }
        if let Some(errcode) = event.errcode {
            parts.push(format!("errcode {errcode}"));
        }
    } else if let Some(address) = event.user_address {
        parts.push(format!("from {}", Cell::name(&address).text()));
    }
    parts.join(", ")
}

/// The callback's members.
fn data(event: &Event) -> Value {
    #[derive(Deserialize)]
    struct Line {
        data: Value,
    }
    serde_json::from_str(event.line()).map_or(Value::Null, |Line { data }| data)
}

fn url(event: &Event, members: &[&str]) -> String {
    let data = data(event);
    let url = members.iter().filter_map(|name| data[*name].as_str()).find(|url| !url.is_empty());
    url.map(|url| printable(url, URL_CHARACTERS_MAX).into_owned()).unwrap_or_default()
}

fn anomalies(event: &Event) -> String {
    let data = data(event);
    let Some(all) = data["abnormal_event"].as_array() else { return String::new() };
    let mut told: Vec<String> = all.iter().take(ANOMALIES_MAX).map(anomaly).collect();
    if all.len() > ANOMALIES_MAX {
        told.push(format!("{} more", all.len() - ANOMALIES_MAX));
    }
    told.join(", ")
}

/// What happened, with how often where that is more than once.
fn anomaly(anomaly: &Value) -> String {
    let text = ["type_desc_en", "event_key", "type_desc_cn"]
        .iter()
        .filter_map(|name| anomaly[*name].as_str())
        .find(|text| !text.is_empty())
        .map_or_else(|| Cow::Owned(format!("type {}", number(&anomaly["type"]).unwrap_or(0))), Cow::Borrowed);
    let text = Cell::name(&text).text().to_owned();
    match number(&anomaly["count"]) {
        Some(count) if count != 1 => format!("{count} x {text}"),
        _ => text,
    }
}

/// A number, also one that came as a string.
fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use crate::callback::{Callback, Options, Verifier};

    fn told(body: &str) -> String {
        let verifier = Verifier::new(Options { allow_unsigned: true, ..Options::default() }).unwrap();
        super::told(&verifier.verify(&Callback::parse(body.as_bytes()).unwrap(), 0).unwrap())
    }

    #[test]
    fn each_kind_of_event_says_what_matters() {
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
            assert_eq!(told(body), expected, "{body}");
        }
    }

    #[test]
    fn what_is_hostile_or_of_another_form_harms_nothing() {
        for body in [
            r#"{"event_type":321}"#,
            r#"{"event_type":321,"abnormal_event":{"a":1}}"#,
            r#"{"event_type":321,"abnormal_event":[]}"#,
            r#"{"event_type":100,"video_url":5}"#,
            r#"{"event_type":200}"#,
        ] {
            assert_eq!(told(body), "", "{body}");
        }
        let url = told(r#"{"event_type":100,"video_url":"http://a\u001b]0;x\u0007\nb"}"#);
        assert_eq!(url, r"http://a\u{1b}]0;x\u{7}\nb");
        let many = vec![r#"{"type_desc_en":"\u202ex"}"#; 1000].join(",");
        let text = told(&format!(r#"{{"event_type":321,"abnormal_event":[null,3,{many}]}}"#));
        assert!(text.starts_with(r"type 0, type 0, \u{202e}x") && text.ends_with(", 997 more"), "{text}");
    }
}
