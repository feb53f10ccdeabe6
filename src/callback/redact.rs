//! Takes credentials out of a callback before anything is stored.
//!
//! The pusher's URL carries `txSecret`, and CSS repeats it in `stream_param` and wherever else it quotes that URL: plain,
//! percent-encoded, or inside a string that holds JSON. So a parameter is looked for in each string of the callback, behind
//! JSON escapes and percent-encoding, several deep, and everything around its value stays as it was received. The time
//! that takes grows with the length of the text and no faster, whatever the text is.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::ops::Range;
use std::sync::LazyLock;

use serde_json::value::RawValue;

use super::json;
use super::layers::{self, Unit};

/// Replaces a secret.
const REDACTED: &str = "REDACTED";

/// The same as a JSON value of its own.
const REDACTED_STRING: &str = "\"REDACTED\"";

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
        let mut names: Vec<Box<str>> =
            std::iter::once("txSecret").chain(additional).filter(|name| !name.is_empty()).map(Box::from).collect();
        // The first that fits counts, and a name may begin with another.
        names.sort_by_key(|name| Reverse(name.len()));
        let mut is_suspicious = [false; 256];
        for first in names.iter().filter_map(|name| name.bytes().next()).chain(*b"%\\") {
            is_suspicious[usize::from(first.to_ascii_lowercase())] = true;
            is_suspicious[usize::from(first.to_ascii_uppercase())] = true;
        }
        Redactor { names, is_suspicious }
    }

    /// A member of a callback, with its name and the compact text of its value as they may be stored.
    pub(super) fn member<'m>(&self, name: &'m str, value: &'m str) -> (Cow<'m, str>, Cow<'m, str>) {
        if !self.may_hold_one(name) {
            return (Cow::Borrowed(name), self.redact(value));
        }
        let mut quoted = String::with_capacity(name.len() + 16);
        json::write_string(&mut quoted, name);
        let value = match self.look_into(&quoted[1..quoted.len() - 1]).ends_in_name {
            true => Cow::Borrowed(REDACTED_STRING),
            false => self.redact(value),
        };
        let name = match self.redact(&quoted) {
            Cow::Borrowed(_) => Cow::Borrowed(name),
            Cow::Owned(redacted) => Cow::Owned(json::string(&redacted).unwrap_or_default().into_owned()),
        };
        (name, value)
    }

    /// The JSON text (compact, valid) with each value of a named parameter replaced, and valid still.
    pub(super) fn redact<'v>(&self, value: &'v str) -> Cow<'v, str> {
        if !self.may_hold_one(value) {
            return Cow::Borrowed(value);
        }
        let mut output = String::new();
        let mut kept = 0;
        let mut position = 0;
        while let Some(string) = next_string(value, position) {
            position = string.end + 1;
            let found = self.look_into(&value[string.clone()]);
            for secret in found.secrets {
                output.push_str(&value[kept..string.start + secret.start]);
                output.push_str(REDACTED);
                kept = string.start + secret.end;
            }
            if found.ends_in_name
                && let Some(member) = value[position..].strip_prefix(':')
                && let Some(length) = value_length(member)
            {
                output.push_str(&value[kept..=position]);
                output.push_str(REDACTED_STRING);
                position += 1 + length;
                kept = position;
            }
        }
        if kept == 0 {
            return Cow::Borrowed(value);
        }
        output.push_str(&value[kept..]);
        Cow::Owned(output)
    }

    /// A cheap check. May return true without need, never false.
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

    /// Looks for names in a string, given as it is between its quotes: in its text, and again behind each further layer,
    /// since removing one can also break a name that stood before it (`\txSecret` is not a tab).
    fn look_into(&self, string: &str) -> Found {
        let mut found = Found::default();
        if !self.may_hold_one(string) {
            return found;
        }
        layers::each(string, |units| self.look_at(units, &mut found));
        found.join();
        found
    }

    fn look_at(&self, units: &[Unit], found: &mut Found) {
        let mut position = 0;
        while position < units.len() {
            match self.value_after_name(&units[position..]) {
                Some(value) if value.is_empty() => {
                    found.ends_in_name = true;
                    return;
                }
                Some(value) => {
                    let [first, last] = [value.start, value.end - 1].map(|index| units[position + index]);
                    found.secrets.push(first.start as usize..last.end as usize);
                    position += value.end;
                }
                None => position += 1,
            }
        }
    }

    /// Where the value is, if the units start with a name and something that parts it from a value. The range is empty
    /// where they end before a value.
    fn value_after_name(&self, units: &[Unit]) -> Option<Range<usize>> {
        let name = self.names.iter().find(|name| starts_with(units, name))?;
        let position = skip(units, name.chars().count(), "\"'\\");
        let Some(separator) = units.get(position) else { return Some(position..position) };
        let is_parameter = match separator.character {
            '=' => true,
            ':' => false,
            _ => return None,
        };
        let position = skip(units, position + 1, "\\>");
        let Some(first) = units.get(position) else { return Some(position..position) };

        let quote = match first.character {
            '<' => Some('>'),
            quote @ ('"' | '\'') => Some(quote),
            _ => None,
        };
        let start = position + usize::from(quote.is_some());
        let rest = &units[start..];
        let length = match quote {
            // Without a value, this is the quote that ends the text around the parameter.
            Some(_) if is_parameter && rest.first().is_none_or(|unit| ends_value(unit.character, ",}])/;")) => 0,
            Some(quote) => length_until(rest, |unit| {
                (unit.character == quote || unit.character == '\\') && unit.is_no_deeper_than(first)
            }),
            // The end of a list or an object inside a string would be a guess, so everything after is replaced.
            None if !is_parameter && matches!(first.character, '[' | '{') => rest.len(),
            // A character that is encoded more deeply than the separator belongs to the value.
            None => length_until(rest, |unit| {
                unit.percent_depth <= separator.percent_depth
                    && ends_value(unit.character, if is_parameter { "" } else { ",}]" })
            }),
        };
        (length > 0).then(|| start..start + length)
    }
}

impl Default for Redactor {
    fn default() -> Redactor {
        Redactor::new([])
    }
}

/// The secrets of a string.
#[derive(Default)]
struct Found {
    /// The bytes of the secrets.
    secrets: Vec<Range<usize>>,
    /// Whether it ends in a name, so that the value is what follows the string.
    ends_in_name: bool,
}

impl Found {
    /// Puts the secrets in order, and those together that overlap: the same one was met in several layers.
    fn join(&mut self) {
        self.secrets.sort_unstable_by_key(|secret| secret.start);
        self.secrets.dedup_by(|next, secret| {
            let overlaps = next.start <= secret.end;
            if overlaps {
                secret.end = secret.end.max(next.end);
            }
            overlaps
        });
    }
}

fn starts_with(units: &[Unit], name: &str) -> bool {
    let mut units = units.iter();
    name.chars().all(|wanted| units.next().is_some_and(|unit| unit.character.eq_ignore_ascii_case(&wanted)))
}

/// The first position from `start` on that holds neither white space nor one of `unwanted`.
fn skip(units: &[Unit], start: usize, unwanted: &str) -> usize {
    let is_wanted = |unit: &Unit| !unit.character.is_whitespace() && !unwanted.contains(unit.character);
    start + length_until(&units[start..], is_wanted)
}

fn length_until(units: &[Unit], ends: impl Fn(&Unit) -> bool) -> usize {
    units.iter().position(ends).unwrap_or(units.len())
}

fn ends_value(character: char, also: &str) -> bool {
    character.is_whitespace() || character.is_control() || "&#\"'\\<>".contains(character) || also.contains(character)
}

/// Redacts signatures: one whose name is in the wrong case, or that something has wrapped, may be genuine.
static SIGNATURES: LazyLock<Redactor> = LazyLock::new(|| Redactor::new(["sign", "signature"]));

/// The members of a JSON object (compact, valid) without the credentials of callbacks, wherever in it they are: what goes by
/// `sign` or `signature`, in strings too, and every member `t`. In a string `t` stays, since it is of no use by itself, and
/// the end of many other names.
pub(super) fn without_credentials(object: &str) -> String {
    let object = SIGNATURES.redact(object);
    let mut output = String::with_capacity(object.len());
    let (mut kept, mut position) = (0, 0);
    while let Some(string) = next_string(&object, position) {
        position = string.end + 1;
        let Some(member) = object[position..].strip_prefix(':') else { continue };
        let name = json::string(&object[string.start - 1..position]).unwrap_or_default();
        if !name.trim().eq_ignore_ascii_case("t") {
            continue;
        }
        if let Some(length) = value_length(member) {
            output.push_str(&object[kept..=position]);
            output.push_str(REDACTED_STRING);
            position += 1 + length;
            kept = position;
        }
    }
    output.push_str(&object[kept..]);
    output
}

/// The next string of a JSON text from `start` on, which lies outside of strings; without its quotes.
fn next_string(value: &str, start: usize) -> Option<Range<usize>> {
    let start = start + value[start..].find('"')? + 1;
    let mut escaped = false;
    let length = value[start..].bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })?;
    Some(start..start + length)
}

/// How long the JSON value is that a text begins with.
fn value_length(text: &str) -> Option<usize> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    values.next()?.ok()?;
    Some(values.byte_offset())
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
        let redactor = Redactor::new(["token", "tokens"]);
        assert_eq!(redactor.redact(r#""token=a&tokens=b""#), r#""token=REDACTED&tokens=REDACTED""#);
        assert_eq!(redactor.member("TOKEN", "[1]"), ("TOKEN".into(), r#""REDACTED""#.into()));
    }

    #[test]
    fn a_backslash_before_a_name_does_not_hide_it() {
        check(r#""x\\txSecret=abc&a""#, r#""x\\txSecret=REDACTED&a""#);
        check(r#""x%5CtxSecret%3Dabc""#, r#""x%5CtxSecret%3DREDACTED""#);
        check(r#""{\"p\":\"x\\\\txSecret=abc\"}""#, r#""{\"p\":\"x\\\\txSecret=REDACTED\"}""#);
        check(r#""a\txSecret=abc""#, r#""a\txSecret=abc""#);
        let redactor = Redactor::new(["access_token"]);
        assert_eq!(redactor.redact(r#""%access_token=abc""#), r#""%access_token=REDACTED""#);
    }

    #[test]
    fn quoted_parameters() {
        check(r#""txSecret='abc' x""#, r#""txSecret='REDACTED' x""#);
        check(r#""txSecret=\"abc\" x""#, r#""txSecret=\"REDACTED\" x""#);
        check(r#""txSecret=<abc> x""#, r#""txSecret=<REDACTED> x""#);
        check(r#""txSecret=%22ab%20c%22%26d""#, r#""txSecret=REDACTED""#);
        check(r#""txSecret%3D%22ab%20c%22%26d""#, r#""txSecret%3D%22REDACTED%22%26d""#);
        check(r#""'txSecret'=>'abc'""#, r#""'txSecret'=>'REDACTED'""#);
        check(r#""{\"txSecret\":[\"abc\"]}""#, r#""{\"txSecret\":REDACTED""#);
        // These quotes end the text around an empty value.
        for text in [r#""{\"p\":\"txSecret=\",\"q\":1}""#, r#""<a href='txSecret=' b='c'>""#, r#""<b>txSecret=</b>""#] {
            check(text, text);
        }
    }

    #[test]
    fn values_end_at_the_depth_of_their_separator() {
        let redactor = Redactor::new(["token"]);
        for (text, expected) in [
            (r#""token=abc%20def%26g&h""#, r#""token=REDACTED&h""#),
            (r#""token%3Dabc%2520def%26g""#, r#""token%3DREDACTED%26g""#),
            (r#""{\"token\":\"ab\\\"c\\\\d\",\"e\":1}""#, r#""{\"token\":\"REDACTED\",\"e\":1}""#),
            (r#""%7B%22token%22%3A%22ab%5C%22c%22%7D""#, r#""%7B%22token%22%3A%22REDACTED%22%7D""#),
        ] {
            assert_eq!(redactor.redact(text), expected);
        }
    }

    #[test]
    fn names_of_members() {
        let redactor = Redactor::default();
        for (name, value, expected) in [
            ("txSecret:abc", "1", ("txSecret:REDACTED", "1")),
            ("txSecret=abc&\n", r#""txSecret=d""#, ("txSecret=REDACTED&\n", r#""txSecret=REDACTED""#)),
            ("mytx%53ecret", "[1]", ("mytx%53ecret", r#""REDACTED""#)),
            ("txSecret=", "1", ("txSecret=", r#""REDACTED""#)),
            ("txSecretary", "1", ("txSecretary", "1")),
            ("\\%", "1", ("\\%", "1")),
        ] {
            let (redacted_name, redacted_value) = redactor.member(name, value);
            assert_eq!((redacted_name.as_ref(), redacted_value.as_ref()), expected);
        }
        check(r#"{"a=txSecret:abc":1,"txSecret=":2}"#, r#"{"a=txSecret:REDACTED":1,"txSecret=":"REDACTED"}"#);
    }

    #[test]
    fn time_is_linear_in_a_hostile_text() {
        let redactor = Redactor::new(["token", "aa"]);
        let time = |unit: &str, bytes: usize| {
            let value = serde_json::to_string(&unit.repeat(bytes / unit.len())).unwrap();
            let times = (0..2).map(|_| {
                let start = std::time::Instant::now();
                std::hint::black_box(redactor.redact(&value));
                start.elapsed()
            });
            times.min().unwrap()
        };
        for unit in [
            "txSecret:,",
            "txSecret=",
            "txSecret='",
            "txSecret=<a ",
            "txSecret:\"a",
            "txSecret  ",
            "%25",
            "\\",
            "\\u005c",
            "a",
            "\"txSecret\":{",
            "%5C",
            "txSecret:\\",
        ] {
            let (short, long) = (time(unit, 64 * 1024), time(unit, 256 * 1024));
            // Four times the length; a square would take sixteen times as long, and seconds.
            assert!(long < 8 * short + std::time::Duration::from_millis(200), "{unit:?}: {short:?}, {long:?}");
        }
    }

    fn wrap(text: &str, wraps: &[u8]) -> String {
        wraps.iter().fold(text.to_owned(), |text, wrap| match wrap {
            0 => serde_json::json!({"inner": text}).to_string(),
            1 => text
                .bytes()
                .map(|byte| match byte.is_ascii_alphanumeric() {
                    true => char::from(byte).to_string(),
                    false => format!("%{byte:02X}"),
                })
                .collect(),
            _ => serde_json::json!([text, 1]).to_string(),
        })
    }

    const SECRET: &str = "5ECR37";

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn the_secret_is_replaced_and_nothing_else(
            before in "[a-z&=?%\\\\\"{}:, ]{0,12}", prefix in "[&\\\\]", separator in "=|:| = |: |=>",
            quoting in prop::sample::select(&[("", "&"), ("'", "'"), ("\"", "\""), ("<", ">")]),
            after in "[a-z&=?%\\\\\"{}:, ]{0,12}", wraps in prop::collection::vec(0..3u8, 0..4),
        ) {
            let (open, close) = quoting;
            let text = format!("{before}{prefix}txSecret{separator}{open}{SECRET}{close}{after}");
            let value = serde_json::to_string(&wrap(&text, &wraps)).unwrap();
            let redacted = Redactor::default().redact(&value).into_owned();
            prop_assert_eq!(&redacted, &value.replace(SECRET, REDACTED), "{}", text);
            prop_assert_eq!(Redactor::default().redact(&redacted), redacted.as_str());
        }

        #[test]
        fn no_secret_survives_whatever_stands_around_it(
            before in "[a-z&=?%\\\\\"'<>{}\\[\\]:, ]{0,12}", separator in "[\"'\\\\ ]{0,2}[=:][ \\\\>]?[\"'<]?",
            after in "([^a-z0-9A-Z][a-z0-9&=?%\\\\\"'<>{}\\[\\]:, ]{0,12})?", wraps in prop::collection::vec(0..3u8, 0..4),
        ) {
            let text = format!("{before}txSecret{separator}{SECRET}{after}");
            let value = serde_json::to_string(&wrap(&text, &wraps)).unwrap();
            let redacted = Redactor::default().redact(&value).into_owned();
            prop_assert!(!redacted.contains(SECRET), "{}", redacted);
            prop_assert!(serde_json::from_str::<serde_json::Value>(&redacted).is_ok(), "{}", redacted);
            prop_assert_eq!(Redactor::default().redact(&redacted), redacted.as_str());
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
