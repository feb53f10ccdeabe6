//! Compares written text with the line of an event, also if an earlier version wrote the text. Earlier versions kept invalid
//! Unicode and control characters, which today's lines replace with U+FFFD.

/// The forms of U+FFFD in a line.
const REPLACEMENTS: [&[u8]; 2] = [b"\\ufffd", "\u{fffd}".as_bytes()];

/// Returns how many bytes of the line are missing after `written`: 0 if the line is complete. `None` if the line does not start
/// with
/// `written`.
pub(super) fn missing_bytes(line: &str, written: &[u8]) -> Option<usize> {
    let (mut line, mut written) = (line.as_bytes(), written);
    loop {
        let same = line.iter().zip(written).take_while(|(one, other)| one == other).count();
        if same == written.len() {
            return Some(line.len() - same);
        }
        // A replacement can start with the same bytes as the character that it replaced: `\ufffd` and `\ud83d`.
        let (start, replacement) = (same.saturating_sub(REPLACEMENTS[0].len() - 1)..=same).rev().find_map(|start| {
            let replacement = REPLACEMENTS.into_iter().find(|replacement| line[start..].starts_with(replacement))?;
            (start + replacement.len() > same).then_some((start, replacement))
        })?;
        written = &written[start..];
        written = &written[replaced_bytes(written)?..];
        line = &line[start + replacement.len()..];
    }
}

/// Returns how many bytes the first character has, if livehook replaces it: an escape, or a noncharacter such as U+FDD0. A
/// character that is cut off at the end has the bytes that are there.
fn replaced_bytes(written: &[u8]) -> Option<usize> {
    let length = match (written.first()?, written.get(1)) {
        (b'\\', None | Some(b'u')) => 6,
        (b'\\', Some(b'n' | b'r' | b't')) => 2,
        (0xef, _) => 3,
        (0xf0..=0xf4, _) => 4,
        _ => return None,
    };
    Some(length.min(written.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaced_characters_are_recognised() {
        let line = "{\"a\":\"\\ufffd\u{fffd}b\\ufffd\\ud83d\\ude00\"}";
        for written in [
            line,
            "{\"a\":\"\\ud83d\\nb\\u0000\\ud83d\\ude00\"}",
            "{\"a\":\"\\uDC00\\u001bb\\udfff\\ud83d\\ude00\"}",
            "{\"a\":\"\\u0000\u{fdd0}b\\ufffd\\ud83d\\ude00\"}",
            "{\"a\":\"\\ufffd\u{1ffff}b\\ud83d\\ud83d\\ude00\"}",
        ] {
            assert_eq!(missing_bytes(line, written.as_bytes()), Some(0), "{written}");
            for length in 0..written.len() {
                assert!(
                    missing_bytes(line, &written.as_bytes()[..length]).is_some_and(|missing| missing > 0),
                    "{length}"
                );
            }
            for other in [written.replace('b', "c"), written.replace("ude00", "ude01"), written.to_owned() + "x"] {
                assert_eq!(missing_bytes(line, other.as_bytes()), None, "{other}");
            }
        }
    }
}
