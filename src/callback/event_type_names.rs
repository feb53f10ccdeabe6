//! Reads and writes event types: the vendor's numbers, and livehook's names. The catalogue has both for the vendor's types; this
//! file has them for livehook's own.

use std::fmt;
use std::str::FromStr;

use super::catalogue::KnownType;
use super::event_type::EventType;
use super::invalid_text::InvalidText;

/// The number of [`EventType::SessionEnded`]. The receiver refuses a callback with a negative number, so none can have it.
const SESSION_ENDED: i64 = -1;

/// The short name of [`EventType::SessionEnded`].
const SESSION_ENDED_NAME: &str = "session-ended";

/// The CloudEvents type of [`EventType::SessionEnded`].
const SESSION_ENDED_CLOUD_EVENT_TYPE: &str = "livehook.session.ended";

impl EventType {
    /// Every known type of the vendor, in the order of its numbers.
    pub fn known() -> impl Iterator<Item = EventType> {
        KnownType::all().iter().map(|known| known.event_type)
    }

    /// The type of a number: the vendor's, or -1 for livehook's own.
    pub fn from_number(number: i64) -> EventType {
        if number == SESSION_ENDED {
            return EventType::SessionEnded;
        }
        KnownType::of_number(number).map_or(EventType::Unknown(number), |known| known.event_type)
    }

    /// The vendor's number, or -1 for livehook's own type.
    pub fn number(self) -> i64 {
        match self {
            EventType::Unknown(number) => number,
            known => KnownType::of(known).map_or(SESSION_ENDED, |known| known.number),
        }
    }

    /// The label for metrics: the name, or `unknown`, because a sender must not be able to add labels.
    pub fn label(self) -> &'static str {
        match self {
            EventType::SessionEnded => SESSION_ENDED_NAME,
            other => KnownType::of(other).map_or("unknown", |known| known.name),
        }
    }

    /// The CloudEvents `type`, such as `tencent.css.push`.
    pub fn cloud_event_type(self) -> impl fmt::Display {
        CloudEventType(self)
    }
}

/// Writes the short name, such as `push`, or `event-<number>` for an unknown type. Filters and the command line read it back.
impl fmt::Display for EventType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EventType::Unknown(number) => write!(formatter, "event-{number}"),
            known => formatter.write_str(known.label()),
        }
    }
}

struct CloudEventType(EventType);

impl fmt::Display for CloudEventType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // StreamLive is another product, so its events have another prefix.
        match self.0 {
            EventType::StreamLivePush => formatter.write_str("tencent.streamlive.push"),
            EventType::StreamLiveStop => formatter.write_str("tencent.streamlive.stop"),
            EventType::SessionEnded => formatter.write_str(SESSION_ENDED_CLOUD_EVENT_TYPE),
            other => write!(formatter, "tencent.css.{other}"),
        }
    }
}

fn invalid(text: &str) -> InvalidText {
    InvalidText::new(text, "an event type", "a name such as push, stop or recording, or a number such as 321")
}

/// Reads a short name, the CloudEvents type, `event-<number>` or a bare number.
impl FromStr for EventType {
    type Err = InvalidText;

    fn from_str(text: &str) -> Result<EventType, InvalidText> {
        if matches!(text, SESSION_ENDED_NAME | SESSION_ENDED_CLOUD_EVENT_TYPE) {
            return Ok(EventType::SessionEnded);
        }
        let name = match text {
            "tencent.streamlive.push" => "streamlive-push",
            "tencent.streamlive.stop" => "streamlive-stop",
            other => other.strip_prefix("tencent.css.").unwrap_or(other),
        };
        if let Some(known) = KnownType::of_name(name) {
            return Ok(known.event_type);
        }
        let digits = name.strip_prefix("event-").unwrap_or(name);
        // `parse` would also accept a sign.
        if digits.bytes().all(|byte| byte.is_ascii_digit())
            && let Ok(number) = digits.parse()
        {
            return Ok(EventType::from_number(number));
        }
        Err(invalid(text))
    }
}

impl<'de> serde::Deserialize<'de> for EventType {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<EventType, D::Error> {
        struct NameOrNumber;
        impl serde::de::Visitor<'_> for NameOrNumber {
            type Value = EventType;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an event type: a name such as \"push\" or a number such as 321")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<EventType, E> {
                text.parse().map_err(E::custom)
            }
            // TOML gives every number as an i64, and JSON gives it as a u64.
            fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<EventType, E> {
                u32::try_from(number)
                    .map(|number| EventType::from_number(i64::from(number)))
                    .map_err(|_| E::custom(invalid(&number.to_string())))
            }
            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<EventType, E> {
                i64::try_from(number).map(EventType::from_number).map_err(|_| E::custom(invalid(&number.to_string())))
            }
        }
        deserializer.deserialize_any(NameOrNumber)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_read_back() {
        for event_type in EventType::known().chain([EventType::SessionEnded]) {
            assert_eq!(EventType::from_number(event_type.number()), event_type);
            assert_eq!(event_type.to_string().parse(), Ok(event_type));
            assert_eq!(event_type.cloud_event_type().to_string().parse(), Ok(event_type));
        }
        for event_type in EventType::known() {
            assert_eq!(event_type.number().to_string().parse(), Ok(event_type));
        }
    }

    #[test]
    fn an_unknown_number_is_carried_by_name() {
        let unknown = EventType::from_number(777);
        assert_eq!(unknown, EventType::Unknown(777));
        assert_eq!(unknown.cloud_event_type().to_string(), "tencent.css.event-777");
        assert_eq!(unknown.label(), "unknown");
        assert_eq!("event-777".parse(), Ok(unknown));
        assert_eq!("event-1".parse(), Ok(EventType::Push));
    }

    #[test]
    fn unknown_type_is_named_in_the_error() {
        for text in ["", "pushed", "-1", "event--1", "event-", "99999999999999999999", "tencent.css.session-ended"] {
            assert_eq!(text.parse::<EventType>(), Err(invalid(text)), "{text}");
        }
    }
}
