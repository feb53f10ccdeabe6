//! Escapes untrusted text, so that it can't harm a terminal or forge a line of a log.

use std::borrow::Cow;

/// Returns the text with escapes for all characters that move a cursor, break a line, change the direction of writing, or are
/// invisible. A backslash becomes `\\`. A text of more than `characters_max` characters is cut, and ends in `…`.
///
/// Every script stays readable: vowels and accents that combine with the character before them are not escaped.
pub(crate) fn printable(text: &str, characters_max: usize) -> Cow<'_, str> {
    escaped(text, characters_max, |character| character != '\\')
}

/// Does the same for a text that [`printable`] has returned. Its backslashes belong to escapes, so they aren't doubled.
pub(crate) fn printable_again(text: &str, characters_max: usize) -> Cow<'_, str> {
    escaped(text, characters_max, |_| true)
}

fn escaped(text: &str, characters_max: usize, may_stay: impl Fn(char) -> bool) -> Cow<'_, str> {
    let is_plain = |byte: u8| (byte == b' ' || byte.is_ascii_graphic()) && may_stay(char::from(byte));
    if text.len() <= characters_max && text.bytes().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut output = String::new();
    let mut characters = text.chars();
    let mut before = None;
    for character in characters.by_ref().take(characters_max) {
        if may_stay(character) && is_visible(character, before) {
            output.push(character);
            before = Some(character);
        } else {
            let escape = character.escape_debug();
            // The standard library leaves some invisible characters as they are, so these are escaped by their number.
            if escape.len() == 1 {
                output.extend(character.escape_unicode())
            } else {
                output.extend(escape)
            }
            before = None;
        }
    }
    if characters.next().is_some() {
        output.push('…');
    }
    Cow::Owned(output)
}

/// Returns whether a character is visible after the character `before` it. `before` is `None` at the start and after an escape.
fn is_visible(character: char, before: Option<char>) -> bool {
    if character.is_ascii() {
        return character == ' ' || character.is_ascii_graphic();
    }
    if is_joiner(character) || is_selector(character) {
        // Scripts and emoji need them, one at a time. After ASCII they would only make two names look equal.
        return before.is_some_and(|before| {
            let is_another = is_joiner(before) || (is_selector(before) && is_selector(character));
            !before.is_ascii() && !is_another
        });
    }
    if is_blank(character) {
        return false;
    }
    // The standard library escapes a combining character only at the start of a text, so `x` goes before it here.
    let is_alone = character.escape_debug().len() == 1;
    let combines = || format!("x{character}").escape_debug().count() == 2;
    is_alone || (before.is_some_and(|before| before != ' ') && combines())
}

/// Returns whether it is the zero-width joiner or non-joiner.
fn is_joiner(character: char) -> bool {
    matches!(character, '\u{200c}' | '\u{200d}')
}

/// Returns whether it is a variation selector, which chooses the shape of the character before it.
fn is_selector(character: char) -> bool {
    matches!(character, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

/// Returns whether it is a letter or a mark without a picture.
fn is_blank(character: char) -> bool {
    matches!(
        character,
        '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'
            ..='\u{180f}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmful_characters_are_escaped() {
        for (text, expected) in [
            ("room-1 'a' \"b\"", "room-1 'a' \"b\""),
            ("直播间", "直播间"),
            ("\u{1b}[2J", "\\u{1b}[2J"),
            ("a\nb\r\tc\u{0}", "a\\nb\\r\\tc\\0"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("a\u{202e}b\u{2066}\u{200b}\u{feff}", "a\\u{202e}b\\u{2066}\\u{200b}\\u{feff}"),
            ("ا\u{200f}\u{61c}", "ا\\u{200f}\\u{61c}"),
            ("\u{2028}\u{2029}", "\\u{2028}\\u{2029}"),
            ("a\u{a0}b\u{3000}", "a\\u{a0}b\\u{3000}"),
            ("a\u{ad}\u{3164}\u{2800}\u{34f}\u{e0041}", "a\\u{ad}\\u{3164}\\u{2800}\\u{34f}\\u{e0041}"),
            ("\u{378}\u{e000}", "\\u{378}\\u{e000}"),
            ("a\\nb", "a\\\\nb"),
        ] {
            assert_eq!(printable(text, 100), expected, "{text:?}");
        }
    }

    #[test]
    fn every_script_stays_readable() {
        for text in [
            "ห้องถ่ายทอดสด",
            "हिन्दी क्\u{200d}ष",
            "தமிழ்",
            "مُحَمَّد می\u{200c}خواهم",
            "שָׁלוֹם",
            "Tru\u{31b}o\u{302}\u{300}ng",
            "👨\u{200d}👩\u{200d}👧 ❤\u{fe0f}\u{200d}🔥 👍🏽",
            "葛\u{e0100}",
        ] {
            assert_eq!(printable(text, 100), text);
        }
    }

    #[test]
    fn lone_combining_characters_are_escaped() {
        for (text, expected) in [
            ("\u{301}a", "\\u{301}a"),
            (" \u{301}", " \\u{301}"),
            ("\n\u{301}", "\\n\\u{301}"),
            ("room\u{200d}1\u{fe0f}", "room\\u{200d}1\\u{fe0f}"),
            ("直\u{200d}\u{200d}\u{fe0f}", "直\u{200d}\\u{200d}\\u{fe0f}"),
            ("直\u{fe00}\u{fe01}\u{e0101}", "直\u{fe00}\\u{fe01}\\u{e0101}"),
        ] {
            assert_eq!(printable(text, 100), expected, "{text:?}");
        }
    }

    #[test]
    fn escaped_text_is_not_escaped_twice() {
        let once = printable("a\u{1b}[2J \\ \u{301}", 100);
        assert_eq!(printable_again(&once, 100), once);
        assert_eq!(printable_again("C:\\\u{1b}", 100), "C:\\\\u{1b}");
    }

    #[test]
    fn long_text_is_cut_by_characters() {
        assert_eq!(printable("abcd", 4), "abcd");
        assert_eq!(printable("abcde", 4), "abcd…");
        assert_eq!(printable("直播间", 2), "直播…");
    }
}
