//! The id that tells events apart, the same for every instance, retry and replay. **It is the dedupe key.**
//!
//! A UUID of version 8 (RFC 9562). Its first 48 bits are the event time in Unix ms: the type's own time member, else
//! `t` - 600 s (when CSS sends), else 0. The version and variant bits apart, the rest are the first 74 bits of a SHA-256
//! digest over the callback's members without `t` and `sign`, sorted by the bytes of their names: for each, the length of
//! the name (u64, big-endian), the name with its escapes resolved, the length of the value (likewise) and the value as
//! received without white space outside strings, in which DEL, C1, U+2028 and U+2029 are written as `\uXXXX`. For types
//! that may have no time of their own (329, 330 and unknown ones), `t` is one of the members, with its digits as value.
//!
//! The digest is over the members before redaction, so that the id does not depend on a receiver's configuration.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use super::event_type::EventType;
use super::parse::Callback;

/// The key of an event, 16 bytes, written as a UUID.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, utoipa::ToSchema)]
#[schema(value_type = String, format = "uuid", examples("0167c013-eab0-8a3c-9f0e-5b1d0c6a7e42"))]
pub struct EventId(u128);

impl EventId {
    /// The id of a callback, as this file's first lines describe it.
    pub(super) fn of(callback: &Callback<'_>) -> EventId {
        let event_type = callback.event_type;
        let t = callback.t.as_ref();
        let t_tells_apart =
            matches!(event_type, EventType::StreamLivePush | EventType::StreamLiveStop | EventType::Unknown(_));

        let mut digested: Vec<(&str, &str)> =
            callback.members.iter().map(|member| (member.name.as_ref(), member.value.as_ref())).collect();
        if t_tells_apart && let Some(t) = t {
            digested.push(("t", &t.text));
        }
        digested.sort_unstable();
        let mut encoded = Vec::with_capacity(1024);
        for (name, value) in digested {
            for part in [name, value] {
                encoded.extend_from_slice(&(part.len() as u64).to_be_bytes());
                encoded.extend_from_slice(part.as_bytes());
            }
        }
        let digest: [u8; 32] = Sha256::digest(&encoded).into();

        let time_ms = callback
            .event_time_ms
            .or_else(|| t?.secs.checked_sub(600)?.checked_mul(1000))
            .and_then(|time_ms| u64::try_from(time_ms).ok())
            .filter(|time_ms| *time_ms < 1 << 48)
            .unwrap_or(0);

        let mut head = [0; 16];
        head.copy_from_slice(&digest[..16]);
        let bits = u128::from_be_bytes(head) >> (128 - 74);
        let (high, low) = (bits >> 62, bits & ((1 << 62) - 1));
        EventId((u128::from(time_ms) << 80) | (8 << 76) | (high << 64) | (2 << 62) | low)
    }

    /// The time that the id begins with, in Unix ms: the event's time, or else when CSS sent it, or else 0.
    pub fn time_ms(self) -> i64 {
        (self.0 >> 80) as i64
    }

    /// The smallest id of a time (Unix ms): no id of that time or later is smaller.
    pub fn first_of(time_ms: i64) -> EventId {
        EventId((time_ms.clamp(0, (1 << 48) - 1) as u128) << 80)
    }

    /// The id as the big-endian bytes of the UUID.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// The id of the big-endian bytes of a UUID.
    pub fn from_bytes(bytes: [u8; 16]) -> EventId {
        EventId(u128::from_be_bytes(bytes))
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; 32];
        hex::encode_to_slice(self.to_bytes(), &mut digits).map_err(|_| fmt::Error)?;
        let mut text = [b'-'; 36];
        for (from, to) in [(0..8, 0..8), (8..12, 9..13), (12..16, 14..18), (16..20, 19..23), (20..32, 24..36)] {
            text[to].copy_from_slice(&digits[from]);
        }
        formatter.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl serde::Serialize for EventId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The text is not an event id.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is no event id: it has the form 0167c013-eab0-8a3c-9f0e-5b1d0c6a7e42")]
pub struct InvalidEventId(String);

impl FromStr for EventId {
    type Err = InvalidEventId;

    fn from_str(text: &str) -> Result<EventId, InvalidEventId> {
        let mut bytes = [0; 16];
        let hyphens = text.len() == 36
            && text.bytes().enumerate().all(|(at, byte)| (byte == b'-') == matches!(at, 8 | 13 | 18 | 23));
        if !hyphens || hex::decode_to_slice(text.replace('-', ""), &mut bytes).is_err() {
            return Err(InvalidEventId(text.chars().take(64).collect()));
        }
        Ok(EventId::from_bytes(bytes))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn id(body: &str) -> EventId {
        EventId::of(&Callback::parse(body.as_bytes()).unwrap())
    }

    /// The vendor's published sample.
    const SAMPLE: &str = r#"{"app":"test.domain.com","appid":12345678,"appname":"live","channel_id":"test_stream","errcode":0,"errmsg":"ok",
 "event_time":1545115790,"event_type":1,"node":"100.121.160.92","sequence":"6674468118806626493",
 "stream_id":"test_stream","stream_param":"stream_param=test","user_ip":"119.29.94.245",
 "sign":"ca3e25e5dc17a6f9909a9ae7281e300d","t":1545030873}"#;

    #[test]
    fn known_answers() {
        // Computed by tests/event_id.py, which follows the text above and shares no code with this file.
        for (body, expected) in [
            (SAMPLE, "0167c013-eab0-872f-b4af-90cdf5cef73f"),
            (
                r#"{"event_type":777,"t":"1703732078","sign":"x","a":" \u007f\/ ","z":{ "y" : [1.50, null] }}"#,
                "018cae4f-3df0-8963-ab7e-9fa203a4db2e",
            ),
            (r#"{"event_type":1}"#, "00000000-0000-8583-88a2-33c2ff71e521"),
        ] {
            assert_eq!(id(body).to_string(), expected, "{body}");
        }
    }

    #[test]
    fn t_sign_order_and_white_space_do_not_count() {
        let mut members: serde_json::Map<String, Value> = serde_json::from_str(SAMPLE).unwrap();
        members.insert("t".into(), json!("1703732078"));
        members.remove("sign");
        assert_eq!(id(&serde_json::to_string_pretty(&members).unwrap()), id(SAMPLE));
    }

    #[test]
    fn t_tells_apart_what_may_have_no_time() {
        let of = |event_type: i64, t: i64| id(&format!(r#"{{"event_type":{event_type},"t":{t},"a":1}}"#));
        for event_type in [329, 330, 777] {
            assert_ne!(of(event_type, 1_703_732_078), of(event_type, 1_703_732_079), "{event_type}");
            assert_eq!(of(event_type, 1_703_732_078).to_bytes()[..6], 1_703_731_478_000u64.to_be_bytes()[2..]);
        }
        let push = |t: i64| id(&format!(r#"{{"event_type":1,"t":{t},"event_time":1,"a":1}}"#));
        assert_eq!(push(1_703_732_078), push(1_703_732_079));
        assert_eq!(of(1, i64::MAX).to_bytes()[..6], [0; 6], "a time beyond 48 bits is none");
    }

    #[test]
    fn texts_go_there_and_back() {
        assert_eq!(id(SAMPLE).to_string().parse(), Ok(id(SAMPLE)));
        assert_eq!(EventId::from_bytes(id(SAMPLE).to_bytes()), id(SAMPLE));
        for text in [
            "",
            "0167c013eab08a3c9f0e5b1d0c6a7e42",
            "0167c013-eab0-8a3c-9f0e-5b1d0c6a7e4g",
            "-0167c013-eab0-8a3c-9f0e5b1d0c6a7e42",
        ] {
            assert!(text.parse::<EventId>().is_err(), "{text}");
        }
    }

    fn any_members() -> impl Strategy<Value = Vec<(String, Value)>> {
        let value = prop_oneof![
            any::<String>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            Just(json!([1, {"a": null}]))
        ];
        prop::collection::btree_map("[a-s]{1,6}", value, 0..8).prop_map(|members| {
            let others = members.into_iter().filter(|(name, _)| name != "sign");
            std::iter::once(("event_type".to_owned(), json!(1))).chain(others).collect()
        })
    }

    fn body(members: &[(String, Value)]) -> String {
        let members: Vec<String> = members.iter().map(|(name, value)| format!("{} : {value}", json!(name))).collect();
        format!("{{{}}}", members.join(" ,\n"))
    }

    proptest! {
        #[test]
        fn order_and_stamps_of_a_retry_change_nothing(
            first in any_members(), t in 0..1_000_000_000_000i64, shuffled in any::<prop::sample::Index>(),
        ) {
            // Without a time of its own the id's first 48 bits come from `t`, so the push gets one.
            let mut first = first;
            first.push(("event_time".into(), json!(1_703_731_478)));
            let mut retry = first.clone();
            retry.push(("t".into(), json!(t)));
            retry.rotate_left(shuffled.index(first.len()));
            retry.swap(0, first.len() / 2);
            prop_assert_eq!(id(&body(&first)), id(&body(&retry)));
        }

        #[test]
        fn any_change_of_identity_changes_the_id(first in any_members(), which in any::<prop::sample::Index>()) {
            let unchanged = id(&body(&first));
            let mut changed = first.clone();
            let member = &mut changed[which.index(first.len())];
            member.1 = if member.0 == "event_type" { json!(0) } else { json!("changed to this") };
            prop_assert_ne!(id(&body(&changed)), unchanged);
            let mut more = first.clone();
            more.push(("added".into(), Value::Null));
            prop_assert_ne!(id(&body(&more)), unchanged);
            if first.len() > 1 {
                prop_assert_ne!(id(&body(&first[..first.len() - 1])), unchanged);
            }
        }
    }
}
