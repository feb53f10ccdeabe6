//! Reads the members of a callback by their meaning, such as the domain. Each event type has its own names for them, which the
//! catalogue lists.
//!
//! Payloads have numbers as strings, strings as numbers, and times in seconds or milliseconds.

use std::borrow::Cow;
use std::collections::HashSet;

use super::catalogue::{KnownType, TimeMember, TimeUnit};
use super::event_type::EventType;
use super::json;
use super::name_start::name_start;
use super::redact::{REDACTED_STRING, Redaction, names_a_value};
use super::vendor_members::is_vendor_member;

/// The latest time that livehook can write, 9999-12-30T22:00:00.999Z, in Unix ms. Later times count as absent.
const TIME_MS_MAX: i64 = 253_402_207_200_999;

/// The time of an unknown event type may be in seconds or milliseconds. A number above this one is read as milliseconds.
const SECS_PLAUSIBLE_MAX: i64 = 100_000_000_000;

/// A member of a callback: its name with escapes resolved, and the compact text of its value.
#[derive(Debug, Clone)]
pub(super) struct Member<'a> {
    name_start: u64,
    pub(super) name: Cow<'a, str>,
    pub(super) value: Cow<'a, str>,
}

impl<'a> Member<'a> {
    /// Makes a member.
    pub(super) fn new(name: Cow<'a, str>, value: Cow<'a, str>) -> Member<'a> {
        Member { name_start: name_start(&name), name, value }
    }

    /// The start of the name, see [`name_start`].
    pub(super) fn name_start(&self) -> u64 {
        self.name_start
    }
}

/// Returns the members without secrets, as livehook may store and show them.
pub(super) fn redacted<'m>(members: &'m [Member<'_>], redaction: &Redaction<'_>) -> Vec<Member<'m>> {
    let mut redacted: Vec<Member<'m>> = Vec::with_capacity(members.len());
    let mut has_other_names = false;
    for Member { name_start, name, value } in members {
        // The name of one of the vendor's members hides nothing: `code` is in `errcode`, and `id` in `stream_id`. Only what such a
        // member holds is searched.
        redacted.push(if is_vendor_member(*name_start, name) {
            Member { name_start: *name_start, name: Cow::Borrowed(name), value: redaction.redact(value) }
        } else {
            has_other_names = true;
            let (name, value) = redaction.member(name, value);
            Member::new(name, value)
        });
    }
    // A vendor's name never changes, and never says that a member is the value of a pair.
    if has_other_names {
        // A name that stays is borrowed.
        if redacted.iter().any(|member| matches!(member.name, Cow::Owned(_))) {
            separate(&mut redacted);
        }
        hide_pair(&mut redacted, redaction);
    }
    redacted
}

/// Hides the value if the members are a pair of a secret name and its value, such as `"key":"txSecret","value":"abc"`.
fn hide_pair(members: &mut [Member<'_>], redaction: &Redaction<'_>) {
    let is_pair_value =
        |member: &Member<'_>| names_a_value(&member.name) && !is_vendor_member(member.name_start, &member.name);
    if members.iter().any(is_pair_value) && members.iter().any(|member| redaction.is_name(&member.value)) {
        let values = members.iter_mut().filter(|member| is_pair_value(member));
        values.for_each(|member| member.value = Cow::Borrowed(REDACTED_STRING));
    }
}

/// Adds a number to each name that an earlier member has, because names that differ in their secrets alone become equal.
fn separate(members: &mut [Member<'_>]) {
    let mut taken: HashSet<String> = members.iter().map(|member| member.name.to_string()).collect();
    let mut seen = HashSet::new();
    let mut number = 1;
    for member in members {
        if seen.insert(member.name.to_string()) {
            continue;
        }
        let name = loop {
            number += 1;
            let name = format!("{}-{number}", member.name);
            if taken.insert(name.clone()) {
                break name;
            }
        };
        *member = Member::new(Cow::Owned(name), std::mem::take(&mut member.value));
    }
}

/// Writes members as one JSON object. If `are_plain`, their names need no escapes.
pub(super) fn write_object(output: &mut String, members: &[Member<'_>], are_plain: bool) {
    output.push('{');
    for (position, member) in members.iter().enumerate() {
        let comma = if position > 0 { "," } else { "" };
        output.push_str(comma);
        match are_plain {
            true => json::write_plain_string(output, &member.name),
            false => json::write_string(output, &member.name),
        }
        output.push(':');
        output.push_str(&member.value);
    }
    output.push('}');
}

/// Returns the compact JSON text of a member.
pub(super) fn value<'m>(members: &'m [Member<'_>], name: &str) -> Option<&'m str> {
    position(members, name).map(|position| members[position].value.as_ref())
}

/// Returns the place of the member with this name.
pub(super) fn position(members: &[Member<'_>], name: &str) -> Option<usize> {
    let start = name_start(name);
    members.iter().position(|member| member.name_start == start && member.name == name)
}

/// Returns a member as text: the text of a string, or the digits of a number. `None` for the empty string and all other values.
pub(super) fn text<'m>(members: &'m [Member<'_>], name: &str) -> Option<Cow<'m, str>> {
    value(members, name).and_then(json::text)
}

/// Returns a member as a whole number from 0, given as a number or as a string.
pub(super) fn number(members: &[Member<'_>], name: &str) -> Option<i64> {
    json::whole(value(members, name)?).map(|(_, number)| number)
}

/// Returns the push domain. If the catalogue names no member for it, the usual ones are tried.
pub(super) fn domain<'m>(members: &'m [Member<'_>], event_type: EventType) -> Option<Cow<'m, str>> {
    match KnownType::of(event_type).and_then(|known| known.names.domain) {
        Some(name) => text(members, name),
        None => text(members, "domain").or_else(|| text(members, "app")),
    }
}

/// Returns the app name (the path of the push URL). If the catalogue names no member for it, the usual ones are tried.
pub(super) fn app_name<'m>(members: &'m [Member<'_>], event_type: EventType) -> Option<Cow<'m, str>> {
    match KnownType::of(event_type).and_then(|known| known.names.app_name) {
        Some(name) => text(members, name),
        None => text(members, "appname").or_else(|| text(members, "path")),
    }
}

/// Returns the stream name.
pub(super) fn stream<'m>(members: &'m [Member<'_>], event_type: EventType) -> Option<Cow<'m, str>> {
    let name = KnownType::of(event_type).map_or("stream_id", |known| known.names.stream);
    text(members, name).or_else(|| text(members, "stream_id"))
}

/// Returns the time of the event, in Unix ms. It is part of the event's id, so the catalogue must never change the time member of a
/// type.
pub(super) fn event_time_ms(members: &[Member<'_>], event_type: EventType) -> Option<i64> {
    let TimeMember { name, unit } = KnownType::of(event_type)
        .and_then(|known| known.time)
        .unwrap_or(TimeMember { name: "event_time", unit: TimeUnit::Seconds });
    let time = number(members, name)?;
    // The vendor uses both units, and an unknown type is in no document.
    let unit = match event_type {
        EventType::Unknown(_) if time > SECS_PLAUSIBLE_MAX => TimeUnit::Milliseconds,
        _ => unit,
    };
    time.checked_mul(unit.length_ms()).filter(|time_ms| *time_ms <= TIME_MS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::redact::Redactor;

    #[test]
    fn vendor_members_are_not_hidden_by_name() {
        let redactor = Redactor::new(["code", "id", "name", "time", "sequence", "token"]);
        for (name, value, expected) in [
            ("errcode", "2", "2"),
            ("stream_id", r#""a""#, r#""a""#),
            ("appname", r#""a""#, r#""a""#),
            ("event_time", "1", "1"),
            ("sequence", r#""1""#, r#""1""#),
            ("stream_param", r#""a=1&code=2""#, r#""a=1&code=REDACTED""#),
            ("token", "1", REDACTED_STRING),
            ("my_token", "1", REDACTED_STRING),
        ] {
            let members = [Member::new(name.into(), value.into())];
            let redacted = redacted(&members, &redactor.of_callback(None));
            assert_eq!((&*redacted[0].name, &*redacted[0].value), (name, expected));
        }
    }
}
