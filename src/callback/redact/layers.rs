//! Decodes a text layer by layer: percent-encoding, JSON escapes and HTML entities. Each character keeps the place of its bytes in
//! the text, and how deeply it was encoded. Nothing here knows the meaning of the text.

use super::escapes::{Encoding, HTML, JSON, PERCENT, may_be_entity};
use super::unit::Decoded;
use super::work;

/// How often percent-encoding, JSON escapes and HTML entities are removed, after the escapes of the string itself.
const LAYERS_MAX: usize = 4;

/// Returns true only if a JSON string, given without its quotes, is ASCII and has no layer to remove.
pub(super) fn is_single(string: &str) -> bool {
    let bytes = string.as_bytes();
    work::count(bytes.len());
    // Without a branch for each byte, because hardly a text has one of these.
    let has_lead = bytes.iter().fold(false, |any, byte| any | !byte.is_ascii() | matches!(byte, b'\\' | b'%'));
    !has_lead && !(0..bytes.len()).any(|position| bytes[position] == b'&' && may_be_entity(&bytes[position + 1..]))
}

/// Decodes a JSON string, given without its quotes. Calls `look` with its text, and again after each further layer is removed.
/// Returns where the first escape of a further layer is, in bytes, if there are more than [`LAYERS_MAX`].
pub(super) fn each(string: &str, mut look: impl FnMut(&[Decoded])) -> Option<usize> {
    let mut units = units(string);
    remove_layer(&mut units, &JSON);
    look(&units);
    for _ in 0..LAYERS_MAX {
        let mut removed = false;
        // Percent-encoding hides `\` and `&` too. So if a text has an escape of another kind, that one is the outer layer.
        for encoding in [&HTML, &JSON, &PERCENT] {
            if remove_layer(&mut units, encoding) {
                look(&units);
                removed = true;
            }
        }
        if !removed {
            return None;
        }
    }
    let more = [first_escape(&units, &PERCENT), first_escape(&units, &HTML), first_letter_in_json(&units)];
    let first = more.into_iter().flatten().min()?;
    Some(units[first].start as usize)
}

fn units(text: &str) -> Vec<Decoded> {
    let mut units = Vec::with_capacity(text.len());
    units.extend(text.char_indices().map(|(start, character)| {
        let end = start + character.len_utf8();
        Decoded { character, start: start as u32, end: end as u32, escape_depth: 0, percent_depth: 0 }
    }));
    units
}

fn first_escape(units: &[Decoded], encoding: &Encoding) -> Option<usize> {
    work::count(units.len());
    let mut leads = units.iter().enumerate().filter(|(_, unit)| unit.character == encoding.lead);
    leads.find(|(start, _)| (encoding.read)(&units[*start..]).is_some()).map(|(start, _)| start)
}

/// Returns where the first escape is that may stand for a letter, such as `\\\u0074`: further layers of `\"` and `\\` hide none.
fn first_letter_in_json(units: &[Decoded]) -> Option<usize> {
    work::count(units.len());
    let is_letter = |start: &usize| {
        let escape = &units[*start..];
        matches!(escape.get(1), Some(unit) if matches!(unit.character, 'u' | 'x')) && (JSON.read)(escape).is_some()
    };
    let last = (0..units.len()).filter(|start| units[*start].character == JSON.lead).find(is_letter)?;
    let before = units[..last].iter().rev().take_while(|unit| unit.character == JSON.lead).count();
    Some(last - before)
}

/// Replaces each escape of an encoding by one unit. Returns whether there were any.
fn remove_layer(units: &mut Vec<Decoded>, encoding: &Encoding) -> bool {
    let Some(first) = first_escape(units, encoding) else { return false };
    work::count(units.len());
    // In place, without a copy for each layer.
    let (mut read, mut written) = (first, first);
    while read < units.len() {
        let unit = units[read];
        let escape = if unit.character == encoding.lead { (encoding.read)(&units[read..]) } else { None };
        let length = escape.map_or(1, |(_, length)| length);
        units[written] = match escape {
            Some((character, _)) => decoded(character, &units[read..read + length], encoding.is_percent),
            None => unit,
        };
        read += length;
        written += 1;
    }
    units.truncate(written);
    true
}

/// Returns the unit of an escape, given the units that it has.
fn decoded(character: char, escape: &[Decoded], is_percent: bool) -> Decoded {
    let mut unit = Decoded { character, ..escape[0] };
    for part in escape {
        unit.end = part.end;
        unit.escape_depth = unit.escape_depth.max(part.escape_depth);
        unit.percent_depth = unit.percent_depth.max(part.percent_depth);
    }
    unit.escape_depth += u8::from(!is_percent);
    unit.percent_depth += u8::from(is_percent);
    unit
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers(string: &str) -> Vec<String> {
        let mut layers = Vec::new();
        let _ = each(string, |units| layers.push(units.iter().map(|unit| unit.character).collect()));
        layers
    }

    #[test]
    fn each_layer_is_shown_once() {
        assert_eq!(layers("plain"), ["plain"]);
        assert_eq!(layers(r"a\\u0062%2563"), [r"a\u0062%2563", "ab%2563", "ab%63", "abc"]);
        assert_eq!(layers("a&amp;#x62;&amp&LT;&#099"), ["a&amp;#x62;&amp&LT;&#099", "a&#x62;&amp<c", "ab&amp<c"]);
        assert_eq!(layers(r"%u0061\\x62"), [r"%u0061\x62", "%u0061b", "ab"]);
    }

    #[test]
    fn incomplete_escapes_stay() {
        for text in ["100%", "%zz", "%5", r"\q", r"\u12", r"\", "%u12", r"\x1", "&", "&#", "&#;", "&x;", "&#xg", "&amp"]
        {
            assert_eq!(layers(text), [text]);
        }
    }

    #[test]
    fn layers_without_end_are_reported() {
        let end = |string: &str| each(string, |_| {});
        let percent = |layers: usize| format!("a=1%{}41&b=2", "25".repeat(layers - 1));
        assert_eq!(end(&percent(LAYERS_MAX)), None);
        assert_eq!(end(&percent(LAYERS_MAX + 1)), Some(3));
        assert_eq!(end(&format!("ab&{}#65;", "amp;".repeat(LAYERS_MAX))), Some(2));
        assert_eq!(end(&format!("ab{}u0041", r"\".repeat(1 << (LAYERS_MAX + 1)))), Some(2));
        assert_eq!(end(&format!("ab{}n", r"\".repeat(1 << (LAYERS_MAX + 1)))), None);
    }

    #[test]
    fn units_know_their_bytes_and_depths() {
        let mut last = Vec::new();
        let _ = each(r"\u00e9%255C\\n", |units| last = units.to_vec());
        let known: Vec<_> = last
            .iter()
            .map(|unit| (unit.character, unit.start..unit.end, unit.escape_depth, unit.percent_depth))
            .collect();
        assert_eq!(known, [('\u{e9}', 0..6, 1, 0), ('\\', 6..11, 0, 2), ('\n', 11..14, 2, 0)]);
    }
}
