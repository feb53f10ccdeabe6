//! A character of a text whose encodings are removed layer by layer.

/// A character after some layers are removed, and the place of its bytes in the text.
#[derive(Clone, Copy)]
pub(super) struct Unit {
    pub(super) character: char,
    // There is one unit for each character of a string, so small ones matter. Bodies are far shorter than `u32` can count.
    pub(super) start: u32,
    pub(super) end: u32,
    /// How many layers of JSON escapes and HTML entities it had.
    pub(super) escape_depth: u8,
    /// How many layers of percent-encoding it had.
    pub(super) percent_depth: u8,
}

impl Unit {
    /// Returns whether the character had at most as many layers as the other one. The quotes around a text have fewer layers
    /// than a quote inside the text.
    pub(super) fn is_no_deeper_than(&self, other: &Unit) -> bool {
        self.escape_depth + self.percent_depth <= other.escape_depth + other.percent_depth
    }

    /// Returns whether the character separates words: white space, a control character, or one without a width, such as U+200B.
    pub(super) fn is_blank(&self) -> bool {
        let character = self.character;
        character.is_whitespace()
            || character.is_control()
            || matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
    }
}

/// Returns whether the units start with a text, in any case of its ASCII letters.
pub(super) fn starts_with(units: &[Unit], text: &str) -> bool {
    let mut units = units.iter();
    text.chars().all(|wanted| units.next().is_some_and(|unit| unit.character.eq_ignore_ascii_case(&wanted)))
}

/// Returns the first position at or after `start` that holds neither a blank nor one of the `skipped` characters.
pub(super) fn skip(units: &[Unit], start: usize, skipped: &str) -> usize {
    start + length_until(&units[start..], |unit| !unit.is_blank() && !skipped.contains(unit.character))
}

/// Returns how many units precede the first one that `ends` a text; all units if none does.
pub(super) fn length_until(units: &[Unit], ends: impl Fn(&Unit) -> bool) -> usize {
    let length = units.iter().position(ends).unwrap_or(units.len());
    super::work::count(length);
    length
}
