//! Reads one escape: of JSON, of percent-encoding, or of HTML.

use super::unit::Decoded;
use super::work;
use crate::callback::json;

/// An encoding whose escapes all start with the same character.
pub(super) struct Encoding {
    pub(super) lead: char,
    /// Reads the escape that the units start with. Returns its character, and how many units it has.
    pub(super) read: fn(&[Decoded]) -> Option<(char, usize)>,
    pub(super) is_percent: bool,
}

/// `%3D`, and `%u003D` of older programs.
pub(super) const PERCENT: Encoding = Encoding { lead: '%', read: percent_escape, is_percent: true };

/// `\u003d`, and `\x3d` of JavaScript and Python.
pub(super) const JSON: Encoding = Encoding { lead: '\\', read: json_escape, is_percent: false };

/// `&#61;`, `&#x3d;` and `&equals;`.
pub(super) const HTML: Encoding = Encoding { lead: '&', read: entity, is_percent: false };

/// The entities of ASCII characters. Letters and digits have none.
const ENTITIES: [(&str, char); 36] = [
    ("amp", '&'),
    ("apos", '\''),
    ("ast", '*'),
    ("bsol", '\\'),
    ("colon", ':'),
    ("comma", ','),
    ("commat", '@'),
    ("dollar", '$'),
    ("equals", '='),
    ("excl", '!'),
    ("grave", '`'),
    ("gt", '>'),
    ("hat", '^'),
    ("lbrace", '{'),
    ("lbrack", '['),
    ("lcub", '{'),
    ("lowbar", '_'),
    ("lpar", '('),
    ("lsqb", '['),
    ("lt", '<'),
    ("nbsp", ' '),
    ("newline", '\n'),
    ("num", '#'),
    ("percnt", '%'),
    ("period", '.'),
    ("plus", '+'),
    ("quest", '?'),
    ("quot", '"'),
    ("rbrace", '}'),
    ("rbrack", ']'),
    ("rcub", '}'),
    ("rpar", ')'),
    ("rsqb", ']'),
    ("semi", ';'),
    ("sol", '/'),
    ("tab", '\t'),
];

/// The length of the longest name in [`ENTITIES`].
const ENTITY_NAME_MAX: usize = 7;

fn json_escape(units: &[Decoded]) -> Option<(char, usize)> {
    if units.get(1)?.character == 'x' {
        return Some((hexadecimal(units.get(2..4)?)?, 4));
    }
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

fn percent_escape(units: &[Decoded]) -> Option<(char, usize)> {
    if matches!(units.get(1)?.character, 'u' | 'U') {
        return Some((hexadecimal(units.get(2..6)?)?, 6));
    }
    let byte_at = |index: usize| {
        let escape = units.get(3 * index..3 * index + 3).filter(|escape| escape[0].character == '%')?;
        u8::try_from(hexadecimal(&escape[1..])?).ok()
    };
    let first = byte_at(0)?;
    // The bytes of one character are encoded one by one.
    let count = match first {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xff => 4,
        _ => 1,
    };
    let bytes: Vec<u8> = (0..count).map_while(byte_at).collect();
    let character = std::str::from_utf8(&bytes).ok().and_then(|text| text.chars().next());
    Some(character.map_or((char::from(first), 3), |character| (character, 3 * bytes.len())))
}

fn hexadecimal(digits: &[Decoded]) -> Option<char> {
    let value = digits.iter().try_fold(0, |value, digit| Some(value * 16 + digit.character.to_digit(16)?))?;
    Some(char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER))
}

fn entity(units: &[Decoded]) -> Option<(char, usize)> {
    if units.get(1)?.character == '#' {
        return numeric_entity(units);
    }
    let name = units[1..].iter().take(ENTITY_NAME_MAX + 1).position(|unit| unit.character == ';')?;
    let is_name = |entity: &&(&str, char)| entity.0.len() == name && super::unit::starts_with(&units[1..], entity.0);
    ENTITIES.iter().find(is_name).map(|(_, character)| (*character, name + 2))
}

/// Returns whether an HTML entity may start before these bytes, after its `&`.
pub(super) fn may_be_entity(bytes: &[u8]) -> bool {
    let letters = bytes.iter().take(ENTITY_NAME_MAX + 1).position(|byte| !byte.is_ascii_alphabetic());
    match letters {
        Some(0) => bytes[0] == b'#',
        Some(length) => bytes[length] == b';',
        None => false,
    }
}

/// Reads `&#61;` or `&#x3d;`. As in browsers, the `;` may be missing.
fn numeric_entity(units: &[Decoded]) -> Option<(char, usize)> {
    let (radix, start) = match units.get(2)?.character {
        'x' | 'X' => (16, 3),
        _ => (10, 2),
    };
    let digits = units[start..].iter().map_while(|unit| unit.character.to_digit(radix));
    let (mut value, mut end) = (0_u32, start);
    for digit in digits {
        value = value.saturating_mul(radix).saturating_add(digit);
        end += 1;
    }
    work::count(end);
    if end == start {
        return None;
    }
    let next = units.get(end).map(|unit| unit.character);
    // Another escape may stand for the next digit.
    if next.is_some_and(|next| [PERCENT.lead, JSON.lead, HTML.lead].contains(&next)) {
        return None;
    }
    Some((char::from_u32(value).unwrap_or(char::REPLACEMENT_CHARACTER), end + usize::from(next == Some(';'))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entities_fit_the_bound() {
        assert_eq!(ENTITIES.iter().map(|(name, _)| name.len()).max(), Some(ENTITY_NAME_MAX));
    }
}
