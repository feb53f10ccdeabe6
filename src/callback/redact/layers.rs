//! Decodes a text layer by layer: JSON escapes and percent-encoding. Each character keeps the place of its bytes in the text, and
//! how deeply it was encoded. Nothing here knows what the text means.

use crate::callback::json;

/// How often percent-encoding and then JSON escapes are removed, after the escapes of the string itself.
const LAYERS_MAX: usize = 4;

/// A character after some layers are removed, and the place of its bytes in the text.
#[derive(Clone, Copy)]
pub(super) struct Unit {
    pub(super) character: char,
    // There is one unit for each character of a string, so small ones matter. Bodies are far shorter than `u32` can count.
    pub(super) start: u32,
    pub(super) end: u32,
    /// How many layers of JSON escapes it had.
    json_depth: u8,
    /// How many layers of percent-encoding it had.
    pub(super) percent_depth: u8,
}

impl Unit {
    /// Returns whether the character had at most as many layers as the other one. The quotes around a text have fewer layers
    /// than a quote inside the text.
    pub(super) fn is_no_deeper_than(&self, other: &Unit) -> bool {
        self.json_depth + self.percent_depth <= other.json_depth + other.percent_depth
    }
}

/// Decodes a JSON string, given without its quotes. Calls `look` with its text, and again after each further layer is removed.
pub(super) fn each(string: &str, mut look: impl FnMut(&[Unit])) {
    let mut units = units(string);
    remove_layer(&mut units, '\\', json_escape);
    look(&units);
    for _ in 0..LAYERS_MAX {
        let mut removed = false;
        for (lead, escape) in [('%', percent_escape as Escape), ('\\', json_escape)] {
            if remove_layer(&mut units, lead, escape) {
                look(&units);
                removed = true;
            }
        }
        if !removed {
            break;
        }
    }
}

/// Reads the escape that the units start with. Returns its character, and how many units it has.
type Escape = fn(&[Unit]) -> Option<(char, usize)>;

fn units(text: &str) -> Vec<Unit> {
    let mut units = Vec::with_capacity(text.len());
    units.extend(text.char_indices().map(|(start, character)| {
        let end = start + character.len_utf8();
        Unit { character, start: start as u32, end: end as u32, json_depth: 0, percent_depth: 0 }
    }));
    units
}

/// Replaces each escape by one unit. An escape starts with `lead`. Returns whether there were any.
fn remove_layer(units: &mut Vec<Unit>, lead: char, escape: Escape) -> bool {
    let Some(first) = units.iter().position(|unit| unit.character == lead) else { return false };
    // In place, without a copy for each layer.
    let (mut read, mut written) = (first, first);
    while read < units.len() {
        let unit = units[read];
        match escape(&units[read..]).filter(|_| unit.character == lead) {
            Some((character, length)) => {
                let parts = &units[read..read + length];
                let deepest = |depth: fn(&Unit) -> u8| parts.iter().map(depth).max().unwrap_or_default();
                units[written] = Unit {
                    character,
                    start: unit.start,
                    end: parts[length - 1].end,
                    json_depth: deepest(|part| part.json_depth) + u8::from(lead == '\\'),
                    percent_depth: deepest(|part| part.percent_depth) + u8::from(lead == '%'),
                };
                read += length;
            }
            None => {
                units[written] = unit;
                read += 1;
            }
        }
        written += 1;
    }
    let removed = written < units.len();
    units.truncate(written);
    removed
}

fn json_escape(units: &[Unit]) -> Option<(char, usize)> {
    // The longest escape is a surrogate pair, such as `\ud83d\ude00`. A `?` stands for everything that is not part of an escape.
    let mut text = [b'?'; 12];
    for (byte, unit) in text.iter_mut().zip(units) {
        *byte = u8::try_from(unit.character).ok().filter(u8::is_ascii).unwrap_or(b'?');
    }
    match text[1] {
        b'u' if text[2..6].iter().all(u8::is_ascii_hexdigit) => {}
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
        _ => return None,
    }
    std::str::from_utf8(&text).ok().map(json::escape)
}

fn percent_escape(units: &[Unit]) -> Option<(char, usize)> {
    let high = units.get(1)?.character.to_digit(16)?;
    let low = units.get(2)?.character.to_digit(16)?;
    Some((char::from_u32(high * 16 + low)?, 3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers(string: &str) -> Vec<String> {
        let mut layers = Vec::new();
        each(string, |units| layers.push(units.iter().map(|unit| unit.character).collect()));
        layers
    }

    #[test]
    fn each_layer_is_shown_once() {
        assert_eq!(layers("plain"), ["plain"]);
        assert_eq!(layers(r"a\\u0062%2563"), [r"a\u0062%2563", r"a\u0062%63", "ab%63", "abc"]);
    }

    #[test]
    fn incomplete_escapes_stay() {
        for text in ["100%", "%zz", "%5", r"\q", r"\u12", r"\"] {
            assert_eq!(layers(text), [text]);
        }
    }

    #[test]
    fn units_know_their_bytes_and_depths() {
        let mut last = Vec::new();
        each(r"\u00e9%255C\\n", |units| last = units.to_vec());
        let known: Vec<_> = last
            .iter()
            .map(|unit| (unit.character, unit.start..unit.end, unit.json_depth, unit.percent_depth))
            .collect();
        assert_eq!(known, [('\u{e9}', 0..6, 1, 0), ('\\', 6..11, 0, 2), ('\n', 11..14, 2, 0)]);
    }
}
