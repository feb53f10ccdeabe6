//! What the search reads of a text: the bytes of a plain ASCII text, or characters whose encodings were removed layer by layer.

use std::ops::Range;

/// A character of a text, whose encodings may have been removed.
pub(super) trait Unit: Copy {
    fn character(&self) -> char;

    /// How many layers of percent-encoding it had.
    fn percent_depth(&self) -> u8;

    /// How many layers it had, of any encoding.
    fn depth(&self) -> u8;

    /// Returns the place in the text, in bytes, of the units in `range`, which is not empty.
    fn place_of(units: &[Self], range: Range<usize>) -> Range<usize>;

    /// Returns whether the character separates words: white space, a control character, or one without a width, such as U+200B.
    fn is_blank(&self) -> bool {
        let character = self.character();
        character.is_whitespace()
            || character.is_control()
            || matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
    }
}

/// A byte of an ASCII text without encodings, as nearly all texts are.
impl Unit for u8 {
    fn character(&self) -> char {
        char::from(*self)
    }

    fn percent_depth(&self) -> u8 {
        0
    }

    fn depth(&self) -> u8 {
        0
    }

    fn place_of(_: &[u8], range: Range<usize>) -> Range<usize> {
        range
    }
}

/// A character after some layers are removed, and the place of its bytes in the text.
#[derive(Clone, Copy)]
pub(super) struct Decoded {
    pub(super) character: char,
    // There is one for each character of a string, so small ones matter. Bodies are far shorter than `u32` can count.
    pub(super) start: u32,
    pub(super) end: u32,
    /// How many layers of JSON escapes and HTML entities it had.
    pub(super) escape_depth: u8,
    /// How many layers of percent-encoding it had.
    pub(super) percent_depth: u8,
}

impl Unit for Decoded {
    fn character(&self) -> char {
        self.character
    }

    fn percent_depth(&self) -> u8 {
        self.percent_depth
    }

    fn depth(&self) -> u8 {
        self.escape_depth + self.percent_depth
    }

    fn place_of(units: &[Decoded], range: Range<usize>) -> Range<usize> {
        units[range.start].start as usize..units[range.end - 1].end as usize
    }
}

/// Returns whether the units start with a text, in any case of its ASCII letters.
pub(super) fn starts_with<U: Unit>(units: &[U], text: &str) -> bool {
    let mut units = units.iter();
    text.chars().all(|wanted| units.next().is_some_and(|unit| unit.character().eq_ignore_ascii_case(&wanted)))
}

/// Returns the first position at or after `start` that holds neither a blank nor one of the `skipped` characters.
pub(super) fn skip<U: Unit>(units: &[U], start: usize, skipped: &str) -> usize {
    start + length_until(&units[start..], |unit| !unit.is_blank() && !skipped.contains(unit.character()))
}

/// Returns how many units precede the first one that `ends` a text; all units if none does.
pub(super) fn length_until<U: Unit>(units: &[U], ends: impl Fn(&U) -> bool) -> usize {
    let length = units.iter().position(ends).unwrap_or(units.len());
    super::work::count(length);
    length
}
