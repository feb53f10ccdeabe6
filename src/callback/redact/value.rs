//! Finds the value that follows a name in a text: in a query, in JSON, in a header, in a list, in XML.

use std::ops::Range;

use super::unit::{Unit, length_until, skip};

/// The longest index of a name, as in `name[0]=value`. After a longer one, everything up to the end of the text counts as the
/// value.
const INDEX_UNITS_MAX: usize = 64;

/// How many characters before a name are looked at.
const BEFORE_UNITS_MAX: usize = 16;

/// Words that precede a credential.
const SCHEMES: [&str; 6] = ["basic", "bearer", "digest", "key", "negotiate", "token"];

/// The text that follows a name.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// No value: the text has the name, but not as a parameter, or the value is empty.
    Absent,
    /// The text ends before the value.
    Beyond,
    /// The place of the value.
    At(Range<usize>),
}

/// Which quotes are open before a name, by their number so far.
#[derive(Clone, Copy, Default)]
pub(super) struct OpenQuotes {
    single: bool,
    double: bool,
}

impl OpenQuotes {
    pub(super) fn pass<U: Unit>(&mut self, units: &[U]) {
        for unit in units {
            self.single ^= unit.character() == '\'';
            self.double ^= unit.character() == '"';
        }
    }

    fn is_open(self, quote: char) -> bool {
        match quote {
            '\'' => self.single,
            '"' => self.double,
            _ => false,
        }
    }
}

/// Returns the value after the name at `name`.
pub(super) fn after_name<U: Unit>(units: &[U], name: Range<usize>, open: OpenQuotes) -> Value {
    let position = after_index(units, name.end);
    let Some(separator) = units.get(position) else { return Value::Beyond };
    match separator.character() {
        '=' | '\u{ff1d}' => after_separator(units, position, true, open),
        ':' | '\u{ff1a}' => after_separator(units, position, false, open),
        '>' if position == name.end && ends_in(&units[..name.start], "<") => {
            after_separator(units, position, true, open)
        }
        ',' if ends_in(before_quote(&units[..name.start]), "[(") => list_item(units, position, open),
        '[' if position == name.end => Value::At(position..units.len()),
        _ => Value::Absent,
    }
}

/// Skips quotes and white space after a name, and indexes: `[]`, `[0]`, `["a"]`.
fn after_index<U: Unit>(units: &[U], start: usize) -> usize {
    let mut position = start;
    loop {
        position = skip(units, position, "\"'`*\\])");
        if units.get(position).is_none_or(|unit| unit.character() != '[') {
            return position;
        }
        let index = units[position..].iter().take(INDEX_UNITS_MAX).position(|unit| unit.character() == ']');
        let Some(length) = index else { return position };
        position += length + 1;
    }
}

/// Returns the second and last item of a list, given the comma before it.
fn list_item<U: Unit>(units: &[U], comma: usize, open: OpenQuotes) -> Value {
    match after_separator(units, comma, false, open) {
        Value::At(item) => {
            let end = skip(units, item.end, "\"'\\");
            let ends_list = units.get(end).is_none_or(|unit| matches!(unit.character(), ']' | ')'));
            if ends_list { Value::At(item) } else { Value::Absent }
        }
        other => other,
    }
}

/// Returns the value after the separator at `separator`. A parameter is separated by `=`.
pub(super) fn after_separator<U: Unit>(units: &[U], separator: usize, is_parameter: bool, open: OpenQuotes) -> Value {
    // The `>` belongs to `=>`, as in `'txSecret'=>'abc'`.
    let start = skip(units, separator + 1, "\\>#+=(");
    let Some(first) = units.get(start) else { return Value::Beyond };
    let value = match closing(first.character()) {
        Some(closing) => quoted(units, start, closing, is_parameter, open),
        // The end of a list or an object inside a string would be a guess, so everything after it is replaced.
        None if matches!(first.character(), '[' | '{') => start..units.len(),
        None => unquoted(units, start, separator, is_parameter, open),
    };
    if value.is_empty() { Value::Absent } else { Value::At(value) }
}

/// Returns the value after the quote at `start`. It is empty if this quote ends the text around a parameter without a value.
fn quoted<U: Unit>(units: &[U], start: usize, closing: char, is_parameter: bool, open: OpenQuotes) -> Range<usize> {
    let first = units[start];
    let inner = start + length_until(&units[start..], |unit| !matches!(unit.character(), '"' | '\'' | '`' | '\\'));
    let inner = inner.max(start + 1);
    let ends_text = match units.get(inner) {
        None => true,
        Some(unit) if unit.character().is_whitespace() => inner > start + 1 || open.is_open(first.character()),
        Some(unit) => ",}])/;&<>".contains(unit.character()),
    };
    if is_parameter && ends_text {
        return start..start;
    }
    // The value of `""abc""` starts after two quotes.
    let is_doubled = inner == start + 2 && units[start + 1].character() == closing && !ends_text;
    let content = start + 1 + usize::from(is_doubled);
    // The quotes around a text have at most as many layers as a quote inside it.
    let ends = |unit: &U| (unit.character() == closing || unit.character() == '\\') && unit.depth() <= first.depth();
    content..content + length_until(&units[content..], ends)
}

/// Returns the value that starts at `start`, without a quote.
fn unquoted<U: Unit>(
    units: &[U],
    start: usize,
    separator: usize,
    is_parameter: bool,
    open: OpenQuotes,
) -> Range<usize> {
    let ends_value = |unit: &U| match unit.character() {
        // An apostrophe is allowed in a URL.
        '\'' => open.single || !is_parameter,
        '&' | '#' | '"' | '\\' | '<' | '>' => true,
        ',' | '}' | ']' => !is_parameter,
        character => character.is_whitespace(),
    };
    // A character that is encoded more deeply than the separator belongs to the value.
    let ends = |unit: &U| unit.percent_depth() <= units[separator].percent_depth() && ends_value(unit);
    let end = start + length_until(&units[start..], ends);
    let word = &units[start..end];

    // `b'abc'` is a quoted text of Python.
    let is_prefix = word.len() <= 2 && word.iter().all(|unit| unit.character().is_ascii_alphabetic());
    if is_prefix && let Some(closing) = units.get(end).and_then(|unit| closing(unit.character())) {
        let text = quoted(units, end, closing, true, open);
        if !text.is_empty() {
            return text;
        }
    }
    // In `Bearer abc`, the second word is the secret.
    let is_scheme = |scheme: &&str| scheme.len() == word.len() && super::unit::starts_with(word, scheme);
    if SCHEMES.iter().any(is_scheme) {
        let next = skip(units, end, "");
        return start..next + length_until(&units[next..], ends);
    }
    start..end
}

fn closing(quote: char) -> Option<char> {
    match quote {
        '<' => Some('>'),
        '\u{201c}' => Some('\u{201d}'),
        '\u{2018}' => Some('\u{2019}'),
        '"' | '\'' | '`' => Some(quote),
        _ => None,
    }
}

/// Returns whether a name is the value of something: `"name":"txSecret"`, `name=txSecret`, `<name>txSecret<`.
pub(super) fn is_value<U: Unit>(units: &[U], name: Range<usize>) -> bool {
    let before = before_quote(&units[..name.start]);
    let is_whole = units.get(name.end).is_none_or(|next| !next.character().is_alphanumeric());
    is_whole && ends_in(before, ":=>\u{ff1a}\u{ff1d}")
}

/// Returns the units without quotes and white space at their end.
fn before_quote<U: Unit>(units: &[U]) -> &[U] {
    let is_filler = |unit: &&U| unit.is_blank() || matches!(unit.character(), '"' | '\'' | '`' | '\\');
    let count = units.iter().rev().take(BEFORE_UNITS_MAX).take_while(is_filler).count();
    &units[..units.len() - count]
}

fn ends_in<U: Unit>(units: &[U], characters: &str) -> bool {
    units.last().is_some_and(|unit| characters.contains(unit.character()))
}
