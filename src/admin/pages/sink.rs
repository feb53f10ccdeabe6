//! `/sinks/{name}`: one sink, with its dead letters and replays.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::Response;
use maud::{Markup, html};

use super::absent_sink::absent_sink;
use super::answer::page;
use super::dead_letters::{self, Owner, Wanted};
use super::done::done;
use super::event_detail::event_detail;
use super::format::outside;
use super::icons::icon;
use super::layout::{Content, Tab};
use super::numbers::count;
use super::replays;
use super::sink_view::SinkView;
use super::state::Pages;
use super::view::View;
use crate::admin::html::encoded;
use crate::admin::problem::Problem;
use crate::delivery::FailingEvent;

/// How many replays the page looks at. Those of other sinks count too.
const REPLAYS_MAX: usize = 100;

/// `GET /sinks/{name}`.
pub(super) async fn show(
    State(pages): State<Arc<Pages>>,
    name: Result<Path<String>, PathRejection>,
    view: View,
) -> Response<Body> {
    let name = name.map(|Path(name)| name).unwrap_or_default();
    let content = content(&pages, &view, &name).await;
    page(&view, Tab::Sinks, content)
}

async fn content(pages: &Pages, view: &View, name: &str) -> Result<Content, Problem> {
    let sinks = SinkView::all(pages);
    let Some(sink) = sinks.iter().find(|sink| sink.status.sink == name) else {
        return absent_sink(pages, view, name).await;
    };
    let owner = Owner { sink: name, is_configured: true, count: sink.state.dead_letters };
    let wanted = Wanted::of(view, name);
    let after = wanted.after;
    let read = pages.api.query(move |reader| {
        let (page, chosen) = wanted.read(&reader.journal)?;
        Ok((page, chosen, reader.journal.replays(i64::MAX, REPLAYS_MAX)?))
    });
    let (dead_letters, chosen, replays) = read.await?;
    let main = html! {
        (done(view))
        header.story {
            p.muted { a href="/sinks" { (view.text("tab-sinks")) } " › " (sink.status.type_name) }
            h1 data-sink=(name) { (outside(name)) }
        }
        div #sink data-part {
            section.why {
                (sink.badge(view))
                p { (sink.words(view)) }
                (sink.past_failure(view))
                (failing(view, sink))
            }
            (sink.facts(view))
        }
        div #charts data-part {
            section.panel { (sink.records_chart(view)) }
            section.panel { (sink.age_chart(view)) }
        }
        @if let Some(dead_letter) = &chosen {
            (event_detail(view, &pages.sources.receiver.load(), &dead_letter.event, &view.link_with(&[("dead_letter", None)])))
        }
        section.panel aria-labelledby="dead-letters-title" {
            div.toolbar {
                h2 #dead-letters-title { (view.text("sink-dead-letters")) }
                div #actions data-part { (dead_letters::actions_on_all(view, owner)) }
            }
            div #dead-letters data-part { (dead_letters::table(view, owner, &dead_letters, after)) }
        }
        section.panel aria-labelledby="replays-title" {
            div.toolbar { h2 #replays-title { (view.text("replays-title")) } }
            div #replays data-part { (replays::table(view, sink, &replays)) }
        }
    };
    Ok(Content { title: name.to_owned(), main })
}

/// Shows the event that holds others up, and the requests that a person can make.
fn failing(view: &View, sink: &SinkView) -> Markup {
    let state = &sink.state;
    let link = |action: &str| format!("{}/{action}", sink.address());
    html! {
        @if state.is_blocked { p.condition-bad { (icon("bad")) " " (view.text("sink-blocked")) } }
        @if state.held_streams > 0 {
            p.condition-warning {
                (icon("warning")) " "
                (view.text_with("sink-held", &[("count", count(state.held_streams).into())]))
            }
        }
        @if let Some(FailingEvent { id, stream }) = &state.failing {
            dl.advice {
                dt { (view.text("sink-failing-event")) }
                dd {
                    code { (id) }
                    @if !stream.is_empty() { " · " (outside(stream)) }
                }
            }
        }
        @if !view.has_token { p.muted { (view.text("sink-no-token")) } }
        @else if state.last_error.is_some() || state.failing.is_some() {
            p.actions {
                a.button href=(link("retry")) { (view.text("sink-retry")) }
                @if let Some(FailingEvent { id, stream }) = &state.failing {
                    a.button.second href={ (link("skip")) "?event=" (id) } { (view.text("sink-skip-event")) }
                    // A star in a name would select further streams.
                    @if !stream.is_empty() && !stream.contains('*') {
                        a.button.second href={ (link("skip")) "?stream=" (encoded(stream)) } { (view.text("sink-skip-stream")) }
                    }
                }
            }
        }
    }
}
