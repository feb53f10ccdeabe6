//! Reads the usual form of a body fast: one JSON object whose names and values are plain ASCII, without escapes and without further
//! objects or arrays.
//!
//! This accepts less than JSON allows, and leaves every other body to the general parser, which also finds the error of a wrong
//! one.

use std::borrow::Cow;

use super::json::plain_length;
use super::members::Member;

/// Returns the members of an object of the usual form, in the order of the text: each name, and the compact text of its value.
/// `None` if the text may be something else.
pub(super) fn members(text: &str) -> Option<Vec<Member<'_>>> {
    // A stop has some 20 members.
    let mut members = Vec::with_capacity(24);
    let mut reader = Reader { text, position: 0 };
    reader.take(b'{')?;
    loop {
        reader.take(b'"')?;
        let name = reader.rest_of_string()?;
        reader.take(b':')?;
        reader.skip_white_space();
        members.push(Member::new(Cow::Borrowed(name), Cow::Borrowed(reader.value()?)));
        if reader.take(b',').is_none() {
            break;
        }
    }
    reader.take(b'}')?;
    reader.skip_white_space();
    (reader.position == text.len()).then_some(members)
}

struct Reader<'a> {
    text: &'a str,
    position: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.position).copied()
    }

    fn skip_white_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.position += 1;
        }
    }

    /// Passes white space and then this byte. `None` if another byte follows.
    fn take(&mut self, expected: u8) -> Option<()> {
        // CSS sends compact bodies, so white space is looked for only if another byte follows.
        if self.peek() != Some(expected) {
            self.skip_white_space();
        }
        let is_next = self.peek() == Some(expected);
        self.position += usize::from(is_next);
        is_next.then_some(())
    }

    /// Reads a plain string whose first quote was read, and returns what is between the quotes.
    fn rest_of_string(&mut self) -> Option<&'a str> {
        let rest = self.text.get(self.position..)?;
        let length = plain_length(rest.as_bytes());
        if rest.as_bytes().get(length) != Some(&b'"') {
            return None;
        }
        self.position += length + 1;
        Some(&rest[..length])
    }

    /// Reads a plain string, a whole number, or a word such as `true`.
    fn value(&mut self) -> Option<&'a str> {
        let start = self.position;
        match self.peek()? {
            b'"' => {
                self.position += 1;
                self.rest_of_string()?;
            }
            b'-' | b'0'..=b'9' => self.position += whole_number(&self.text.as_bytes()[start..])?,
            _ => {
                let rest = &self.text[start..];
                self.position += ["true", "false", "null"].into_iter().find(|word| rest.starts_with(word))?.len();
            }
        }
        // What follows must be a comma or the end of the object, so a fraction or an exponent is left to the general parser.
        Some(&self.text[start..self.position])
    }
}

/// Returns the length of the whole number at the start of a text.
fn whole_number(text: &[u8]) -> Option<usize> {
    let sign = usize::from(text[0] == b'-');
    let digits = text[sign..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let has_leading_zero = digits > 1 && text[sign] == b'0';
    (digits > 0 && !has_leading_zero).then_some(sign + digits)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::*;

    #[test]
    fn usual_bodies_are_read() {
        let text = " { \"a\" : \"b c\",\r\n\t\"d\":-10 ,\"e\":0,\"f\":true,\"g\":false,\"\":null } \n";
        let expected = [("a", "\"b c\""), ("d", "-10"), ("e", "0"), ("f", "true"), ("g", "false"), ("", "null")];
        let found = members(text).unwrap();
        assert_eq!(found.iter().map(|found| (&*found.name, &*found.value)).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn other_bodies_are_left() {
        for text in [
            "",
            "{}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{\"a\":1}}",
            "{\"a\":1",
            "{\"a\":01}",
            "{\"a\":-}",
            "{\"a\":-01}",
            "{\"a\":1.0}",
            "{\"a\":1e9}",
            "{\"a\":1 2}",
            "{\"a\":truest}",
            "{\"a\":nul}",
            "{\"a\":[]}",
            "{\"a\":{}}",
            "{\"a\":\"\\n\"}",
            "{\"a\":\"\n\"}",
            "{\"a\":\"\u{7f}\"}",
            "{\"a\":\"\u{e9}\"}",
            "{\"\\u0061\":1}",
            "{\"a\":1 \"b\":2}",
            "{\"a\" 1}",
            "{'a':1}",
            "[\"a\"]",
            "{\"a\":\"b",
        ] {
            assert!(members(text).is_none(), "{text:?}");
        }
    }

    proptest! {
        /// Everything that is read here has the same members for the general parser.
        #[test]
        fn members_are_those_of_the_general_parser(text in r#"[ \t\n]{0,1}\{( {0,1}"[a-z\\ \n\x7f]{0,2}"[:, ]{1,2}("[ -~]{0,3}"|-?[0-9.e]{1,3}|true|nul{1,2}|\{\})[,}]{1,2}){0,3}[} ]{0,2}"#) {
            let Some(found) = members(&text) else { return Ok(()) };
            let general: BTreeMap<String, &RawValue> = serde_json::from_str(&text).unwrap();
            let found: BTreeMap<&str, &str> = found.iter().map(|found| (&*found.name, &*found.value)).collect();
            prop_assert_eq!(found, general.iter().map(|(name, value)| (name.as_str(), value.get())).collect());
        }
    }
}
