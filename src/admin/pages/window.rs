//! The time that a page shows: the last hour, day, week or month, or from one moment to another.

use super::view::View;
use crate::moment::{HOUR_MS, Moment};

/// A page shows at least this much time, and at most that much, in ms.
const SHORTEST_MS: i64 = 60_000;
const LONGEST_MS: i64 = 31 * 24 * HOUR_MS;

/// No event of CSS is older: 2010-01-01, in Unix ms.
const EARLIEST_MS: i64 = 1_262_304_000_000;

/// A span of time that ends now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Span {
    Hour,
    Day,
    Week,
    Month,
}

impl Span {
    /// Its name in addresses.
    pub(super) fn word(self) -> &'static str {
        match self {
            Span::Hour => "1h",
            Span::Day => "24h",
            Span::Week => "7d",
            Span::Month => "30d",
        }
    }

    /// The id of its text.
    pub(super) fn text(self) -> &'static str {
        match self {
            Span::Hour => "span-hour",
            Span::Day => "span-day",
            Span::Week => "span-week",
            Span::Month => "span-month",
        }
    }

    fn length_ms(self) -> i64 {
        match self {
            Span::Hour => HOUR_MS,
            Span::Day => 24 * HOUR_MS,
            Span::Week => 7 * 24 * HOUR_MS,
            Span::Month => 30 * 24 * HOUR_MS,
        }
    }
}

/// The time that a page shows, in Unix ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) from_ms: i64,
    /// The first moment after it.
    pub(super) until_ms: i64,
    /// The span; `None` if the window has its own bounds.
    pub(super) span: Option<Span>,
}

impl Window {
    /// Returns the window of an address: `from` and `to`, or one of these spans. Without both it is `usual`.
    pub(super) fn of(view: &View, spans: &[Span], usual: Span) -> Window {
        let moment = |name: &str| view.choice(name, |text| view.zone.parse(text, view.now_ms));
        let (from, to) = (moment("from"), moment("to"));
        if from.is_some() || to.is_some() {
            let until_ms = to.unwrap_or(view.now_ms);
            return Window::between(from.unwrap_or(until_ms.saturating_sub(usual.length_ms())), until_ms);
        }
        let span = view.choice("span", |text| spans.iter().copied().find(|span| span.word() == text)).unwrap_or(usual);
        Window { from_ms: view.now_ms - span.length_ms(), until_ms: view.now_ms, span: Some(span) }
    }

    /// Returns a window of whole seconds. Bounds that make no sense are corrected, because people edit addresses.
    fn between(one_ms: i64, other_ms: i64) -> Window {
        let latest_ms = EARLIEST_MS * 4;
        let whole = |time_ms: i64| time_ms.clamp(EARLIEST_MS, latest_ms).div_euclid(1000) * 1000;
        let (from_ms, until_ms) = (whole(one_ms.min(other_ms)), whole(one_ms.max(other_ms)));
        let length_ms = (until_ms - from_ms).clamp(SHORTEST_MS, LONGEST_MS);
        Window { from_ms: until_ms - length_ms, until_ms, span: None }
    }

    /// How long it is, in ms.
    pub(super) fn length_ms(self) -> i64 {
        self.until_ms - self.from_ms
    }

    /// Returns the window of the same length just before it.
    pub(super) fn before(self) -> Window {
        Window { from_ms: self.from_ms - self.length_ms(), until_ms: self.from_ms, span: None }
    }

    /// Returns it half a length earlier (-1) or later (1).
    pub(super) fn moved(self, halves: i64) -> Window {
        let by_ms = self.length_ms() / 2 * halves;
        Window::between(self.from_ms + by_ms, self.until_ms + by_ms)
    }

    /// Returns the middle half of it.
    pub(super) fn closer(self) -> Window {
        let quarter_ms = self.length_ms() / 4;
        Window::between(self.from_ms + quarter_ms, self.until_ms - quarter_ms)
    }

    /// Returns a window around it that is twice as long, and does not reach into the future.
    pub(super) fn wider(self, now_ms: i64) -> Window {
        let until_ms = (self.until_ms + self.length_ms() / 2).min(now_ms.max(self.until_ms));
        Window::between(until_ms - self.length_ms() * 2, until_ms)
    }

    /// The address of this page with this window instead of its own, from the first page on.
    pub(super) fn link(self, view: &View) -> String {
        self.link_to(view.uri.path(), view, &[])
    }

    /// The address of a page with this window, the parameters of the page that is shown, and some changed.
    pub(super) fn link_to(self, path: &str, view: &View, changes: &[(&str, Option<&str>)]) -> String {
        // Not every page offers a month.
        let span = self.span.filter(|span| *span != Span::Month);
        let text = |time_ms: i64| span.is_none().then(|| Moment(time_ms).to_string());
        let (from, to) = (text(self.from_ms), text(self.until_ms));
        let own = [("span", span.map(Span::word)), ("from", from.as_deref()), ("to", to.as_deref()), ("page", None)];
        view.link_to(path, &[&own, changes].concat())
    }
}

/// Returns the address of the page with a span instead of its window, from the first page on.
pub(super) fn span_link(view: &View, span: Span) -> String {
    view.link_with(&[("span", Some(span.word())), ("from", None), ("to", None), ("page", None)])
}

#[cfg(test)]
mod tests {
    use super::super::view::testing::view;
    use super::*;

    const NOW_MS: i64 = 1_777_636_800_000; // 2026-05-01T12:00:00Z

    fn window(query: &str) -> (i64, i64) {
        let window = Window::of(&view(&format!("/timeline?{query}"), NOW_MS), &[Span::Hour, Span::Day], Span::Day);
        ((NOW_MS - window.from_ms) / 1000, (NOW_MS - window.until_ms) / 1000)
    }

    #[test]
    fn window_is_read_from_the_address() {
        for (query, expected) in [
            ("", (86_400, 0)),
            ("span=1h", (3600, 0)),
            ("span=7d", (86_400, 0)),
            ("from=2026-05-01T10:00:00Z&to=2026-05-01T11:00:00Z", (7200, 3600)),
            ("from=2026-05-01T11:00&span=1h", (3600, 0)),
            ("to=2h", (86_400 + 7200, 7200)),
            ("from=1h&to=2h", (7200, 3600)),
            ("from=1h&to=1h", (3660, 3600)),
            ("from=x&to=y", (86_400, 0)),
            ("from=2000-01-01", (31 * 86_400, 0)),
        ] {
            assert_eq!(window(query), expected, "{query}");
        }
    }

    #[test]
    fn window_moves_and_zooms() {
        let window = Window::between(NOW_MS - 4 * HOUR_MS, NOW_MS - 2 * HOUR_MS);
        let hours = |window: Window| ((window.from_ms - NOW_MS) / 60_000, (window.until_ms - NOW_MS) / 60_000);
        assert_eq!(hours(window.moved(-1)), (-300, -180));
        assert_eq!(hours(window.moved(1)), (-180, -60));
        assert_eq!(hours(window.closer()), (-210, -150));
        assert_eq!(hours(window.wider(NOW_MS)), (-300, -60));
        assert_eq!(hours(window.wider(NOW_MS - 2 * HOUR_MS)), (-360, -120));
        assert_eq!(hours(window.before()), (-360, -240));
        let page = view("/timeline?span=1h&text=a&page=2", NOW_MS);
        assert_eq!(window.link(&page), "/timeline?text=a&from=2026-05-01T08%3A00%3A00Z&to=2026-05-01T10%3A00%3A00Z");
        assert_eq!(span_link(&page, Span::Hour), "/timeline?text=a&span=1h");
    }
}
