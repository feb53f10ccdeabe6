//! The id of an event. Every instance, retry and replay gives the same event the same id. **It is the dedupe key.**
//!
//! The id is a UUID of version 8 (RFC 9562). Its first 48 bits are the event time in Unix ms: the time member of the event's type.
//! Without one they are `t` - 600 s, which is when CSS sends, and without `t` they are 0. Then come the version and variant bits
//! and the first 74 bits of a SHA-256 digest.
//!
//! The digest covers the callback's members without `t` and `sign`, sorted by the bytes of their names. Each member adds the
//! length of its name (u64, big-endian), the name with its escapes resolved, the length of its value (likewise) and the value. The
//! value is as received, without white space outside strings, and with DEL, C1, U+2028 and U+2029 written as `\uXXXX`. Types that
//! may have no time (329, 330 and unknown ones) also add `t`, with its digits as the value.
//!
//! The digest is over the members before redaction, so that the id doesn't depend on the configuration of the receiver.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::event_type::EventType;
use super::invalid_text::InvalidText;
use super::name_start::name_start;
use super::parse::Callback;

/// The key of an event, 16 bytes, written as a UUID.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, utoipa::ToSchema)]
#[schema(value_type = String, format = "uuid", examples("0167c013-eab0-8a3c-9f0e-5b1d0c6a7e42"))]
pub struct EventId(u128);

impl EventId {
    /// Returns the id of a callback, as the first lines of this file describe it.
    pub(super) fn of(callback: &Callback<'_>) -> EventId {
        let event_type = callback.event_type;
        let t = callback.t.as_ref();
        // Without a time, two events can have equal members. To store an event twice is better than to lose one.
        let adds_t =
            matches!(event_type, EventType::StreamLivePush | EventType::StreamLiveStop | EventType::Unknown(_));

        let members = callback.members.iter().map(|member| (member.name.as_ref(), member.value.as_ref()));
        let digested = members.chain(t.filter(|_| adds_t).map(|t| ("t", t.text.as_ref())));
        let time_ms = callback.event_time_ms.or_else(|| t?.secs.checked_sub(600)?.checked_mul(1000));
        EventId::of_members(digested, time_ms)
    }

    /// Returns the id of members with their values, at a time in Unix ms. `None`, and a time beyond 48 bits, become 0. The order of
    /// the members makes no difference.
    pub(super) fn of_members<'m>(members: impl Iterator<Item = (&'m str, &'m str)>, time_ms: Option<i64>) -> EventId {
        // Most names differ in their first eight bytes, and two numbers are compared faster than two texts.
        let mut members: Vec<(u64, &str, &str)> =
            members.map(|(name, value)| (name_start(name), name, value)).collect();
        members.sort_unstable();
        let mut encoded = Vec::with_capacity(1024);
        for (_, name, value) in members {
            // The lengths keep `ab` + `c` and `a` + `bc` apart.
            for part in [name, value] {
                encoded.extend_from_slice(&(part.len() as u64).to_be_bytes());
                encoded.extend_from_slice(part.as_bytes());
            }
        }
        let digest: [u8; 32] = Sha256::digest(&encoded).into();
        let time_ms =
            time_ms.and_then(|time_ms| u64::try_from(time_ms).ok()).filter(|time_ms| *time_ms < 1 << 48).unwrap_or(0);

        let mut head = [0; 16];
        head.copy_from_slice(&digest[..16]);
        // 48 bits of time, 4 of version and 2 of variant leave 74.
        let bits = u128::from_be_bytes(head) >> (128 - 74);
        let (high, low) = (bits >> 62, bits & ((1 << 62) - 1));
        EventId((u128::from(time_ms) << 80) | (8 << 76) | (high << 64) | (2 << 62) | low)
    }

    /// Writes the text of the id, without a formatter, because each event needs it.
    pub(super) fn write(self, output: &mut String) {
        output.push_str(Uuid::from_u128(self.0).hyphenated().encode_lower(&mut Uuid::encode_buffer()));
    }

    /// The time in the id, in Unix ms: the event's time, or the time at which CSS sent it, or 0.
    pub fn time_ms(self) -> i64 {
        (self.0 >> 80) as i64
    }

    /// Returns the smallest id of a time (Unix ms). No id of this time or a later one is smaller.
    pub fn first_of(time_ms: i64) -> EventId {
        EventId((time_ms.clamp(0, (1 << 48) - 1) as u128) << 80)
    }

    /// The id as the big-endian bytes of the UUID.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// Returns the id that these big-endian bytes of a UUID stand for.
    pub fn from_bytes(bytes: [u8; 16]) -> EventId {
        EventId(u128::from_be_bytes(bytes))
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Uuid::from_u128(self.0), formatter)
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

impl FromStr for EventId {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<EventId, InvalidText> {
        match Uuid::try_parse(text) {
            // The length excludes the other forms of a UUID: without hyphens, in braces, and as a URN.
            Ok(uuid) if text.len() == 36 => Ok(EventId(uuid.as_u128())),
            _ => Err(InvalidText::new(text, "an event id", "one such as 0167c013-eab0-8a3c-9f0e-5b1d0c6a7e42")),
        }
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
    fn stamps_and_order_do_not_change_the_id() {
        let mut members: serde_json::Map<String, Value> = serde_json::from_str(SAMPLE).unwrap();
        members.insert("t".into(), json!("1703732078"));
        members.remove("sign");
        assert_eq!(id(&serde_json::to_string_pretty(&members).unwrap()), id(SAMPLE));
    }

    #[test]
    fn t_counts_for_types_without_a_time() {
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
    fn ids_are_read_back_from_their_text() {
        assert_eq!(id(SAMPLE).to_string().parse(), Ok(id(SAMPLE)));
        assert_eq!(id(SAMPLE).to_string().to_uppercase().parse(), Ok(id(SAMPLE)));
        assert_eq!(EventId::from_bytes(id(SAMPLE).to_bytes()), id(SAMPLE));
        for text in [
            "",
            "0167c013eab08a3c9f0e5b1d0c6a7e42",
            "0167c013-eab0-8a3c-9f0e-5b1d0c6a7e4g",
            "-0167c013-eab0-8a3c-9f0e5b1d0c6a7e42",
            "{0167c013-eab0-8a3c-9f0e-5b1d0c6a7e42}",
            "urn:uuid:0167c013-eab0-8a3c-9f0e-5b1d0c6a7e42",
            "0167c013-eab0-8a3c-9f0e-5b1d0c6a7e4é",
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
        fn retries_have_the_same_id(
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
        fn other_members_have_another_id(first in any_members(), which in any::<prop::sample::Index>()) {
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
