//! Times, durations, names and states, as every page shows them.

use maud::{Markup, html};

use super::icons::icon;
use super::numbers::grouped;
use super::texts::Texts;
use super::view::View;
use crate::admin::ReceiverSummary;
use crate::callback::ReasonCategory;
use crate::index::ReasonView;
use crate::moment::Moment;
use crate::printable::{printable, printable_again};
use crate::session::{State, StreamKey};

/// How many characters of a name are shown. The whole name is in the address of its page.
const NAME_CHARACTERS_MAX: usize = 120;

/// Shows a moment in UTC. The script shows it in the reader's zone.
pub(super) fn moment(moment: Moment) -> Markup {
    let text = moment.to_string();
    html! { time datetime=(text) { (utc(&text)) } }
}

/// `2026-05-01T12:00:00.123Z` as `2026-05-01 12:00:00 UTC`.
fn utc(rfc3339: &str) -> String {
    let text = rfc3339.trim_end_matches('Z');
    let whole_secs = text.split('.').next().unwrap_or(text);
    format!("{} UTC", whole_secs.replace('T', " "))
}

/// Shows for how long something has lasted at the time of the page, such as `1:02:03`. The script lets it tick.
pub(super) fn running(view: &View, since: Moment) -> Markup {
    let secs = view.now_ms.saturating_sub(since.0).max(0) / 1000;
    html! { span.tick data-since-ms=(since.0) { (clock(secs)) } }
}

/// 3723 seconds as `1:02:03`.
fn clock(secs: i64) -> String {
    format!("{}:{:02}:{:02}", secs / 3600, secs / 60 % 60, secs % 60)
}

/// Returns a duration in its two largest units, such as `1 h 2 min`.
pub(super) fn duration(texts: &Texts, duration_ms: i64) -> String {
    let secs = duration_ms.max(0) / 1000;
    let (days, hours, minutes) = (secs / 86_400, secs / 3600, secs / 60);
    let (id, large, small) = match (days, hours, minutes) {
        (1.., ..) => ("duration-days", days, hours % 24),
        (0, 1.., _) => ("duration-hours", hours, minutes % 60),
        (0, 0, 1..) => ("duration-minutes", minutes, secs % 60),
        _ => ("duration-seconds", secs, 0),
    };
    texts.text_with(id, &[("large", large.into()), ("small", small.into())]).into_owned()
}

/// Returns how long ago a moment was at the time of the page, such as `5 min 3 s ago`.
pub(super) fn ago(view: &View, moment_ms: i64) -> String {
    let passed = duration(view.texts, view.now_ms.saturating_sub(moment_ms));
    view.text_with("ago", &[("duration", passed.into())]).into_owned()
}

/// Shows a number with groups of thousands.
pub(super) fn number(number: i64) -> Markup {
    html! { span.number { (grouped(number)) } }
}

/// Shows a text from outside. Characters that could mislead a reader are escaped, and its direction harms nothing around it.
pub(super) fn outside(text: &str) -> Markup {
    html! { bdi { (printable(text, NAME_CHARACTERS_MAX)) } }
}

/// Shows that there is nothing to show.
pub(super) fn dash() -> Markup {
    html! { span.dash { "–" } }
}

/// Shows a text from outside, or a dash if there is none.
pub(super) fn outside_or_dash(text: Option<&str>) -> Markup {
    match text {
        Some(text) if !text.is_empty() => outside(text),
        _ => dash(),
    }
}

/// Shows JSON from outside, a member a line.
pub(super) fn json(text: &str) -> Markup {
    let value: Result<serde_json::Value, _> = serde_json::from_str(text);
    let pretty = value.and_then(|value| serde_json::to_string_pretty(&value)).unwrap_or_else(|_| text.to_owned());
    html! {
        // Line ends are the only control characters in it that JSON has not escaped.
        @for line in pretty.lines() { (json_escaped(line)) "\n" }
    }
}

/// Returns a line of JSON with the escapes of JSON for characters that could mislead a reader. Its meaning stays the same.
pub(super) fn json_escaped(line: &str) -> String {
    let printable = printable_again(line, usize::MAX);
    let mut output = String::with_capacity(printable.len());
    let mut rest = &*printable;
    while let Some(at) = rest.find('\\') {
        output.push_str(&rest[..at]);
        rest = &rest[at..];
        // `\u{202e}` is an escape of `printable`, and every other one is of JSON.
        let escape = rest.strip_prefix("\\u{").and_then(|rest| rest.split_once('}'));
        let character = escape.and_then(|(digits, _)| u32::from_str_radix(digits, 16).ok()).and_then(char::from_u32);
        match (escape, character) {
            (Some((_, after)), Some(character)) => {
                let mut units = [0; 2];
                output.extend(character.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
                rest = after;
            }
            _ => {
                // The character after the backslash belongs to it, also another backslash.
                let end = rest.char_indices().nth(2).map_or(rest.len(), |(end, _)| end);
                output.push_str(&rest[..end]);
                rest = &rest[end..];
            }
        }
    }
    output.push_str(rest);
    output
}

/// Returns the address of a sink's page. The configuration allows only names that need no escape.
pub(super) fn sink_address(sink: &str) -> String {
    format!("/sinks/{sink}")
}

/// Returns the URL that callbacks can be sent to from this machine.
pub(super) fn receiver_url(receiver: &ReceiverSummary) -> String {
    let port = receiver.listen.rsplit(':').next().unwrap_or_default();
    format!("http://127.0.0.1:{port}{}", receiver.path)
}

/// Shows the size of a picture, or a dash if it is unknown.
pub(super) fn size(width: Option<i64>, height: Option<i64>) -> Markup {
    match (width, height) {
        (Some(width), Some(height)) => html! { span.number { (width) "×" (height) } },
        _ => dash(),
    }
}

/// The names of a stream.
pub(super) struct Names<'a> {
    pub(super) domain: &'a str,
    pub(super) app_name: &'a str,
    pub(super) stream: &'a str,
}

impl Names<'_> {
    /// The address of the stream's page.
    pub(super) fn address(&self) -> String {
        format!("/streams/{}", StreamKey::from_parts(self.domain, self.app_name, self.stream).as_str())
    }

    /// `domain/app name/stream`, for `data-stream`.
    pub(super) fn joined(&self) -> String {
        format!("{}/{}/{}", self.domain, self.app_name, self.stream)
    }

    /// Shows the stream's name, which leads to its page, above its domain and app name.
    pub(super) fn link(&self) -> Markup {
        html! {
            a.stream href=(self.address()) {
                strong { @if self.stream.is_empty() { (dash()) } @else { (outside(self.stream)) } }
                small { (outside(self.domain)) "/" (outside(self.app_name)) }
            }
        }
    }
}

/// Shows a state by a shape and a word.
pub(super) fn state(view: &View, state: State) -> Markup {
    let word = state.label();
    html! { span class={ "badge state-" (word) } { (icon(word)) (view.text(&format!("state-{word}"))) } }
}

/// Shows the category of a reason by a shape and a word.
pub(super) fn category(view: &View, category: ReasonCategory) -> Markup {
    let label = category.label();
    html! { span class={ "badge reason-" (label) } { (icon(label)) (view.text(&format!("category-{label}"))) } }
}

/// Shows why a session stopped: the category and the meaning of the vendor's code.
pub(super) fn reason(view: &View, reason: Option<&ReasonView>) -> Markup {
    html! {
        @match reason {
            Some(ReasonView { reason, .. }) => {
                (category(view, reason.category)) " " span.meaning { (view.meaning(reason)) }
                @if reason.is_hint { " " span.muted { (view.text("reason-guess")) } }
            }
            None => { (dash()) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::view::testing::view;
    use super::*;

    #[test]
    fn moments_are_in_utc() {
        let markup = moment(Moment(1_777_636_800_123)).into_string();
        assert_eq!(markup, r#"<time datetime="2026-05-01T12:00:00.123Z">2026-05-01 12:00:00 UTC</time>"#);
    }

    #[test]
    fn duration_has_two_units() {
        let view = view("/", 10_000);
        for (duration_ms, expected) in [
            (-5, "0 s"),
            (59_999, "59 s"),
            (60_000, "1 min 0 s"),
            (3_723_000, "1 h 2 min"),
            (90_000_000, "1 d 1 h"),
            (86_400_000_000, "1,000 d 0 h"),
        ] {
            assert_eq!(duration(view.texts, duration_ms), expected);
        }
        assert_eq!(ago(&view, 3000), "7 s ago");
        assert_eq!(running(&view, Moment(0)).into_string(), r#"<span class="tick" data-since-ms="0">0:00:10</span>"#);
    }

    #[test]
    fn escaped_json_means_the_same() {
        let line = r#"{"a":"\\u{41}\n\u0007 직播 é"#.to_owned() + "\u{202e}\u{e0001}\u{7f}\"}";
        let escaped = json_escaped(&line);
        assert!(escaped.contains(r"\u202e\udb40\udc01\u007f") && escaped.contains("직播"), "{escaped}");
        let [line, escaped] = [&line, &escaped].map(|json| serde_json::from_str::<serde_json::Value>(json).unwrap());
        assert_eq!(line, escaped);
    }

    #[test]
    fn names_from_outside_are_harmless() {
        let names = Names { domain: "a.com", app_name: "", stream: "<b>\"\u{202e}x" };
        let markup = names.link().into_string();
        assert!(!markup.contains("<b>") && !markup.contains('\u{202e}'), "{markup}");
        assert_eq!(names.address(), "/streams/a.com//%3Cb%3E%22%E2%80%AEx");
    }
}
