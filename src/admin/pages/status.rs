//! How the parts of the service do, in words: receiver, journal, index and each sink.

use std::sync::atomic::Ordering;

use maud::{Markup, html};

use super::format::{ago, outside, sink_address};
use super::icons::icon;
use super::numbers::{count, grouped};
use super::view::View;
use crate::admin::Sources;
use crate::admin::sources::lag;
use crate::delivery::StatusView;

/// How many records a sink or the index may be behind without a word: it takes them in batches.
const USUAL_LAG: i64 = 1000;

/// How a part does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Condition {
    Good,
    Warning,
    Bad,
}

impl Condition {
    /// Its word in texts, icons and classes.
    pub(super) fn word(self) -> &'static str {
        match self {
            Condition::Good => "good",
            Condition::Warning => "warning",
            Condition::Bad => "bad",
        }
    }
}

/// One part of the service, and what there is to say about it.
struct Part {
    /// The name of the sink, for `data-sink`. `None` for the other parts.
    sink: Option<String>,
    name: Markup,
    condition: Condition,
    words: Markup,
}

/// Shows how every part does.
pub(super) fn health(view: &View, sources: &Sources) -> Markup {
    let head = sources.journal.health().head.0;
    let mut parts = vec![receiver(view, sources), journal(view, sources)];
    parts.extend(sources.index.as_ref().map(|index| {
        let index = index.view();
        let records = lag(head, index.cursor);
        let (condition, words) = match index.last_error {
            Some(error) => (Condition::Bad, outside(&error)),
            None if index.is_rebuilding => (Condition::Warning, html! { (view.text("index-rebuilding")) }),
            None => lag_in_words(view, records),
        };
        Part { sink: None, name: html! { (view.text("part-index")) }, condition, words }
    }));
    parts.extend(sources.sinks.all().iter().map(|status| sink(view, &status.sink, status.view(), head)));
    html! {
        ul.health {
            @for part in parts {
                li class={ "condition-" (part.condition.word()) } data-condition=(part.condition.word())
                    data-sink=[part.sink] {
                    (icon(part.condition.word()))
                    strong { (part.name) }
                    span.hidden { (view.text(&format!("condition-{}", part.condition.word()))) }
                    span { (part.words) }
                }
            }
        }
    }
}

fn receiver(view: &View, sources: &Sources) -> Part {
    let name = html! { (view.text("part-receiver")) };
    if sources.draining.load(Ordering::Relaxed) {
        return Part { sink: None, name, condition: Condition::Warning, words: html! { (view.text("stopping")) } };
    }
    let (verified, refused) = last_minute(view, sources);
    let last = match sources.hourly_counts.last_callback_ms() {
        Some(last_ms) => view.text_with("last-callback", &[("ago", ago(view, last_ms).into())]),
        None => view.text("no-callback"),
    };
    let rate = view.text_with("callbacks-a-minute", &[("verified", verified.into()), ("refused", refused.into())]);
    // A few refusals are strangers who try. More refusals than callbacks are a fault of the set-up.
    let condition = if refused > verified { Condition::Warning } else { Condition::Good };
    Part { sink: None, name, condition, words: html! { (last) " · " (rate) } }
}

/// How many callbacks of the last 60 s were verified and refused, about.
fn last_minute(view: &View, sources: &Sources) -> (i64, i64) {
    let [.., before, begun] = sources.hourly_counts.minutes(view.now_ms);
    // The minute that has begun counts as a whole, and the one before it as far as it reaches into the last 60 s.
    let share = 60_000 - view.now_ms.rem_euclid(60_000);
    let about = |before, begun| count(begun).saturating_add(count(before).saturating_mul(share) / 60_000);
    (about(before.verified, begun.verified), about(before.refused, begun.refused))
}

fn journal(view: &View, sources: &Sources) -> Part {
    let health = sources.journal.health();
    let (condition, words) = match health.unavailable {
        Some(error) => (Condition::Bad, html! { (view.text("journal-refuses")) " " (outside(&error.to_string())) }),
        None => {
            let events = view.text_with("journal-stores", &[("count", health.head.0.into())]);
            (Condition::Good, html! { (events) })
        }
    };
    Part { sink: None, name: html! { (view.text("part-journal")) }, condition, words }
}

fn sink(view: &View, name: &str, status: StatusView, head: i64) -> Part {
    let records = lag(head, status.cursor);
    let (mut condition, words) = sink_condition(view, &status, records);
    let words = html! {
        (words)
        @if let Some(received_ms) = status.oldest_pending_ms.filter(|_| records > USUAL_LAG) {
            " · " (view.text_with("oldest-pending", &[("ago", ago(view, received_ms).into())]))
        }
        @if status.dead_letters > 0 {
            " · " (view.text_with("dead-letters", &[("count", status.dead_letters.into())]))
        }
    };
    if status.dead_letters > 0 {
        condition = condition.max(Condition::Warning);
    }
    let link = html! { a href=(sink_address(name)) { (outside(name)) } };
    Part { sink: Some(name.to_owned()), name: link, condition, words }
}

/// Says how a sink does that is this many records behind.
pub(super) fn sink_condition(view: &View, status: &StatusView, records: i64) -> (Condition, Markup) {
    match &status.last_error {
        Some(error) => {
            let attempt = view.text_with("sink-retries", &[("attempt", i64::from(status.attempt).into())]);
            (Condition::Bad, html! { (attempt) " " (outside(error)) })
        }
        None => lag_in_words(view, records),
    }
}

fn lag_in_words(view: &View, records: i64) -> (Condition, Markup) {
    match records {
        0 => (Condition::Good, html! { (view.text("up-to-date")) }),
        1..=USUAL_LAG => (Condition::Good, html! { (view.text_with("behind", &[("count", records.into())])) }),
        _ => (Condition::Warning, html! { (view.text_with("behind", &[("count", records.into())])) }),
    }
}

/// Draws the callbacks of the last hour, a bar a minute: verified above, refused below.
pub(super) fn callbacks_chart(view: &View, sources: &Sources) -> Markup {
    const HEIGHT: u64 = 40;
    let minutes = sources.hourly_counts.minutes(view.now_ms);
    let most = minutes.iter().map(|minute| minute.verified.max(minute.refused)).max().unwrap_or(0).max(1);
    // A count that is not 0 is never invisible.
    let height = |count: u64| (count * HEIGHT / most).max(2);
    let verified: u64 = minutes.iter().map(|minute| minute.verified).sum();
    let refused: u64 = minutes.iter().map(|minute| minute.refused).sum();
    let label = view.text_with(
        "callbacks-of-the-hour",
        &[("verified", count(verified).into()), ("refused", count(refused).into())],
    );
    html! {
        figure.callbacks {
            svg viewBox="0 0 240 64" preserveAspectRatio="none" role="img" aria-label=(label) {
                path.verified d=(bars(minutes.map(|minute| minute.verified), |up| (HEIGHT - height(up), height(up)))) {}
                path.refused d=(bars(minutes.map(|minute| minute.refused), |down| (HEIGHT + 2, height(down) / 2))) {}
                line x1="0" y1=(HEIGHT + 1) x2="240" y2=(HEIGHT + 1) {}
            }
            figcaption { (label) }
        }
    }
}

/// Returns one path for the bars of all counts that are not 0. An element for each bar would add 7 KB to the page. `place` returns the
/// top and the height of a bar.
fn bars(counts: [u64; 60], place: impl Fn(u64) -> (u64, u64)) -> String {
    let counts = counts.into_iter().enumerate().filter(|(_, count)| *count > 0);
    counts
        .map(|(minute, count)| {
            let (top, height) = place(count);
            format!("M{} {top}h3v{height}h-3z", minute * 4)
        })
        .collect()
}

/// Shows a count, large, with its words below.
pub(super) fn large_count(number: i64, words: &str) -> Markup {
    html! { p.large { strong { (grouped(number)) } span { (words) } } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_counts_have_bars() {
        let place = |count| (40 - count, count);
        assert_eq!(bars([0; 60], place), "");
        let mut counts = [0; 60];
        (counts[0], counts[59]) = (5, 40);
        assert_eq!(bars(counts, place), "M0 35h3v5h-3zM236 0h3v40h-3z");
    }
}
