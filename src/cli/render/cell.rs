//! A piece of text for people: made harmless, measured by what it takes on a terminal, in colour where colours are shown.

use std::borrow::Cow;
use std::fmt;

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr;

use super::human::ABSENT;
use crate::printable::{printable, printable_again};

/// The most characters of a name that are shown.
pub(crate) const NAME_CHARACTERS_MAX: usize = 64;

/// What a text is, by its colour. The text must say the same without it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    #[default]
    Plain,
    /// A title of a column or a label.
    Head,
    /// As it should be.
    Good,
    /// To be looked at.
    Warning,
    /// Broken.
    Bad,
}

impl Tone {
    fn style(self) -> Style {
        match self {
            Tone::Plain => Style::new(),
            Tone::Head => Style::new().bold(),
            Tone::Good => AnsiColor::Green.on_default(),
            Tone::Warning => AnsiColor::Yellow.on_default(),
            Tone::Bad => AnsiColor::Red.on_default(),
        }
    }
}

/// One text, escaped whoever wrote it, and never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// A text in full; `-` for an empty one.
    pub(crate) fn new(text: impl fmt::Display) -> Cell {
        Cell::limited(&text.to_string(), usize::MAX)
    }

    /// A text that a sender chose the length of, cut where it is long.
    pub(crate) fn name(text: &str) -> Cell {
        Cell::limited(text, NAME_CHARACTERS_MAX)
    }

    /// A stream by its domain, app name and name, with `/` between.
    pub(crate) fn stream(domain: &str, app_name: &str, stream: &str) -> Cell {
        let [domain, app_name, stream] = [domain, app_name, stream].map(Cell::name);
        // The parts are escaped already.
        Cell { text: format!("{}/{}/{}", domain.text, app_name.text, stream.text), tone: Tone::Plain }
    }

    /// A text that was made printable where it came in, such as why a sink gave up, cut where it is long.
    pub(crate) fn told(text: &str, characters_max: usize) -> Cell {
        Cell::escaped(text, |text| printable_again(text, characters_max))
    }

    /// What may be absent, and is `-` then.
    pub(crate) fn optional(text: Option<impl fmt::Display>) -> Cell {
        text.map_or_else(|| Cell::new(""), Cell::new)
    }

    fn limited(text: &str, characters_max: usize) -> Cell {
        Cell::escaped(text, |text| printable(text, characters_max))
    }

    fn escaped(text: &str, escape: impl Fn(&str) -> Cow<'_, str>) -> Cell {
        let text = if text.is_empty() { ABSENT.to_owned() } else { escape(text).into_owned() };
        Cell { text, tone: Tone::Plain }
    }

    /// The same in another tone.
    pub(crate) fn toned(self, tone: Tone) -> Cell {
        Cell { tone, ..self }
    }

    /// The text, escaped.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// How many columns of a terminal it takes.
    pub(crate) fn width(&self) -> usize {
        width(&self.text)
    }

    /// The same in lines that take so many columns at most, broken at spaces; a longer word has a line of its own.
    pub(crate) fn wrapped(&self, columns: usize) -> Vec<Cell> {
        let mut lines: Vec<String> = Vec::new();
        for word in self.text.split(' ') {
            match lines.last_mut() {
                Some(line) if width(line) + 1 + width(word) <= columns => {
                    line.push(' ');
                    line.push_str(word);
                }
                _ => lines.push(word.to_owned()),
            }
        }
        lines.into_iter().map(|text| Cell { text, tone: self.tone }).collect()
    }

    /// The text as it is written.
    pub(crate) fn shown(&self, is_coloured: bool) -> impl fmt::Display {
        let style = if is_coloured { self.tone.style() } else { Style::new() };
        fmt::from_fn(move |formatter| write!(formatter, "{style}{}{style:#}", self.text))
    }
}

/// How many columns of a terminal an escaped text takes. Chinese characters and most emoji take two.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// The text with as many spaces after it as it lacks columns.
pub(crate) fn padded(text: &str, columns: usize) -> impl fmt::Display {
    let missing = columns.saturating_sub(width(text));
    fmt::from_fn(move |formatter| write!(formatter, "{text}{:missing$}", ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_is_escaped_and_none_is_empty() {
        assert_eq!(Cell::new("a\u{1b}[2J\n").text(), "a\\u{1b}[2J\\n");
        assert_eq!(Cell::name("\u{202e}x").text(), "\\u{202e}x");
        assert_eq!((Cell::new("").text(), Cell::name("").text()), ("-", "-"));
        assert_eq!((Cell::optional(None::<i64>).text(), Cell::optional(Some(-5)).text()), ("-", "-5"));
    }

    #[test]
    fn a_stream_has_three_parts_whatever_is_in_them() {
        assert_eq!(Cell::stream("d", "", "s").text(), "d/-/s");
        assert_eq!(Cell::stream("a\\n", "\u{1b}[2J", "直播").text(), "a\\\\n/\\u{1b}[2J/直播");
    }

    #[test]
    fn only_names_are_cut() {
        let long = "x".repeat(1000);
        assert_eq!(Cell::new(&long).width(), 1000);
        assert_eq!(Cell::name(&long).width(), NAME_CHARACTERS_MAX + 1);
    }

    #[test]
    fn wide_characters_take_two_columns() {
        for (text, columns) in
            [("live", 4), ("直播间", 6), ("直播-1", 6), ("é", 1), ("e\u{301}", 1), ("ｱ", 1), ("🎥", 2)]
        {
            assert_eq!(width(text), columns, "{text}");
        }
        assert_eq!(padded("直播", 6).to_string(), "直播  ");
        assert_eq!(padded("直播", 3).to_string(), "直播");
    }

    #[test]
    fn lines_break_at_spaces_by_columns() {
        let wrapped =
            |text: &str, columns| Cell::new(text).wrapped(columns).into_iter().map(|line| line.text).collect();
        let lines: Vec<String> = wrapped("to be or not to be", 8);
        assert_eq!(lines, ["to be or", "not to", "be"]);
        let lines: Vec<String> = wrapped("直播 直播间 x", 7);
        assert_eq!(lines, ["直播", "直播间", "x"]);
        let lines: Vec<String> = wrapped("abcdefgh i", 0);
        assert_eq!(lines, ["abcdefgh", "i"]);
    }

    #[test]
    fn colours_surround_the_text_where_they_are_shown() {
        let cell = Cell::new("live").toned(Tone::Good);
        assert_eq!(cell.shown(false).to_string(), "live");
        assert_eq!(cell.shown(true).to_string(), "\u{1b}[32mlive\u{1b}[0m");
        assert_eq!(Cell::new("live").shown(true).to_string(), "live");
        assert_eq!(cell.toned(Tone::Head).shown(true).to_string(), "\u{1b}[1mlive\u{1b}[0m");
    }
}
