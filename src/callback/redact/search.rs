//! Finds the values of secret parameters and of signatures in one string, also if escapes hide them.

use std::ops::Range;

use super::layers;
use super::secrets::Secrets;
use super::unit::{Unit, skip, starts_with};
use super::value::{self, OpenQuotes, Value};
use super::work;

/// The words for the value in a pair of name and value, as in `{"name":"txSecret","value":"abc"}`.
const VALUE_WORDS: [&str; 5] = ["val", "v", "data", "content", "text"];

/// Words for the value that may also end a longer one, as in `paramValue`.
const VALUE_ENDINGS: [&str; 2] = ["values", "value"];

/// The secrets of one string.
#[derive(Default)]
pub(super) struct Found {
    /// Where the secrets are in the string, in bytes, in order and without overlaps.
    pub(super) secrets: Vec<Range<usize>>,
    /// Whether the string ends in a name. Then the secret is the value that follows the string, as for the name of a member.
    pub(super) ends_in_name: bool,
    /// Whether the string is a name and nothing more.
    pub(super) is_name: bool,
}

/// Finds the secrets of a JSON string, given without its quotes.
pub(super) fn find(string: &str, secrets: &Secrets<'_>) -> Found {
    let mut found = Found::default();
    if layers::is_single(string) {
        Layer { units: string.as_bytes(), secrets }.search(&mut found);
    } else {
        // Every layer is searched, and not the last alone, because removing a layer can break a name: in `\txSecret`, the `\t`
        // becomes a tab.
        let unread = layers::each(string, |units| Layer { units, secrets }.search(&mut found));
        found.secrets.extend(unread.map(|start| start..string.len()));
    }
    found.merge_overlaps();
    found
}

/// Returns whether a member with this name holds the value in a pair of name and value.
pub(in crate::callback) fn names_a_value(name: &str) -> bool {
    let ends_in = |ending: &str| {
        let start = name.len().checked_sub(ending.len());
        start.and_then(|start| name.get(start..)).is_some_and(|end| end.eq_ignore_ascii_case(ending))
    };
    VALUE_WORDS.iter().any(|word| name.eq_ignore_ascii_case(word)) || VALUE_ENDINGS.iter().any(|ending| ends_in(ending))
}

/// Returns whether a text of this length may be a part of a `sign`, which has 32 digits.
pub(super) fn may_be_sign(length: usize) -> bool {
    length >= 4
}

/// Returns whether a text may be a `t`: a Unix time of at least nine digits.
pub(super) fn may_be_expiry(mut text: impl Iterator<Item = char>) -> bool {
    let mut count = 0;
    let are_digits = text.by_ref().inspect(|_| count += 1).all(|character| character.is_ascii_digit());
    are_digits && count >= 9
}

/// The string after some layers are removed.
struct Layer<'l, U> {
    units: &'l [U],
    secrets: &'l Secrets<'l>,
}

impl<U: Unit> Layer<'_, U> {
    fn search(&self, found: &mut Found) {
        let mut position = 0;
        let mut open = OpenQuotes::default();
        let mut has_pair = false;
        work::count(self.units.len());
        while position < self.units.len() {
            // Nearly every character ends here, so the rest of the loop may be slow.
            if !self.secrets.may_start_with(self.units[position].character()) {
                position += 1;
                continue;
            }
            let (value, length) = self.value_at(position, open);
            let mut next = position + 1;
            match value {
                Value::At(secret) => {
                    found.secrets.push(U::place_of(self.units, secret.clone()));
                    next = secret.end.max(next);
                }
                // The string has at least this name, and then no value.
                Value::Beyond | Value::Absent if length > 0 => {
                    has_pair |= value::is_value(self.units, position..position + length);
                    if value == Value::Beyond {
                        found.ends_in_name = true;
                        found.is_name |= self.units[..position]
                            .iter()
                            .all(|unit| unit.character().is_alphanumeric() || "-_ ".contains(unit.character()));
                    }
                }
                Value::Beyond | Value::Absent => {}
            }
            open.pass(&self.units[position..next]);
            position = next;
        }
        if has_pair {
            self.search_pairs(found);
        }
    }

    /// Returns the secret whose name starts at `position`, and the length of the name. A key `sign` or `t` and a copy of the
    /// callback's own sign count as names without a length.
    fn value_at(&self, position: usize, open: OpenQuotes) -> (Value, usize) {
        let units = &self.units[position..];
        if let Some(length) = self.secrets.name_length_at(units) {
            return (value::after_name(self.units, position..position + length, open), length);
        }
        if let Some(length) = self.secrets.sign_length_at(units) {
            return (Value::At(position..position + length), 0);
        }
        let signature = match units[0].character() {
            '"' | '\'' => self.signature_at(position, open),
            _ => None,
        };
        (signature.map_or(Value::Absent, Value::At), 0)
    }

    /// Returns the value of a key `sign` or `t` whose quote is at `position`, if it may be a signature or its expiry.
    fn signature_at(&self, position: usize, open: OpenQuotes) -> Option<Range<usize>> {
        let units = self.units;
        let start = skip(units, position + 1, "");
        let length = ["sign", "t"].into_iter().find(|key| starts_with(&units[start..], key))?.len();
        let end = skip(units, start + length, "\\");
        units.get(end).filter(|unit| unit.character() == units[position].character())?;
        let separator = skip(units, end + 1, "\\");
        units.get(separator).filter(|unit| matches!(unit.character(), ':' | '='))?;
        let Value::At(value) = value::after_separator(units, separator, false, open) else { return None };
        let text = &units[value.clone()];
        let is_secret = match length {
            1 => may_be_expiry(text.iter().filter(|unit| !unit.is_blank()).map(|unit| unit.character())),
            _ => may_be_sign(text.len()),
        };
        is_secret.then_some(value)
    }

    /// Adds the values of all pairs. One of them belongs to a secret name, and the bounds of a pair inside a string would be a
    /// guess.
    fn search_pairs(&self, found: &mut Found) {
        let mut open = OpenQuotes::default();
        for position in 0..self.units.len() {
            let units = &self.units[position..];
            let is_word_start = position == 0 || !self.units[position - 1].character().is_alphanumeric();
            let words = VALUE_WORDS.iter().filter(|_| is_word_start).chain(&VALUE_ENDINGS);
            let length = words.filter(|word| starts_with(units, word)).map(|word| word.len()).max();
            if let Some(length) = length
                && let Value::At(secret) = value::after_name(self.units, position..position + length, open)
            {
                found.secrets.push(U::place_of(self.units, secret));
            }
            open.pass(&self.units[position..=position]);
        }
    }
}

impl Found {
    /// Sorts the secrets, and merges two that overlap or touch, because the search finds a secret again in each layer.
    fn merge_overlaps(&mut self) {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::callback::redact::names::SecretNames;
    use crate::callback::redact::own_sign::OwnSign;

    fn any_text() -> impl Strategy<Value = String> {
        let sign = "ab".repeat(16);
        let parts = [
            "name=txSecret&value=",
            "\"sign\"",
            "'t':",
            "txSecret",
            "TX",
            "k",
            "=",
            "&",
            "[",
            "]",
            "<",
            ">",
            "\"",
            "' ",
            ",",
            "{",
            "}",
        ];
        let part = prop_oneof![prop::sample::select(parts.to_vec()).prop_map(str::to_owned), Just(sign), "[ -~]{0,3}",];
        prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
    }

    proptest! {
        /// A text without encodings has the same secrets as bytes and as decoded characters.
        #[test]
        fn bytes_have_the_same_secrets(text in any_text()) {
            let names = SecretNames::new(["txSecret", "k"].into_iter());
            let secrets = Secrets::new(&names, Some(OwnSign::new([0xab; 16])));
            let mut decoded = Found::default();
            let mut layers = 0;
            let unread = layers::each(&text, |units| {
                layers += 1;
                Layer { units, secrets: &secrets }.search(&mut decoded);
            });
            if layers::is_single(&text) {
                prop_assert_eq!((layers, unread), (1, None));
                decoded.merge_overlaps();
                let found = find(&text, &secrets);
                prop_assert_eq!(found.secrets, decoded.secrets);
                prop_assert_eq!((found.ends_in_name, found.is_name), (decoded.ends_in_name, decoded.is_name));
            } else {
                prop_assert!(layers > 1 || text.contains(['%', '\\', '&']));
            }
        }
    }
}
