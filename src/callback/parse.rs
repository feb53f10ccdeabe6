//! Parses the bytes of a body into a [`Callback`]. It checks the form alone: anyone may have sent the body.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use super::event_type::EventType;
use super::flat_object;
use super::json;
use super::members::{self, Member};
use crate::byte_order_mark::without_mark;

/// How many levels of objects and arrays a callback may have, including the callback itself.
pub const NESTING_MAX: usize = 64;

/// A parsed callback. Its form is right, but nothing proves its sender.
#[derive(Debug)]
pub struct Callback<'a> {
    /// All members except `sign` and `t`, in the order received.
    pub(super) members: Vec<Member<'a>>,
    pub(super) event_type: EventType,
    /// The type's own time, in Unix ms.
    pub(super) event_time_ms: Option<i64>,
    pub(super) t: Option<Expiry<'a>>,
    pub(super) sign: Sign,
    /// Whether all names and values are plain ASCII without escapes: see [`flat_object`].
    pub(super) is_plain: bool,
}

/// The member `t`: when the signature expires.
#[derive(Debug, Clone)]
pub(super) struct Expiry<'a> {
    /// The decimal text as the sender wrote it, over which the signature is computed.
    pub(super) text: Cow<'a, str>,
    /// The same in Unix seconds.
    pub(super) secs: i64,
}

/// The member `sign`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// Not among the members.
    Absent,
    /// There, but not 32 hexadecimal digits.
    Unreadable,
    /// The 16 bytes that the digits stand for.
    Digest([u8; 16]),
}

impl Sign {
    /// The digest, if there is one.
    pub(super) fn digest(self) -> Option<[u8; 16]> {
        match self {
            Sign::Digest(digest) => Some(digest),
            Sign::Absent | Sign::Unreadable => None,
        }
    }
}

/// Why a body is not a callback. The sender reads these texts. They quote nothing of the body except a short, escaped name.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Malformed {
    /// Not UTF-8, which RFC 8259 requires.
    #[error("the body is not UTF-8: the byte at position {position} is invalid")]
    NotUtf8 {
        /// Where the first wrong byte is, counted from 0.
        position: usize,
    },
    /// Not one JSON object.
    #[error("the body is not one JSON object: see line {line}, column {column}")]
    NotAnObject {
        /// Counted from 1.
        line: usize,
        /// Counted from 1. 0 is the end of the line before.
        column: usize,
    },
    /// Two members have the same name, and livehook would have to guess which one counts.
    #[error("the member `{name}` appears twice")]
    Twice {
        /// The name, cut to a bound and escaped.
        name: String,
    },
    /// Nested too deeply.
    #[error("objects and arrays are nested more than {NESTING_MAX} levels deep")]
    TooDeep,
    /// A required member is missing.
    #[error("the member `{name}` is missing")]
    Missing {
        /// `event_type` or `t`.
        name: &'static str,
    },
    /// A member is not a whole number.
    #[error(
        "the member `{name}` must be a whole number from 0 to 9223372036854775807, in digits without a sign, leading zero, fraction or exponent"
    )]
    NotWhole {
        /// `event_type` or `t`.
        name: &'static str,
    },
}

impl<'a> Callback<'a> {
    /// Parses a body. Its `Content-Type` does not matter.
    ///
    /// # Errors
    /// [`Malformed`] if the body is not a callback. A missing `t` is an error only together with a `sign`. A callback without both
    /// is unsigned, and [`super::Verifier`] decides about it.
    pub fn parse(body: &'a [u8]) -> Result<Callback<'a>, Malformed> {
        let text = std::str::from_utf8(body).map_err(|error| Malformed::NotUtf8 { position: error.valid_up_to() })?;
        let text = without_mark(text);
        let (mut members, is_plain) = match flat_object::members(text) {
            Some(members) => (members, true),
            None => (any_members(text)?, false),
        };
        if let Some(name) = first_twice(&members) {
            return Err(Malformed::Twice { name });
        }
        if !is_plain {
            compact_values(&mut members)?;
        }
        // Only members at the top level are read: CSS puts everything that livehook needs there. The redaction hides a `sign` or
        // `t` within a value. Both must never leave the receiver, so they are not among the members.
        let sign = remove(&mut members, "sign").map_or(Sign::Absent, |value| read_sign(&value));
        let t = remove(&mut members, "t").map(read_expiry).transpose()?;
        let event_type = members::value(&members, "event_type").ok_or(Malformed::Missing { name: "event_type" })?;
        let (_, number) = json::whole(event_type).ok_or(Malformed::NotWhole { name: "event_type" })?;
        let event_type = EventType::from_number(number);
        if t.is_none() && sign != Sign::Absent {
            return Err(Malformed::Missing { name: "t" });
        }
        let event_time_ms = members::event_time_ms(&members, event_type);
        Ok(Callback { members, event_type, event_time_ms, t, sign, is_plain })
    }

    /// About how many bytes the members have as one compact JSON object, without `sign` and `t`.
    pub fn members_bytes(&self) -> usize {
        2 + self.members.iter().map(|member| member.name.len() + member.value.len() + 4).sum::<usize>()
    }

    /// The event type, as the sender gives it.
    pub fn event_type(&self) -> EventType {
        self.event_type
    }
}

/// Reads the members of a body of any form.
fn any_members(text: &str) -> Result<Vec<Member<'_>>, Malformed> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    deserializer
        .deserialize_map(RawMembers)
        .and_then(|members| deserializer.end().map(|()| members))
        .map_err(|error| Malformed::NotAnObject { line: error.line(), column: error.column() })
}

/// Makes the values of a body of any form compact.
fn compact_values(members: &mut [Member<'_>]) -> Result<(), Malformed> {
    for member in members {
        if let Cow::Borrowed(value) = member.value {
            // The callback itself is the first level.
            member.value = json::compact(value, NESTING_MAX - 1).map_err(|json::TooDeep| Malformed::TooDeep)?;
        }
    }
    Ok(())
}

/// Removes the member with this name, and returns its value.
fn remove<'a>(members: &mut Vec<Member<'a>>, name: &str) -> Option<Cow<'a, str>> {
    let position = members::position(members, name)?;
    Some(members.remove(position).value)
}

/// Returns a name that two members have, cut and escaped for a message. JSON escapes in names are resolved: `\u0074` is `t`.
fn first_twice(members: &[Member<'_>]) -> Option<String> {
    if !have_equal_starts(members) {
        return None;
    }
    let mut names: Vec<&str> = members.iter().map(|member| member.name.as_ref()).collect();
    // Sorted, because comparing every pair would take too long for a hostile body.
    names.sort_unstable();
    let twice = names.windows(2).find(|pair| pair[0] == pair[1])?;
    Some(twice[0].chars().take(64).flat_map(char::escape_default).collect())
}

/// Returns false only if no two names have the same length and the same start. Without such names, no two are equal.
fn have_equal_starts(members: &[Member<'_>]) -> bool {
    /// The most members that are compared in pairs.
    const FEW: usize = 32;
    if members.len() > FEW {
        return true;
    }
    let mut starts = [0; FEW];
    for (position, member) in members.iter().enumerate() {
        starts[position] = member.name_start().wrapping_add((member.name.len() as u64) << 58);
        if starts[..position].contains(&starts[position]) {
            return true;
        }
    }
    false
}

fn read_sign(value: &str) -> Sign {
    let mut digest = [0; 16];
    // Fails for every other number of digits too.
    match json::string(value).map(|digits| hex::decode_to_slice(digits.as_bytes(), &mut digest)) {
        Some(Ok(())) => Sign::Digest(digest),
        _ => Sign::Unreadable,
    }
}

fn read_expiry(value: Cow<'_, str>) -> Result<Expiry<'_>, Malformed> {
    let (text, secs) = match value {
        Cow::Borrowed(value) => json::whole(value),
        Cow::Owned(ref value) => json::whole(value).map(|(text, secs)| (Cow::Owned(text.into_owned()), secs)),
    }
    .ok_or(Malformed::NotWhole { name: "t" })?;
    Ok(Expiry { text, secs })
}

/// Collects the members of one object. Each value stays the text of the body, so that no number is changed.
struct RawMembers;

impl<'de> Visitor<'de> for RawMembers {
    type Value = Vec<Member<'de>>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("one JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        // A stop has some 20 members.
        let mut members = Vec::with_capacity(24);
        while let Some((Name(name), value)) = map.next_entry::<Name<'de>, &RawValue>()? {
            members.push(Member::new(name, Cow::Borrowed(value.get())));
        }
        Ok(members)
    }
}

/// A member's name, borrowed if it has no escapes. serde always copies into a plain `Cow`.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::callback::EventId;

    fn t_of(value: &str) -> Result<(String, i64), Malformed> {
        let body = format!(r#"{{"event_type":1,"t":{value},"sign":"x"}}"#);
        Callback::parse(body.as_bytes()).map(|callback| {
            let t = callback.t.unwrap();
            (t.text.into_owned(), t.secs)
        })
    }

    #[test]
    fn forms_of_t() {
        for (value, secs) in [
            ("1703732078", 1703732078),
            ("\"1703732078\"", 1703732078),
            (r#""\u0031""#, 1),
            ("0", 0),
            ("9223372036854775807", i64::MAX),
        ] {
            assert_eq!(t_of(value).unwrap(), (secs.to_string(), secs), "{value}");
        }
        for value in [
            "\"+1\"",
            "\"01\"",
            "01",
            "1.0",
            "\"1.0\"",
            "1e9",
            "\"1e9\"",
            "\" 1\"",
            "\"1 \"",
            "-1",
            "\"-1\"",
            "-0",
            "\"\"",
            "\"١٢٣\"",
            "\"１\"",
            "9223372036854775808",
            "\"9223372036854775808\"",
            "null",
            "[1]",
            "{}",
            "true",
            r#""1545030873\u0000\u0080""#,
        ] {
            assert!(t_of(value).is_err(), "{value}");
        }
    }

    #[test]
    fn missing_t_is_malformed_with_a_sign() {
        assert_eq!(Callback::parse(br#"{"event_type":1,"sign":"x"}"#).unwrap_err(), Malformed::Missing { name: "t" });
        assert!(Callback::parse(br#"{"event_type":1}"#).is_ok());
    }

    #[test]
    fn event_type_0_is_a_stop_in_any_form() {
        for body in [r#"{"event_type":0}"#, r#"{"event_type":"0"}"#, r#"{"event\u005ftype":0}"#] {
            assert_eq!(Callback::parse(body.as_bytes()).unwrap().event_type(), EventType::Stop, "{body}");
        }
        for body in
            [r#"{}"#, r#"{"event_type":null}"#, r#"{"event_type":-1}"#, r#"{"event_type":1.0}"#, r#"{"event_type":""}"#]
        {
            assert!(Callback::parse(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn forms_of_sign() {
        let sign = |value: &str| {
            let body = format!(r#"{{"event_type":1,"t":1,"sign":{value}}}"#);
            Callback::parse(body.as_bytes()).unwrap().sign
        };
        let digest = [0xab; 16];
        assert_eq!(sign(&format!("\"{}\"", "ab".repeat(16))), Sign::Digest(digest));
        assert_eq!(sign(&format!("\"{}\"", "aB".repeat(16))), Sign::Digest(digest));
        assert_eq!(sign(&format!("\"\\u0061b{}\"", "AB".repeat(15))), Sign::Digest(digest));
        for value in ["\"\"", "null", "1", "\"zz\"", "[]"] {
            assert_eq!(sign(value), Sign::Unreadable, "{value}");
        }
        for length in [31, 33, 34, 64] {
            assert_eq!(sign(&format!("\"{}\"", "a".repeat(length))), Sign::Unreadable, "{length}");
        }
    }

    #[test]
    fn repeated_name_is_malformed() {
        for body in [
            r#"{"event_type":1,"t":1,"t":2}"#,
            r#"{"event_type":1,"t":1,"\u0074":2}"#,
            r#"{"event_type":1,"a":1,"b":2,"a":1}"#,
            r#"{"event_type":1,"event_type":0}"#,
        ] {
            assert!(matches!(Callback::parse(body.as_bytes()), Err(Malformed::Twice { .. })), "{body}");
        }
        let long = format!(r#"{{"{0}":1,"{0}":1}}"#, "\\n".repeat(5000));
        let Err(Malformed::Twice { name }) = Callback::parse(long.as_bytes()) else { panic!("not refused") };
        assert_eq!(name, "\\n".repeat(64));
        assert!(Callback::parse(br#"{"event_type":1,"x":{"a":1,"a":2}}"#).is_ok(), "below the top level is not judged");
    }

    #[test]
    fn byte_order_mark_is_skipped() {
        let parse = |body: &str| Callback::parse(body.as_bytes()).map(|callback| EventId::of(&callback));
        let body = r#"{"event_type":1,"stream_id":"s"}"#;
        assert_eq!(parse(&format!("\u{feff}{body}")).unwrap(), parse(body).unwrap());
    }

    #[test]
    fn other_bodies_are_malformed() {
        for body in [
            "",
            " ",
            "null",
            "[]",
            "1",
            "\"a\"",
            "{",
            "{}{}",
            "{} x",
            "{\"a\":1,}",
            "{'a':1}",
            "{\"a\":\"\n\"}",
            "\u{feff}\u{feff}{\"event_type\":1}",
            "{\"event_type\":1}\u{feff}",
        ] {
            assert!(Callback::parse(body.as_bytes()).is_err(), "{body:?}");
        }
        assert_eq!(Callback::parse(b"{\"a\":\"\xff\"}").unwrap_err(), Malformed::NotUtf8 { position: 6 });
    }

    #[test]
    fn nesting_has_a_bound() {
        let nested = |depth: usize| format!(r#"{{"event_type":1,"a":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        assert!(Callback::parse(nested(NESTING_MAX - 1).as_bytes()).is_ok());
        assert_eq!(Callback::parse(nested(NESTING_MAX).as_bytes()).unwrap_err(), Malformed::TooDeep);
        assert_eq!(Callback::parse(nested(100_000).as_bytes()).unwrap_err(), Malformed::TooDeep);
        assert!(Callback::parse(nested(1).replace("[]", &"[".repeat(100_000)).as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Callback::parse(&bytes);
        }

        #[test]
        fn near_json_does_not_panic(text in r#"[\[\]{}":,0-9a-z\\u \n]{0,200}"#) {
            let _ = Callback::parse(text.as_bytes());
        }
    }
}
