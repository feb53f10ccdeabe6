//! Members of a callback by meaning: one pair of names for domain and app name, whatever the event type calls them.
//!
//! Source: the field tables of the vendor's pages, one for each event type. Payloads mix three pairs of names for
//! domain and path, give numbers as strings and strings as numbers, and times in seconds or milliseconds.

use std::borrow::Cow;

use super::event_type::EventType;
use super::json;
use super::parse::whole;

/// The last instant of the year 9999 in Unix ms: later times have no RFC 3339 text, so they count as absent.
const TIME_MS_MAX: i64 = 253_402_300_799_999;

/// Unix seconds above this are read as milliseconds where an unknown event type does not say which it means.
const SECS_PLAUSIBLE_MAX: i64 = 100_000_000_000;

/// A member of a callback: its name with escapes resolved, and the compact text of its value.
#[derive(Debug, Clone)]
pub(super) struct Member<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) value: Cow<'a, str>,
}

/// The compact JSON text of a member.
pub(super) fn value<'m>(members: &'m [Member<'_>], name: &str) -> Option<&'m str> {
    members.iter().find(|member| member.name == name).map(|member| member.value.as_ref())
}

/// A member as text: a string's text, a number's digits. Empty strings and all other values count as absent.
pub(super) fn text<'m>(members: &'m [Member<'_>], name: &str) -> Option<Cow<'m, str>> {
    let value = value(members, name)?;
    let text = match value.as_bytes().first()? {
        b'"' => json::string(value)?,
        b'-' | b'0'..=b'9' => Cow::Borrowed(value),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

/// A member as a whole number that is not negative, given as a number or as a string.
pub(super) fn number(members: &[Member<'_>], name: &str) -> Option<i64> {
    whole(value(members, name)?).map(|(_, number)| number)
}

/// The domain that the callback is about.
pub(super) fn domain<'m>(members: &'m [Member<'_>], event_type: EventType) -> Option<Cow<'m, str>> {
    use EventType::*;
    match event_type {
        Push | Stop | Recording | Screenshot | ImageModeration => text(members, "app"),
        Unknown(_) => text(members, "domain").or_else(|| text(members, "app")),
        _ => text(members, "domain"),
    }
}

/// The app name (the path of the push URL).
pub(super) fn app_name<'m>(members: &'m [Member<'_>], event_type: EventType) -> Option<Cow<'m, str>> {
    use EventType::*;
    match event_type {
        AudioModeration | PushAnomaly | RecordingAnomaly | LiveSummary | Highlights => text(members, "path"),
        Unknown(_) => text(members, "appname").or_else(|| text(members, "path")),
        _ => text(members, "appname"),
    }
}

/// The stream name.
pub(super) fn stream<'m>(members: &'m [Member<'_>], event_type: EventType) -> Option<Cow<'m, str>> {
    match event_type {
        EventType::ImageModeration => text(members, "streamId").or_else(|| text(members, "stream_id")),
        _ => text(members, "stream_id"),
    }
}

/// The type's own time member, in Unix ms.
pub(super) fn event_time_ms(members: &[Member<'_>], event_type: EventType) -> Option<i64> {
    use EventType::*;
    let (name, factor) = match event_type {
        Monitoring => ("event_time", 1),
        PushAnomaly => ("data_time", 1),
        Recording => ("end_time", 1000),
        Screenshot => ("create_time", 1000),
        ImageModeration => ("sendTime", 1000),
        RecordingAnomaly => ("timestamp", 1000),
        _ => ("event_time", 1000),
    };
    let time = number(members, name)?;
    let factor = match event_type {
        Unknown(_) if time > SECS_PLAUSIBLE_MAX => 1,
        _ => factor,
    };
    time.checked_mul(factor).filter(|time_ms| *time_ms <= TIME_MS_MAX)
}
