//! The page of reasons.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use maud::{Markup, html};

use super::change::change;
use super::chart::chart;
use super::ends::Ends;
use super::lists::{nodes, reasons, streams};
use crate::admin::pages::answer::page;
use crate::admin::pages::format::number;
use crate::admin::pages::icons::icon;
use crate::admin::pages::layout::{Content, Tab};
use crate::admin::pages::numbers::count;
use crate::admin::pages::state::Pages;
use crate::admin::pages::time_toolbar::{filters, toolbar};
use crate::admin::pages::view::View;
use crate::admin::pages::window::{Span, Window, span_link};
use crate::admin::problem::Problem;
use crate::index::{IndexError, Reader, StopCounts, StopQuery};
use crate::moment::hour_of;

/// The spans that the page offers.
const SPANS: [Span; 4] = [Span::Hour, Span::Day, Span::Week, Span::Month];

/// The stops of a time.
struct Stops {
    ends: Ends,
    counts: StopCounts,
}

impl Stops {
    fn read(index: &Reader, query: &StopQuery) -> Result<Stops, IndexError> {
        let counts = index.stop_counts(query)?;
        let ends = if counts.is_cut && query.streams.is_empty() {
            // There are too many to count them one by one, so the counts of whole hours must do.
            Ends::of_hours(&index.end_hours(hour_of(query.from_ms), query.until_ms)?)
        } else {
            Ends::of_counts(&counts)
        };
        Ok(Stops { ends, counts })
    }
}

/// `GET /reasons`.
pub(in crate::admin::pages) async fn show(State(pages): State<Arc<Pages>>, view: View) -> Response<Body> {
    let content = content(&pages, &view).await;
    page(&view, Tab::Reasons, content)
}

async fn content(pages: &Pages, view: &View) -> Result<Content, Problem> {
    let window = Window::of(view, &SPANS, Span::Day);
    let query =
        |window: Window| StopQuery { from_ms: window.from_ms, until_ms: window.until_ms, streams: view.streams() };
    let (now, before) = (query(window), query(window.before()));
    let read = pages.api.read(move |reader| {
        let index = reader.index()?;
        Ok((Stops::read(index, &now)?, Stops::read(index, &before)?))
    });
    let (now, before) = read.await?;
    let main = html! {
        h1.hidden { (view.text("tab-reasons")) }
        div #reasons.stack data-part data-slow data-zoned {
            section.panel {
                (toolbar(view, window, &SPANS))
                (filters(view))
                @if now.counts.ends.is_empty() { (empty(view, window)) } @else {
                    (totals(view, &now.ends, &before.ends))
                    div.over-time { (chart(view, window, &now.ends)) }
                }
            }
            @if !now.counts.ends.is_empty() { (details(view, window, &now.counts, &before.counts)) }
        }
    };
    Ok(Content { title: view.text("tab-reasons").into_owned(), main })
}

fn totals(view: &View, now: &Ends, before: &Ends) -> Markup {
    html! {
        dl.totals {
            div {
                dt { (view.text("stops")) }
                dd { strong { (number(now.total())) } (change(view, now.total(), before.total())) }
            }
            div {
                dt { (view.text("interruptions")) }
                dd { strong { (number(now.interruptions())) } (change(view, now.interruptions(), before.interruptions())) }
                dd.muted { (view.text("interruptions-help")) }
            }
        }
    }
}

fn details(view: &View, window: Window, now: &StopCounts, before: &StopCounts) -> Markup {
    html! {
        section.panel aria-labelledby="frequent-title" {
            div.toolbar { h2 #frequent-title { (view.text("frequent-reasons")) } }
            @if now.is_cut {
                p.note { (icon("warning")) (view.text_with("reasons-cut", &[("count", count(now.ends.len()).into())])) }
            }
            (reasons(view, window, now, before))
        }
        div.pair {
            section.panel aria-labelledby="streams-title" {
                div.toolbar { h2 #streams-title { (view.text("interrupted-streams")) } }
                (streams(view, window, now))
            }
            section.panel aria-labelledby="nodes-title" {
                div.toolbar { h2 #nodes-title { (view.text("interrupted-nodes")) } }
                (nodes(view, window, now))
            }
        }
    }
}

fn empty(view: &View, window: Window) -> Markup {
    html! {
        div.empty {
            @if view.streams().is_empty() {
                p { (view.text("reasons-empty")) }
                @if window.span != Some(Span::Month) {
                    p { a.button href=(span_link(view, Span::Month)) { (view.text(Span::Month.text())) } }
                }
            } @else {
                p { (view.text("reasons-nothing-matches")) }
                p { a.button href="/reasons" { (view.text("filters-clear")) } }
            }
        }
    }
}
