//! Makes untrusted text fit for a terminal, and for a log.

use std::borrow::Cow;

/// The text with everything escaped that moves a cursor, breaks a line, turns the direction of writing, or cannot be
/// seen; cut after `characters_max` characters, with `…` in place of the rest.
pub(crate) fn printable(text: &str, characters_max: usize) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte == b' ' || (byte.is_ascii_graphic() && byte != b'\\');
    if text.len() <= characters_max && text.bytes().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut output = String::new();
    let mut characters = text.chars();
    for character in characters.by_ref().take(characters_max) {
        match character {
            '"' | '\'' => output.push(character),
            other => output.extend(other.escape_debug()),
        }
    }
    if characters.next().is_some() {
        output.push('…');
    }
    Cow::Owned(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_harms_a_terminal_is_escaped_and_all_else_is_not() {
        for (text, expected) in [
            ("room-1 'a' \"b\"", "room-1 'a' \"b\""),
            ("直播间", "直播间"),
            ("\u{1b}[2J", "\\u{1b}[2J"),
            ("a\nb\r\tc\u{0}", "a\\nb\\r\\tc\\0"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("a\u{202e}b\u{2066}\u{200b}\u{feff}", "a\\u{202e}b\\u{2066}\\u{200b}\\u{feff}"),
            ("\u{2028}\u{2029}", "\\u{2028}\\u{2029}"),
            ("a\\nb", "a\\\\nb"),
        ] {
            assert_eq!(printable(text, 100), expected, "{text:?}");
        }
    }

    #[test]
    fn long_text_is_cut_by_characters() {
        assert_eq!(printable("abcd", 4), "abcd");
        assert_eq!(printable("abcde", 4), "abcd…");
        assert_eq!(printable("直播间", 2), "直播…");
    }
}
