//! One text for people: escaped, measured in terminal columns, coloured if the terminal shows colours.

use std::borrow::Cow;
use std::fmt;

use anstyle::{AnsiColor, Style};
use jiff::tz::TimeZone;
use unicode_width::UnicodeWidthStr;

use super::time;
use crate::moment::Moment;
use crate::printable::{printable, printable_again};

/// The most characters that are shown of a name.
pub(crate) const NAME_CHARACTERS_MAX: usize = 64;

/// Shown if there is no value.
const ABSENT: &str = "-";

/// The colour of a text. It only repeats what the text says, because many terminals show no colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    #[default]
    Plain,
    /// A column title or a label.
    Head,
    Good,
    Warning,
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

/// One text, always escaped and never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TextCell {
    text: String,
    tone: Tone,
    /// The time that the text shows; `None` for other texts.
    moment: Option<Moment>,
}

impl TextCell {
    /// A text in full, or `-` if it is empty.
    pub(crate) fn new(text: impl fmt::Display) -> TextCell {
        TextCell::limited(&text.to_string(), usize::MAX)
    }

    /// A value, or `-` if there is none.
    pub(crate) fn optional(value: Option<impl fmt::Display>) -> TextCell {
        value.map_or_else(|| TextCell::new(""), TextCell::new)
    }

    /// A name that a sender chose. It is cut after [`NAME_CHARACTERS_MAX`] characters.
    pub(crate) fn name(text: &str) -> TextCell {
        TextCell::limited(text, NAME_CHARACTERS_MAX)
    }

    /// A stream as `domain/app_name/stream`.
    pub(crate) fn stream(domain: &str, app_name: &str, stream: &str) -> TextCell {
        let [domain, app_name, stream] = [domain, app_name, stream].map(TextCell::name);
        // The parts are escaped already.
        TextCell { text: format!("{}/{}/{}", domain.text, app_name.text, stream.text), tone: Tone::Plain, moment: None }
    }

    /// A time, such as `2026-05-01T12:00:00Z`.
    pub(crate) fn moment(moment: Moment) -> TextCell {
        TextCell { moment: Some(moment), ..TextCell::new(time::moment(moment.0, &TimeZone::UTC)) }
    }

    /// A time, or `-` if there is none.
    pub(crate) fn optional_moment(moment: Option<Moment>) -> TextCell {
        moment.map_or_else(|| TextCell::new(""), TextCell::moment)
    }

    /// A duration in ms, such as `2m 8s`.
    pub(crate) fn duration(duration_ms: i64) -> TextCell {
        TextCell::new(time::duration(duration_ms))
    }

    /// A text that was escaped when livehook received it, such as the reason of a failure. It keeps its backslashes.
    pub(crate) fn already_escaped(text: &str, characters_max: usize) -> TextCell {
        TextCell::escaped_by(text, |text| printable_again(text, characters_max))
    }

    fn limited(text: &str, characters_max: usize) -> TextCell {
        TextCell::escaped_by(text, |text| printable(text, characters_max))
    }

    fn escaped_by(text: &str, escape: impl Fn(&str) -> Cow<'_, str>) -> TextCell {
        let text = if text.is_empty() { ABSENT.to_owned() } else { escape(text).into_owned() };
        TextCell { text, tone: Tone::Plain, moment: None }
    }

    /// The same text, with a time shown in this zone.
    pub(crate) fn in_zone(self, zone: &TimeZone) -> TextCell {
        match self.moment {
            Some(moment) => TextCell { text: time::moment(moment.0, zone), ..self },
            None => self,
        }
    }

    /// The same text in another colour.
    pub(crate) fn toned(self, tone: Tone) -> TextCell {
        TextCell { tone, ..self }
    }

    /// The escaped text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The number of terminal columns that the text takes.
    pub(crate) fn width(&self) -> usize {
        width(&self.text)
    }

    /// The text in lines of at most this many terminal columns, broken at spaces. A longer word gets its own line.
    pub(crate) fn wrapped(&self, columns: usize) -> Vec<TextCell> {
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
        lines.into_iter().map(|text| TextCell { text, tone: self.tone, moment: None }).collect()
    }

    /// The text with the escape codes of its colour, or without any.
    pub(crate) fn shown(&self, is_coloured: bool) -> impl fmt::Display {
        let style = if is_coloured { self.tone.style() } else { Style::new() };
        fmt::from_fn(move |formatter| write!(formatter, "{style}{}{style:#}", self.text))
    }
}

/// The number of terminal columns that an escaped text takes. Chinese characters and most emoji take two.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// The text, filled with spaces up to this many terminal columns.
pub(crate) fn padded(text: &str, columns: usize) -> impl fmt::Display {
    // A width in a format string counts characters, and wide ones take two columns.
    let missing = columns.saturating_sub(width(text));
    fmt::from_fn(move |formatter| write!(formatter, "{text}{:missing$}", ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_escaped_and_never_empty() {
        assert_eq!(TextCell::new("a\u{1b}[2J\n").text(), "a\\u{1b}[2J\\n");
        assert_eq!(TextCell::name("\u{202e}x").text(), "\\u{202e}x");
        assert_eq!((TextCell::new("").text(), TextCell::name("").text()), ("-", "-"));
        assert_eq!((TextCell::optional(None::<i64>).text(), TextCell::optional(Some(-5)).text()), ("-", "-5"));
    }

    #[test]
    fn stream_in_three_parts() {
        assert_eq!(TextCell::stream("d", "", "s").text(), "d/-/s");
        assert_eq!(TextCell::stream("a\\n", "\u{1b}[2J", "直播").text(), "a\\\\n/\\u{1b}[2J/直播");
    }

    #[test]
    fn name_cut() {
        let long = "x".repeat(1000);
        assert_eq!(TextCell::new(&long).width(), 1000);
        assert_eq!(TextCell::name(&long).width(), NAME_CHARACTERS_MAX + 1);
    }

    #[test]
    fn wide_character_in_two_columns() {
        for (text, columns) in
            [("live", 4), ("直播间", 6), ("直播-1", 6), ("é", 1), ("e\u{301}", 1), ("ｱ", 1), ("🎥", 2)]
        {
            assert_eq!(width(text), columns, "{text}");
        }
        assert_eq!(padded("直播", 6).to_string(), "直播  ");
        assert_eq!(padded("直播", 3).to_string(), "直播");
    }

    #[test]
    fn line_broken_at_spaces() {
        let wrapped =
            |text: &str, columns| TextCell::new(text).wrapped(columns).into_iter().map(|line| line.text).collect();
        let lines: Vec<String> = wrapped("to be or not to be", 8);
        assert_eq!(lines, ["to be or", "not to", "be"]);
        let lines: Vec<String> = wrapped("直播 直播间 x", 7);
        assert_eq!(lines, ["直播", "直播间", "x"]);
        let lines: Vec<String> = wrapped("abcdefgh i", 0);
        assert_eq!(lines, ["abcdefgh", "i"]);
    }

    #[test]
    fn colour_around_text() {
        let cell = TextCell::new("live").toned(Tone::Good);
        assert_eq!(cell.shown(false).to_string(), "live");
        assert_eq!(cell.shown(true).to_string(), "\u{1b}[32mlive\u{1b}[0m");
        assert_eq!(TextCell::new("live").shown(true).to_string(), "live");
        assert_eq!(cell.toned(Tone::Head).shown(true).to_string(), "\u{1b}[1mlive\u{1b}[0m");
    }
}
