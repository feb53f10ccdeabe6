//! Finds the values of secret parameters in one string, also where escapes or percent-encoding hide them.

use std::cmp::Reverse;
use std::ops::Range;

use super::layers::{self, Unit};

/// The names of secret parameters.
#[derive(Clone, Debug)]
pub(super) struct SecretNames {
    names: Vec<Box<str>>,
    /// For each byte, whether a name may start with it, in either case, or whether an escape that hides a name may.
    is_suspicious: [bool; 256],
}

/// The secrets of one string.
#[derive(Default)]
pub(super) struct Found {
    /// Where the secrets are in the string, in bytes, in order and without overlaps.
    pub(super) secrets: Vec<Range<usize>>,
    /// Whether the string ends in a name. Then the secret is the value that follows the string, as for the name of a member.
    pub(super) ends_in_name: bool,
}

impl SecretNames {
    /// Takes the names. They are compared without case, and empty ones are ignored.
    pub(super) fn new<'n>(names: impl Iterator<Item = &'n str>) -> SecretNames {
        let mut names: Vec<Box<str>> = names.filter(|name| !name.is_empty()).map(Box::from).collect();
        // One name may start with another, and the search takes the first that fits.
        names.sort_by_key(|name| Reverse(name.len()));
        let mut is_suspicious = [false; 256];
        for first in names.iter().filter_map(|name| name.bytes().next()).chain(*b"%\\") {
            is_suspicious[usize::from(first.to_ascii_lowercase())] = true;
            is_suspicious[usize::from(first.to_ascii_uppercase())] = true;
        }
        SecretNames { names, is_suspicious }
    }

    /// Returns false only if the text certainly holds no name. This check is cheap, and enough for almost
    /// every member.
    pub(super) fn may_be_in(&self, text: &str) -> bool {
        let bytes = text.as_bytes();
        let is_suspicion = |position: usize| match bytes[position] {
            b'%' => true,
            // Of the JSON escapes, only `\u` can stand for a letter of a name.
            b'\\' => bytes.get(position + 1) == Some(&b'u'),
            _ => self.names.iter().any(|name| {
                bytes
                    .get(position..position + name.len())
                    .is_some_and(|found| found.eq_ignore_ascii_case(name.as_bytes()))
            }),
        };
        (0..bytes.len()).any(|position| self.is_suspicious[usize::from(bytes[position])] && is_suspicion(position))
    }

    /// Finds the secrets of a JSON string, given without its quotes.
    pub(super) fn find_in(&self, string: &str) -> Found {
        let mut found = Found::default();
        if !self.may_be_in(string) {
            return found;
        }
        // Every layer is searched, and not the last alone, because removing a layer can break a name: in `\txSecret`, the `\t`
        // becomes a tab.
        layers::each(string, |units| self.find_in_layer(units, &mut found));
        found.merge_overlaps();
        found
    }

    fn find_in_layer(&self, units: &[Unit], found: &mut Found) {
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

    /// Returns where the value is, if the units start with a name and a separator. The range is empty if the units end before
    /// the value.
    fn value_after_name(&self, units: &[Unit]) -> Option<Range<usize>> {
        let name = self.names.iter().find(|name| starts_with(units, name))?;
        let position = skip(units, name.chars().count(), "\"'\\");
        let Some(separator) = units.get(position) else { return Some(position..position) };
        let is_parameter = match separator.character {
            '=' => true,
            ':' => false,
            _ => return None,
        };
        // The `>` belongs to `=>`, as in `'txSecret'=>'abc'`.
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
            // The parameter has no value: this quote ends the text around the parameter.
            Some(_) if is_parameter && rest.first().is_none_or(|unit| ends_value(unit.character, ",}])/;")) => 0,
            Some(quote) => length_until(rest, |unit| {
                (unit.character == quote || unit.character == '\\') && unit.is_no_deeper_than(first)
            }),
            // The end of a list or an object inside a string would be a guess, so everything after it is replaced.
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

impl Found {
    /// Sorts the secrets, and merges those that overlap: the search meets the same secret in several layers.
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

fn starts_with(units: &[Unit], name: &str) -> bool {
    let mut units = units.iter();
    name.chars().all(|wanted| units.next().is_some_and(|unit| unit.character.eq_ignore_ascii_case(&wanted)))
}

/// Returns the first position at or after `start` that holds neither white space nor one of the `skipped` characters.
fn skip(units: &[Unit], start: usize, skipped: &str) -> usize {
    let stays = |unit: &Unit| !unit.character.is_whitespace() && !skipped.contains(unit.character);
    start + length_until(&units[start..], stays)
}

fn length_until(units: &[Unit], ends: impl Fn(&Unit) -> bool) -> usize {
    units.iter().position(ends).unwrap_or(units.len())
}

fn ends_value(character: char, also: &str) -> bool {
    character.is_whitespace() || character.is_control() || "&#\"'\\<>".contains(character) || also.contains(character)
}
