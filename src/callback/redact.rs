//! Takes credentials out of a callback before anything is stored.
//!
//! The pusher's URL carries `txSecret`, and CSS repeats it in `stream_param` and wherever else it quotes that URL: plain,
//! percent-encoded, or inside a string that holds JSON. So a parameter is looked for behind JSON escapes and
//! percent-encoding, several deep, and everything around its value stays as it was received.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::json;

/// What stands in place of a secret.
pub(super) const REDACTED: &str = "REDACTED";

/// How many times escapes and percent-encoding may lie over each other.
const LAYERS_MAX: usize = 4;

/// Replaces the values of named parameters. A longer name that ends in a given one counts as the given one.
#[derive(Clone, Debug)]
pub struct Redactor {
    names: Vec<Box<str>>,
    /// For each byte, whether a name may begin with it, in either case, or something be hidden behind it.
    is_suspicious: [bool; 256],
}

impl Redactor {
    /// `txSecret`, and the parameters named in addition. Names are compared without case; empty ones are ignored.
    pub fn new<'n>(additional: impl IntoIterator<Item = &'n str>) -> Redactor {
        let names: Vec<Box<str>> =
            std::iter::once("txSecret").chain(additional).filter(|name| !name.is_empty()).map(Box::from).collect();
        let mut is_suspicious = [false; 256];
        for first in names.iter().filter_map(|name| name.bytes().next()).chain(*b"%\\") {
            is_suspicious[usize::from(first.to_ascii_lowercase())] = true;
            is_suspicious[usize::from(first.to_ascii_uppercase())] = true;
        }
        Redactor { names, is_suspicious }
    }

    /// Whether a whole member bears one of the names.
    pub(super) fn names(&self, name: &str) -> bool {
        self.names.iter().any(|secret| secret.eq_ignore_ascii_case(name))
    }

    /// The JSON text (compact, valid) with each value of a named parameter replaced, and valid still.
    pub(super) fn redact<'v>(&self, value: &'v str) -> Cow<'v, str> {
        if !self.may_hold_one(value) {
            return Cow::Borrowed(value);
        }
        let units = unfold(value);
        let mut output = String::new();
        let mut kept = 0;
        let mut position = 0;
        while position < units.len() {
            let Some(secret) = self.secret_at(value, &units, position) else {
                position += 1;
                continue;
            };
            output.push_str(&value[kept..secret.start]);
            output.push_str(if secret.bare { "\"REDACTED\"" } else { REDACTED });
            kept = secret.end;
            while units.get(position).is_some_and(|unit| unit.start() < secret.end) {
                position += 1;
            }
        }
        if kept == 0 {
            return Cow::Borrowed(value);
        }
        output.push_str(&value[kept..]);
        Cow::Owned(output)
    }

    /// Cheap, and never wrong in saying no.
    fn may_hold_one(&self, value: &str) -> bool {
        let bytes = value.as_bytes();
        let is_suspicion = |position: usize| match bytes[position] {
            b'%' => true,
            b'\\' => bytes.get(position + 1) == Some(&b'u'),
            _ => self.names.iter().any(|name| {
                bytes
                    .get(position..position + name.len())
                    .is_some_and(|found| found.eq_ignore_ascii_case(name.as_bytes()))
            }),
        };
        (0..bytes.len()).any(|position| self.is_suspicious[usize::from(bytes[position])] && is_suspicion(position))
    }

    /// The secret of the parameter whose name starts at this unit, if one does.
    fn secret_at(&self, value: &str, units: &[Unit], position: usize) -> Option<Secret> {
        let rest = &units[position..];
        let name = self.names.iter().find(|name| starts_with(rest, name))?;
        let mut rest = &rest[name.chars().count()..];
        skip(&mut rest, |character| character.is_whitespace() || matches!(character, '"' | '\'' | '\\'));
        let separator = rest.first().filter(|unit| matches!(unit.character, '=' | ':'))?.character;
        rest = &rest[1..];
        skip(&mut rest, |character| character.is_whitespace() || character == '\\');

        let first = rest.first()?;
        if separator == ':' && !inside_string(value, first.start()) {
            let mut values = serde_json::Deserializer::from_str(&value[first.start()..]).into_iter::<&RawValue>();
            values.next()?.ok()?;
            return Some(Secret { start: first.start(), end: first.start() + values.byte_offset(), bare: true });
        }
        let quote = Some(first.character).filter(|character| matches!(character, '"' | '\''));
        if quote.is_some() && separator == ':' {
            rest = &rest[1..];
        }
        let ends = |character: char| match quote {
            Some(quote) => character == quote || character == '\\',
            None if separator == '=' => character.is_whitespace() || "&#\"'\\<>".contains(character),
            None => character.is_whitespace() || "&#\"'\\<>,}]".contains(character),
        };
        let length = rest.iter().position(|unit| ends(unit.character)).unwrap_or(rest.len());
        let (first, last) = (rest.first()?, rest.get(length.checked_sub(1)?)?);
        Some(Secret { start: first.start(), end: last.end(), bare: false })
    }
}

impl Default for Redactor {
    fn default() -> Redactor {
        Redactor::new([])
    }
}

/// Where a secret stands in the text; `bare` when it is a JSON value of its own and not part of a string.
struct Secret {
    start: usize,
    end: usize,
    bare: bool,
}

/// A character as it reads behind all escapes, and the bytes of the text that make it.
#[derive(Clone, Copy)]
struct Unit {
    character: char,
    start: u32,
    end: u32,
}

impl Unit {
    fn start(self) -> usize {
        self.start as usize
    }

    fn end(self) -> usize {
        self.end as usize
    }
}

fn starts_with(units: &[Unit], name: &str) -> bool {
    let mut units = units.iter();
    name.chars().all(|wanted| units.next().is_some_and(|unit| unit.character.eq_ignore_ascii_case(&wanted)))
}

fn skip(units: &mut &[Unit], unwanted: impl Fn(char) -> bool) {
    while let Some((first, rest)) = units.split_first()
        && unwanted(first.character)
    {
        *units = rest;
    }
}

fn inside_string(value: &str, end: usize) -> bool {
    let mut inside = false;
    let mut escaped = false;
    for byte in value[..end].bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => inside = !inside,
            _ => {}
        }
    }
    inside
}

/// The text behind all its layers of JSON escapes and percent-encoding. Bodies are far shorter than `u32` can count.
fn unfold(value: &str) -> Vec<Unit> {
    let mut units = Vec::with_capacity(value.len());
    units.extend(value.char_indices().map(|(start, character)| {
        let end = start + character.len_utf8();
        Unit { character, start: start as u32, end: end as u32 }
    }));
    for _ in 0..LAYERS_MAX {
        let before = units.len();
        replace(&mut units, '\\', json_escape);
        replace(&mut units, '%', percent_escape);
        if units.len() == before {
            break;
        }
    }
    units
}

/// Replaces each escape, as told by `escape` with its character and length, by one unit. Each begins with `lead`.
fn replace(units: &mut Vec<Unit>, lead: char, escape: fn(&[Unit]) -> Option<(char, usize)>) {
    let Some(first) = units.iter().position(|unit| unit.character == lead) else { return };
    let (mut read, mut written) = (first, first);
    while read < units.len() {
        let unit = units[read];
        let found = if unit.character == lead { escape(&units[read..]) } else { None };
        let (character, length) = found.unwrap_or((unit.character, 1));
        units[written] = Unit { character, start: unit.start, end: units[read + length - 1].end };
        read += length;
        written += 1;
    }
    units.truncate(written);
}

fn json_escape(units: &[Unit]) -> Option<(char, usize)> {
    if units.len() < 2 {
        return None;
    }
    let text: String =
        units.iter().take(12).map(|unit| if unit.character.is_ascii() { unit.character } else { '?' }).collect();
    if units[1].character == 'u' && !text.get(2..6)?.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    Some(json::escape(&text))
}

fn percent_escape(units: &[Unit]) -> Option<(char, usize)> {
    let high = units.get(1)?.character.to_digit(16)?;
    let low = units.get(2)?.character.to_digit(16)?;
    Some((char::from_u32(high * 16 + low)?, 3))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(value: &str, expected: &str) {
        let redacted = Redactor::default().redact(value).into_owned();
        assert_eq!(redacted, expected);
        serde_json::from_str::<&RawValue>(&redacted).unwrap();
    }

    #[test]
    fn plain_parameters() {
        check(r#""txSecret=abc&txTime=5f""#, r#""txSecret=REDACTED&txTime=5f""#);
        check(r#""a=1&TXSECRET=abc""#, r#""a=1&TXSECRET=REDACTED""#);
        check(
            r#""rtmp://d/live/s?txSecret=abc#x txSecret=d""#,
            r#""rtmp://d/live/s?txSecret=REDACTED#x txSecret=REDACTED""#,
        );
        check(r#""txSecret=&a=1""#, r#""txSecret=&a=1""#);
        check(r#""txSecret""#, r#""txSecret""#);
        check(r#""txSecretary=abc""#, r#""txSecretary=abc""#);
    }

    #[test]
    fn escaped_parameters() {
        check(r#""txSecret=abc\u0026txTime=5f\/""#, r#""txSecret=REDACTED\u0026txTime=5f\/""#);
        check(r#""tx\u0053ecret\u003da\u0062c\u0026""#, r#""tx\u0053ecret\u003dREDACTED\u0026""#);
        check(r#""u=rtmp%3A%2F%2Fd%3FtxSecret%3Dabc%26t%3D1""#, r#""u=rtmp%3A%2F%2Fd%3FtxSecret%3DREDACTED%26t%3D1""#);
        check(r#""x%253FtxSecret%253Dabc%2526t""#, r#""x%253FtxSecret%253DREDACTED%2526t""#);
        check(r#""\ud800 txSecret=a\udc00""#, r#""\ud800 txSecret=REDACTED""#);
        check(r#""100% txSecret=a%zz&b""#, r#""100% txSecret=REDACTED&b""#);
    }

    #[test]
    fn strings_that_hold_json() {
        check(r#""{\"txSecret\":\"abc\",\"a\":1}""#, r#""{\"txSecret\":\"REDACTED\",\"a\":1}""#);
        check(
            r#""{\"p\":\"{\\\"txSecret\\\": \\\"abc\\\"}\"}""#,
            r#""{\"p\":\"{\\\"txSecret\\\": \\\"REDACTED\\\"}\"}""#,
        );
        check(r#""{\"txSecret\":12,\"a\":1}""#, r#""{\"txSecret\":REDACTED,\"a\":1}""#);
        check(r#""{\"p\":\"a=1&txSecret=abc\"}""#, r#""{\"p\":\"a=1&txSecret=REDACTED\"}""#);
    }

    #[test]
    fn members_of_nested_values() {
        check(r#"{"a":{"txSecret":"a\"bc","b":1}}"#, r#"{"a":{"txSecret":"REDACTED","b":1}}"#);
        check(
            r#"[{"txSecret":12},{"txSecret":["abc",{}]},"txSecret=x"]"#,
            r#"[{"txSecret":"REDACTED"},{"txSecret":"REDACTED"},"txSecret=REDACTED"]"#,
        );
    }

    #[test]
    fn more_names_can_be_given() {
        let redactor = Redactor::new(["token", ""]);
        assert_eq!(redactor.redact(r#""txSecret=a&Token=b,c&d=e""#), r#""txSecret=REDACTED&Token=REDACTED&d=e""#);
        assert!(redactor.names("TOKEN"));
    }

    #[test]
    fn is_stable() {
        check(r#""txSecret=REDACTED&a""#, r#""txSecret=REDACTED&a""#);
    }

    proptest! {
        #[test]
        fn no_secret_survives_and_the_text_stays_json(
            before in "[a-z&=?%\\\\\"{}:, ]{0,12}", after in "[&#][a-z&=?%\\\\\"{}:, ]{0,12}", wraps in prop::collection::vec(0..3u8, 0..3),
        ) {
            let mut text = format!("{before}&txSecret=5ECR37{after}");
            for wrap in wraps {
                text = match wrap {
                    0 => serde_json::json!({"inner": text}).to_string(),
                    1 => text.bytes().map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect(),
                    _ => serde_json::json!([text, 1]).to_string(),
                };
            }
            let value = serde_json::to_string(&text).unwrap();
            let redacted = Redactor::default().redact(&value);
            prop_assert!(!redacted.contains("5ECR37"), "{}", redacted);
            prop_assert!(serde_json::from_str::<serde_json::Value>(&redacted).is_ok(), "{}", redacted);
        }

        #[test]
        fn any_json_stays_json(text in any::<String>(), name in "[a-z]{1,2}") {
            let value = serde_json::json!({"a": [text, {name.clone(): 1}], "b": format!("{name}={text}")}).to_string();
            let redactor = Redactor::new([name.as_str()]);
            let redacted = redactor.redact(&value);
            prop_assert!(serde_json::from_str::<serde_json::Value>(&redacted).is_ok(), "{} {}", value, redacted);
        }
    }
}
