//! The bar above what a page shows of a time: the spans, steps through time, a search for streams, and the filters of the address.

use maud::{Markup, html};

use super::format::{moment, outside};
use super::icons::icon;
use super::view::View;
use super::window::{Span, Window, span_link};
use crate::moment::Moment;

/// The parameters that select streams and stops, each with the id of its name.
const FILTERS: [(&str, &str); 5] = [
    ("domain", "filter-domain"),
    ("app", "filter-app"),
    ("reason", "column-reason"),
    ("code", "filter-code"),
    ("node", "column-node"),
];

/// Shows the bar of a page with these spans.
pub(super) fn toolbar(view: &View, window: Window, spans: &[Span]) -> Markup {
    let step = |window: Window, key: &str, name: &str, text: &str| {
        let words = view.text(text);
        html! {
            a.step href=(window.link(view)) title=(words) aria-label=(words) aria-keyshortcuts=(key) data-key=(key)
                data-goes { (icon(name)) }
        }
    };
    html! {
        div.toolbar {
            nav.spans aria-label=(view.text("time-shown")) {
                @for &span in spans {
                    a href=(span_link(view, span)) aria-current=[(window.span == Some(span)).then_some("true")] data-goes {
                        (view.text(span.text()))
                    }
                }
                details.range {
                    summary { (view.text("span-own")) }
                    (range(view, window))
                }
            }
            p.time-range {
                (moment(Moment(window.from_ms))) " – "
                @if window.span.is_some() { (view.text("now")) } @else { (moment(Moment(window.until_ms))) }
                " " span.muted { (view.text_with("times-in-zone", &[("zone", view.zone.to_string().into())])) }
            }
            nav.steps aria-label=(view.text("steps")) {
                (step(window.moved(-1), "ArrowLeft", "earlier", "step-earlier"))
                (step(window.wider(view.now_ms), "-", "wider", "step-wider"))
                (step(window.closer(), "+", "closer", "step-closer"))
                (step(window.moved(1), "ArrowRight", "later", "step-later"))
            }
            (search(view))
        }
    }
}

/// A form for a time with two bounds.
fn range(view: &View, window: Window) -> Markup {
    let field = |name: &str, text: &str, time_ms: i64| {
        html! {
            label { (view.text(text)) input type="datetime-local" name=(name) value=(view.zone.field(time_ms)) required; }
        }
    };
    html! {
        form method="get" action=(view.uri.path()) {
            (kept(view, &["span", "from", "to"]))
            (field("from", "time-from", window.from_ms))
            (field("to", "time-to", window.until_ms))
            button { (view.text("apply")) }
        }
    }
}

fn search(view: &View) -> Markup {
    html! {
        form.filter role="search" method="get" action=(view.uri.path()) {
            (kept(view, &["stream"]))
            (icon("search"))
            input type="search" name="stream" value=(view.parameter("stream").unwrap_or_default())
                placeholder=(view.text("filter-streams")) aria-label=(view.text("filter-streams")) data-submits;
        }
    }
}

/// The parameters of the address that a form keeps: all except the page, and the ones that the form sets.
fn kept(view: &View, without: &[&str]) -> Markup {
    let names = ["span", "from", "to", "stream"].into_iter().chain(FILTERS.map(|(name, _)| name));
    html! {
        @for name in names.filter(|name| !without.contains(name)) {
            @if let Some(value) = view.parameter(name) { input type="hidden" name=(name) value=(value); }
        }
    }
}

/// Shows the filters of the address, each with a link that removes it.
pub(super) fn filters(view: &View) -> Markup {
    let given = FILTERS.into_iter().filter_map(|(name, text)| view.parameter(name).map(|value| (name, text, value)));
    let given: Vec<_> = given.collect();
    html! {
        @if !given.is_empty() {
            ul.filters {
                @for (name, text, value) in given {
                    li {
                        span.muted { (view.text(text)) } " "
                        // A category has a name in the language of the page.
                        @match view.texts.find(&format!("category-{value}"), &[]).filter(|_| name == "reason") {
                            Some(category) => { (category) }
                            None => { (outside(&value)) }
                        }
                        a href=(view.link_with(&[(name, None), ("page", None)])) aria-label=(view.text("filter-remove"))
                            data-goes { (icon("remove")) }
                    }
                }
            }
        }
    }
}
