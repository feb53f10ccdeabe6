//! The changes of a text, collected in any order and then made at once.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::ops::Range;

/// Replacements for parts of a text. Two parts are apart, or one is inside the other.
#[derive(Debug, Default)]
pub(super) struct Edits {
    edits: Vec<(Range<usize>, Cow<'static, str>)>,
}

impl Edits {
    /// Adds a replacement.
    pub(super) fn replace(&mut self, part: Range<usize>, replacement: impl Into<Cow<'static, str>>) {
        self.edits.push((part, replacement.into()));
    }

    /// Makes the changes. A part inside another one is replaced with it. Borrows if there are none.
    pub(super) fn apply(mut self, text: &str) -> Cow<'_, str> {
        if self.edits.is_empty() {
            return Cow::Borrowed(text);
        }
        self.edits.sort_by_key(|(part, _)| (part.start, Reverse(part.end)));
        let mut output = String::with_capacity(text.len());
        let mut kept = 0; // everything before is in `output`
        for (part, replacement) in self.edits {
            if part.start >= kept {
                output.push_str(&text[kept..part.start]);
                output.push_str(&replacement);
                kept = part.end;
            }
        }
        output.push_str(&text[kept..]);
        Cow::Owned(output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn larger_part_replaces_the_smaller_one() {
        let mut edits = Edits::default();
        edits.replace(5..6, "X");
        edits.replace(1..2, "Y");
        edits.replace(4..7, "Z".to_owned());
        assert_eq!(edits.apply("01234567"), "0Y23Z7");
        assert!(matches!(Edits::default().apply("0"), Cow::Borrowed("0")));
    }
}
