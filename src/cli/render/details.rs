//! One thing as a list of labels and texts, for people.

use super::output::{Output, OutputError};
use super::table::GAP;
use super::text_cell::{TextCell, Tone, width};

/// A label, and the text after it.
pub(crate) type Detail = (&'static str, TextCell);

/// The terminal columns that a line takes at most. Every terminal has that many, and lines of this length read well.
const LINE_COLUMNS: usize = 80;

/// Prints one line for each detail. The texts are aligned; a long one continues below its beginning.
pub(crate) fn print_details(details: &[Detail], output: &mut Output<'_>) -> Result<(), OutputError> {
    let is_coloured = output.is_coloured();
    let label_columns = details.iter().map(|(label, _)| width(label)).max().unwrap_or_default();
    let text_columns = LINE_COLUMNS.saturating_sub(label_columns + GAP.len());
    for (label, text) in details {
        let label = TextCell::new(label).toned(Tone::Head);
        let missing = label_columns.saturating_sub(label.width());
        let mut before = format!("{}{:missing$}{GAP}", label.shown(is_coloured), "");
        for line in text.clone().in_zone(output.zone()).wrapped(text_columns) {
            output.line(format_args!("{before}{}", line.shown(is_coloured)))?;
            before = " ".repeat(label_columns + GAP.len());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_aligned_and_wrapped() {
        let long = "word ".repeat(30);
        let mut written = Vec::new();
        let details = [("id", TextCell::new(5)), ("to do", TextCell::new(long.trim()))];
        print_details(&details, &mut Output::to(&mut written)).unwrap();
        let text = String::from_utf8(written).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((lines[0], lines.len()), ("id     5", 4));
        assert!(lines[1].starts_with("to do  word word"), "{text}");
        assert!(lines[2].starts_with("       word word"), "{text}");
        assert!(lines.iter().all(|line| line.len() <= 80 && !line.ends_with(' ')), "{text}");
    }
}
