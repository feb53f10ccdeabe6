//! JSON functions that `serde_json` does not have: the compact form of a value, and the text of a string with a lone surrogate. All
//! functions take JSON text that `serde_json` has accepted.

use std::borrow::Cow;
use std::fmt::Write;

/// The value has more levels than allowed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooDeep;

/// Returns the value without white space outside strings, and with DEL, C1, U+2028 and U+2029 escaped. So it is on one line, and
/// harmless to a terminal. Other escapes and all numbers stay as they are. Borrows if nothing changes.
///
/// # Errors
/// The value has more than `depth` levels of objects and arrays.
pub(super) fn compact(value: &str, depth: usize) -> Result<Cow<'_, str>, TooDeep> {
    let bytes = value.as_bytes();
    // Nearly all values are like this. The processor takes many bytes at once for the largest one.
    let is_flat = !value.starts_with(['[', '{']);
    if is_flat && bytes.iter().fold(0, |largest, byte| largest.max(*byte)) < 0x7f {
        return Ok(Cow::Borrowed(value));
    }
    let mut output: Option<String> = None;
    let mut kept = 0; // everything before is in `output`, once there is one
    let mut level = 0usize;
    let mut in_string = false;
    let mut position = 0;
    while position < bytes.len() {
        let (skip, escape) = match bytes[position] {
            b'\\' if in_string => {
                // The escaped character may be a quote, which must not end the string.
                position += 2;
                continue;
            }
            b'"' => {
                in_string = !in_string;
                (0, None)
            }
            b'[' | b'{' if !in_string => {
                level += 1;
                if level > depth {
                    return Err(TooDeep);
                }
                (0, None)
            }
            b']' | b'}' if !in_string => {
                level = level.saturating_sub(1);
                (0, None)
            }
            b' ' | b'\t' | b'\n' | b'\r' if !in_string => (1, None),
            0x7f => (1, Some("\\u007f")),
            // U+0080 to U+009F are C2 80 to C2 9F.
            0xc2 if bytes.get(position + 1).is_some_and(|next| *next <= 0x9f) => (2, None),
            // U+2028 and U+2029 are E2 80 A8 and E2 80 A9.
            0xe2 if bytes[position..].starts_with(&[0xe2, 0x80, 0xa8]) => (3, Some("\\u2028")),
            0xe2 if bytes[position..].starts_with(&[0xe2, 0x80, 0xa9]) => (3, Some("\\u2029")),
            _ => (0, None),
        };
        if skip == 0 {
            position += 1;
            continue;
        }
        let output = output.get_or_insert_with(|| String::with_capacity(value.len() + 16));
        output.push_str(&value[kept..position]);
        match escape {
            Some(text) => output.push_str(text),
            None if skip == 2 => {
                let _ = write!(output, "\\u00{:02x}", bytes[position + 1]);
            }
            None => {}
        }
        position += skip;
        kept = position;
    }
    Ok(match output {
        Some(mut output) => {
            output.push_str(&value[kept..]);
            Cow::Owned(output)
        }
        None => Cow::Borrowed(value),
    })
}

/// Returns the JSON text with `\\ufffd` in place of each escape for half of a surrogate pair or for U+0000: many programs refuse the
/// whole document because of one. The length stays the same. Borrows if nothing changes.
pub(super) fn valid_unicode(json: &str) -> Cow<'_, str> {
    let mut output = String::new();
    let mut kept = 0; // everything before is in `output`
    let mut position = 0;
    // A backslash is always in a string. A damaged text may end anywhere, so `get` looks for the next one.
    while let Some(distance) = json.get(position..).and_then(|rest| rest.find('\\')) {
        position += distance;
        let (character, length) = escape(&json[position..]);
        let digits = json.get(position + 2..position + 6).filter(|_| json[position..].starts_with("\\u"));
        let is_replaceable =
            |digits: &str| digits.bytes().all(|byte| byte.is_ascii_hexdigit()) && !digits.eq_ignore_ascii_case("fffd");
        if matches!(character, '\0' | char::REPLACEMENT_CHARACTER) && digits.is_some_and(is_replaceable) {
            output.push_str(&json[kept..position]);
            output.push_str("\\ufffd");
            kept = position + length;
        }
        position += length;
    }
    if kept == 0 {
        return Cow::Borrowed(json);
    }
    output.push_str(&json[kept..]);
    Cow::Owned(output)
}

/// Returns the text of a JSON string. `None` if the value is not a string. A lone surrogate becomes U+FFFD.
pub(super) fn string(value: &str) -> Option<Cow<'_, str>> {
    let inner = value.strip_prefix('"')?.strip_suffix('"')?;
    if !inner.contains('\\') {
        return Some(Cow::Borrowed(inner));
    }
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(position) = rest.find('\\') {
        text.push_str(&rest[..position]);
        let (character, length) = escape(&rest[position..]);
        text.push(character);
        rest = &rest[position + length..];
    }
    text.push_str(rest);
    Some(Cow::Owned(text))
}

/// Returns a string's text or a number's digits. `None` for the empty string and every other value.
pub(super) fn text(value: &str) -> Option<Cow<'_, str>> {
    let text = match value.as_bytes().first()? {
        b'"' => string(value)?,
        b'-' | b'0'..=b'9' => Cow::Borrowed(value),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

/// Reads a JSON integer, or a string of the same digits: without sign, leading zero, fraction or exponent, and within i64.
/// Returns the digits as they are written, and the number.
pub(super) fn whole(value: &str) -> Option<(Cow<'_, str>, i64)> {
    let digits = string(value).unwrap_or(Cow::Borrowed(value));
    let number = digits_value(&digits)?;
    Some((digits, number))
}

/// Reads a whole number of either sign, given as a number or as a string.
pub(super) fn signed(value: &str) -> Option<i64> {
    let text = text(value)?;
    match text.strip_prefix('-') {
        Some(digits) => digits_value(digits).map(|number| -number),
        None => digits_value(&text),
    }
}

fn digits_value(digits: &str) -> Option<i64> {
    let is_plain = !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && (digits.len() == 1 || !digits.starts_with('0'));
    if is_plain { digits.parse().ok() } else { None }
}

/// Reads the escape at the start of `text`. Returns its character, and its length in bytes.
pub(super) fn escape(text: &str) -> (char, usize) {
    let bytes = text.as_bytes();
    let character = match bytes.get(1) {
        Some(b'n') => '\n',
        Some(b't') => '\t',
        Some(b'r') => '\r',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'u') => {
            let high = unit(bytes, 2);
            if let Some(low) = (0xd800..0xdc00)
                .contains(&high)
                .then(|| bytes.get(6..8).is_some_and(|next| next == b"\\u").then(|| unit(bytes, 8)))
                .flatten()
                && (0xdc00..0xe000).contains(&low)
            {
                let scalar = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                return (char::from_u32(scalar).unwrap_or(char::REPLACEMENT_CHARACTER), 12);
            }
            return (char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER), 6);
        }
        Some(other) => char::from(*other),
        None => char::REPLACEMENT_CHARACTER,
    };
    (character, 2)
}

/// Returns the number of the four hexadecimal digits at `start`.
fn unit(bytes: &[u8], start: usize) -> u32 {
    let digits = bytes.get(start..start + 4).unwrap_or_default();
    std::str::from_utf8(digits).ok().and_then(|text| u32::from_str_radix(text, 16).ok()).unwrap_or(0xfffd)
}

/// Returns whether the character may break a line or move a terminal's cursor: control, DEL and C1 characters, U+2028 and U+2029.
pub(super) fn is_harmful(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}' | '\u{2029}')
}

/// Returns how many plain characters a text starts with: ASCII, but no quote, no backslash and no control character.
pub(super) fn plain_length(bytes: &[u8]) -> usize {
    let is_other = |byte: u8| !matches!(byte, b' '..=b'~') || matches!(byte, b'"' | b'\\');
    let others = |eight: u64| {
        // With one bit changed, a quote is next to the control characters. DEL becomes 0x80, like all that is not ASCII.
        let control_or_quote = below(eight ^ (LOW_BITS * 2), b'"' - 1);
        control_or_quote | equal(eight, b'\\') | eight | eight.wrapping_add(LOW_BITS)
    };
    length_until(bytes, others, is_other)
}

/// Returns how many bytes a text has before its first quote or backslash; all of them if it has neither.
pub(super) fn unescaped_length(bytes: &[u8]) -> usize {
    length_until(bytes, quotes_and_backslashes, |byte| matches!(byte, b'"' | b'\\'))
}

/// Returns how many bytes precede the first one that is `wanted`. `marks` sets the high bit of the first such byte of eight.
// Eight bytes at a time, because every body and every line is read by this.
fn length_until(bytes: &[u8], marks: impl Fn(u64) -> u64, wanted: impl Fn(u8) -> bool) -> usize {
    let (chunks, rest) = bytes.as_chunks::<8>();
    for (index, chunk) in chunks.iter().enumerate() {
        let marked = marks(u64::from_le_bytes(*chunk)) & (LOW_BITS << 7);
        if marked != 0 {
            return index * 8 + marked.trailing_zeros() as usize / 8;
        }
    }
    bytes.len() - rest.len() + rest.iter().take_while(|byte| !wanted(**byte)).count()
}

/// The lowest bit of each of eight bytes.
const LOW_BITS: u64 = 0x0101_0101_0101_0101;

/// Sets the high bit of the first of eight bytes that is below `limit`, and maybe those of later bytes. Without such a byte, it
/// sets none.
fn below(eight: u64, limit: u8) -> u64 {
    eight.wrapping_sub(LOW_BITS * u64::from(limit)) & !eight
}

/// Like [`below`], for a byte that equals another.
fn equal(eight: u64, byte: u8) -> u64 {
    below(eight ^ (LOW_BITS * u64::from(byte)), 1)
}

fn quotes_and_backslashes(eight: u64) -> u64 {
    equal(eight, b'"') | equal(eight, b'\\')
}

/// Returns whether a text has plain characters alone: see [`plain_length`].
pub(super) fn is_plain(text: &str) -> bool {
    plain_length(text.as_bytes()) == text.len()
}

/// Writes a plain text as a JSON string: see [`is_plain`].
pub(super) fn write_plain_string(output: &mut String, text: &str) {
    output.push('"');
    output.push_str(text);
    output.push('"');
}

/// Writes a text as a JSON string. It escapes all that [`compact`] escapes.
pub(super) fn write_string(output: &mut String, text: &str) {
    // The common case, a plain ASCII text, is copied at once.
    if is_plain(text) {
        return write_plain_string(output, text);
    }
    output.push('"');
    let mut kept = 0;
    for (position, character) in text.char_indices() {
        if !is_harmful(character) && !matches!(character, '"' | '\\') {
            continue;
        }
        output.push_str(&text[kept..position]);
        kept = position + character.len_utf8();
        match character {
            '"' => output.push_str("\\\""),
            '\\' => output.push_str("\\\\"),
            '\n' => output.push_str("\\n"),
            '\r' => output.push_str("\\r"),
            '\t' => output.push_str("\\t"),
            other => {
                let _ = write!(output, "\\u{:04x}", u32::from(other));
            }
        }
    }
    output.push_str(&text[kept..]);
    output.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn compact_value_is_borrowed() {
        assert!(matches!(compact(r#"{"a":[1,"b c"]}"#, 2), Ok(Cow::Borrowed(_))));
    }

    #[test]
    fn compact_keeps_white_space_of_strings() {
        assert_eq!(compact("{ \"a b\" :\t[ 1 ,\r\n \"c \\\" d\" ] }", 2).unwrap(), r#"{"a b":[1,"c \" d"]}"#);
    }

    #[test]
    fn compact_escapes_harmful_characters() {
        assert_eq!(
            compact("\"a\u{7f}b\u{80}\u{9f}\u{a0}c\u{2028}\u{2029}\u{202a}\"", 0).unwrap(),
            "\"a\\u007fb\\u0080\\u009f\u{a0}c\\u2028\\u2029\u{202a}\""
        );
        assert_eq!(compact(r#""\/ \u0026 \ud800 \u001b""#, 0).unwrap(), r#""\/ \u0026 \ud800 \u001b""#);
    }

    #[test]
    fn compact_counts_nesting_outside_strings() {
        assert_eq!(compact("[[]]", 2).unwrap(), "[[]]");
        assert_eq!(compact("[[]]", 1), Err(TooDeep));
        assert_eq!(compact("[],[]", 1).unwrap(), "[],[]");
        assert_eq!(compact(r#""[[[[""#, 0).unwrap(), r#""[[[[""#);
    }

    #[test]
    fn invalid_unicode_is_replaced_in_place() {
        for (text, expected) in [
            (r#""cut \ud83d""#, r#""cut \ufffd""#),
            (r#"{"\udc00\ud83d":["\ud83d\u0041",1]}"#, r#"{"\ufffd\ufffd":["\ufffd\u0041",1]}"#),
            (r#""\uD83D\uDE00 \ud83d\ud83d\ude00""#, r#""\uD83D\uDE00 \ufffd\ud83d\ude00""#),
            (r#""a\u0000b""#, r#""a\ufffdb""#),
            // Here the backslash itself is escaped, or another character is.
            (r#""\\ud83d \\u0000 \n\u001b\"\ufffd""#, r#""\\ud83d \\u0000 \n\u001b\"\ufffd""#),
        ] {
            assert_eq!(valid_unicode(text), expected);
            assert!(serde_json::from_str::<serde_json::Value>(&valid_unicode(text)).is_ok(), "{text}");
        }
        assert!(matches!(valid_unicode(r#""\u0026\n\uFFFD""#), Cow::Borrowed(_)));
        for damaged in [r"\", r"\u", r"\u00", r"\u00éé", r"\é", r"\ud83d\", r"\ud83d\ué"] {
            valid_unicode(damaged);
        }
    }

    #[test]
    fn strings_are_read_with_every_escape() {
        assert_eq!(string(r#""a\/b\u0026\"\\\n\t\r\b\f""#).unwrap(), "a/b&\"\\\n\t\r\u{8}\u{c}");
        assert_eq!(string(r#""\ud83d\ude00""#).unwrap(), "😀");
        assert_eq!(string(r#""\ud83d""#).unwrap(), "\u{fffd}");
        assert_eq!(string(r#""\ud83d\u0041\ude00""#).unwrap(), "\u{fffd}A\u{fffd}");
        assert_eq!(string("12"), None);
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<i64>().prop_map(serde_json::Value::from),
            any::<String>().prop_map(serde_json::Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
                prop::collection::hash_map(any::<String>(), inner, 0..4)
                    .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn plain_length_is_exact(text in "[ -~]{0,40}[\u{0}-\u{ff}]{0,3}[ -~]{0,9}") {
            let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
            prop_assert_eq!(plain_length(text.as_bytes()), text.bytes().take_while(|byte| is_plain(*byte)).count());
            let unescaped = text.bytes().take_while(|byte| !matches!(byte, b'"' | b'\\')).count();
            prop_assert_eq!(unescaped_length(text.as_bytes()), unescaped);
        }

        #[test]
        fn compact_value_is_equal_and_on_one_line(value in any_json()) {
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            let compacted = compact(&pretty, 64).unwrap();
            prop_assert_eq!(&serde_json::from_str::<serde_json::Value>(&compacted).unwrap(), &value);
            prop_assert!(!compacted.contains(is_harmful));
            prop_assert_eq!(compact(&compacted, 64).unwrap(), compacted.as_ref());
        }

        #[test]
        fn written_strings_are_read_back(text in any::<String>()) {
            let mut written = String::new();
            write_string(&mut written, &text);
            prop_assert_eq!(string(&written).unwrap(), text.as_str());
            prop_assert_eq!(&serde_json::from_str::<String>(&written).unwrap(), &text);
            let theirs = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(string(&theirs).unwrap(), text.as_str());
        }
    }
}
