//! `/`: the streams that are live, how the service does, and what ended last. Before the first event, the page of the set-up.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use maud::{Markup, html};

use super::answer::page;
use super::format::{self, Names, ago, dash, duration, moment, outside_or_dash, running, size};
use super::icons::icon;
use super::layout::{Content, Tab};
use super::numbers::count;
use super::setup;
use super::state::Pages;
use super::status::{callbacks_chart, health, large_count};
use super::view::View;
use crate::admin::problem::Problem;
use crate::index::{LivePage, LiveQuery, LiveSort, Order, ReasonView, SessionView, StreamView};

/// How many live streams a page shows.
const STREAMS_MAX: usize = 50;

/// How many ended sessions the page shows.
const ENDED_MAX: usize = 10;

/// `GET /`.
pub(super) async fn show(State(pages): State<Arc<Pages>>, view: View) -> Response<Body> {
    // No record has ever been stored, so there is nothing to see yet.
    if pages.sources.journal.health().head.0 == 0 {
        return page(&view, Tab::Now, Ok(setup::content(&view, &pages)));
    }
    let content = content(&pages, &view).await;
    page(&view, Tab::Now, content)
}

/// Which part of the live streams the address asks for.
struct Wanted {
    query: LiveQuery,
    /// Counted from 1.
    page: usize,
}

impl Wanted {
    fn of(view: &View) -> Wanted {
        let sort = match view.parameter("sort").as_deref() {
            Some("name") => LiveSort::Name,
            _ => LiveSort::Since,
        };
        // Names are read from A to Z, and the newest stream comes first.
        let order = match (view.parameter("order").as_deref(), sort) {
            (Some("ascending"), _) => Order::Ascending,
            (Some("descending"), _) => Order::Descending,
            (_, LiveSort::Name) => Order::Ascending,
            (_, LiveSort::Since) => Order::Descending,
        };
        let page = view.choice("page", |text| text.parse().ok()).unwrap_or(1).clamp(1, 10_000);
        let text = view.parameter("text").unwrap_or_default();
        let query = LiveQuery { text, sort, order, skip: (page - 1) * STREAMS_MAX, limit: STREAMS_MAX };
        Wanted { query, page }
    }
}

async fn content(pages: &Pages, view: &View) -> Result<Content, Problem> {
    let wanted = Wanted::of(view);
    let (query, now_ms) = (wanted.query.clone(), view.now_ms);
    let (live, ended) = pages
        .api
        .read(move |reader| {
            let index = reader.index()?;
            Ok((index.live_page(&query, now_ms)?, index.recently_ended(ENDED_MAX, now_ms)?))
        })
        .await?;
    let title = view.text_with("title-now", &[("count", count(live.live).into())]).into_owned();
    let main = html! {
        h1.hidden { (view.text("tab-now")) }
        div.summary {
            section #live-count data-part { (large_count(count(live.live), &view.text_with("streams-live", &[("count", count(live.live).into())]))) }
            section #callbacks data-part { (callbacks_chart(view, &pages.sources)) }
            section #health data-part aria-label=(view.text("health")) { (health(view, &pages.sources)) }
        }
        section.panel aria-labelledby="live-title" {
            div.toolbar {
                h2 #live-title { (view.text("live-streams")) }
                (filter(view, &wanted))
            }
            div #live data-part { (streams(view, &wanted, &live)) }
        }
        section.panel aria-labelledby="ended-title" {
            div.toolbar { h2 #ended-title { (view.text("recently-ended")) } }
            div #ended data-part { (ended_sessions(view, &ended)) }
        }
    };
    Ok(Content { title, main })
}

fn filter(view: &View, wanted: &Wanted) -> Markup {
    html! {
        form.filter role="search" method="get" action="/" {
            @for name in ["sort", "order"] {
                @if let Some(value) = view.parameter(name) { input type="hidden" name=(name) value=(value); }
            }
            (icon("search"))
            input type="search" name="text" value=(wanted.query.text) placeholder=(view.text("filter-streams"))
                aria-label=(view.text("filter-streams")) data-submits;
        }
    }
}

fn streams(view: &View, wanted: &Wanted, live: &LivePage) -> Markup {
    if live.streams.is_empty() {
        let text = if live.live == 0 { "no-stream-live" } else { "no-stream-matches" };
        return html! { p.empty { (view.text(text)) } };
    }
    let sortable = |sort: LiveSort, word: &str| sort_header(view, wanted, sort, word);
    html! {
        table.rows {
            thead {
                tr {
                    (sortable(LiveSort::Name, "name"))
                    (sortable(LiveSort::Since, "since"))
                    th scope="col" { (view.text("column-started")) }
                    th scope="col" { (view.text("column-pusher")) }
                    th scope="col" { (view.text("column-node")) }
                    th scope="col" { (view.text("column-size")) }
                    th.end scope="col" { (view.text("column-pushes")) }
                    th.end scope="col" { (view.text("column-anomalies")) }
                }
            }
            tbody { @for stream in &live.streams { (stream_row(view, stream)) } }
        }
        (paging(view, wanted, live))
    }
}

fn sort_header(view: &View, wanted: &Wanted, sort: LiveSort, word: &str) -> Markup {
    let is_sorted = wanted.query.sort == sort;
    let (direction, other) = match wanted.query.order {
        Order::Ascending => ("ascending", "descending"),
        Order::Descending => ("descending", "ascending"),
    };
    let order = is_sorted.then_some(other);
    html! {
        th scope="col" aria-sort=[is_sorted.then_some(direction)] {
            a href=(view.link_with(&[("sort", Some(word)), ("order", order), ("page", None)])) {
                (view.text(&format!("column-{word}")))
                @if is_sorted { (icon(direction)) }
            }
        }
    }
}

fn stream_row(view: &View, stream: &StreamView) -> Markup {
    let names = Names { domain: &stream.domain, app_name: &stream.app_name, stream: &stream.stream };
    let label = |word: &str| view.text(&format!("column-{word}"));
    html! {
        tr data-stream=(names.joined()) data-session=(stream.session) data-state="live" {
            th scope="row" {
                div { span.state-live { (icon("live")) span.hidden { (view.text("state-live")) } } (names.link()) }
            }
            td data-label=(label("since")) { (running(view, stream.live_since)) }
            td data-label=(label("started")) { (moment(stream.live_since)) }
            td data-label=(label("pusher")) { (outside_or_dash(stream.user_address.as_deref())) }
            td data-label=(label("node")) { (outside_or_dash(stream.node.as_deref())) }
            td data-label=(label("size")) { (size(stream.width, stream.height)) }
            td.end data-label=(label("pushes")) {
                (stream.pushes)
                @if stream.pushes > 1 { " " span.muted { (view.text("with-backup")) } }
            }
            td.end data-label=(label("anomalies")) {
                @if stream.anomalies > 0 { span.condition-warning { (icon("warning")) (format::number(stream.anomalies)) } }
                @else { (dash()) }
            }
        }
    }
}

fn paging(view: &View, wanted: &Wanted, live: &LivePage) -> Markup {
    let pages = live.matching.div_ceil(STREAMS_MAX);
    let link = |page: usize| view.link_with(&[("page", Some(&page.to_string()))]);
    html! {
        @if pages > 1 {
            nav.paging aria-label=(view.text("paging")) {
                @if wanted.page > 1 { a rel="prev" href=(link(wanted.page - 1)) { (view.text("previous-page")) } }
                span {
                    (view.text_with("page-of", &[("page", count(wanted.page).into()), ("pages", count(pages).into())]))
                }
                @if wanted.page < pages { a rel="next" href=(link(wanted.page + 1)) { (view.text("next-page")) } }
            }
        }
    }
}

fn ended_sessions(view: &View, sessions: &[SessionView]) -> Markup {
    if sessions.is_empty() {
        return html! { p.empty { (view.text("nothing-ended")) } };
    }
    html! {
        ul.ended {
            @for session in sessions {
                @let names = Names { domain: &session.domain, app_name: &session.app_name, stream: &session.stream };
                li data-stream=(names.joined()) data-session=(session.id) data-state="ended" {
                    (names.link())
                    div {
                        a.why href={ "/sessions/" (session.id) } { (format::reason(view, session.reason.as_ref())) }
                        @if let Some(ReasonView { reason, .. }) = &session.reason {
                            details.to-do {
                                summary { (view.text("who-acts")) " · " (view.actor(reason)) }
                                p { (view.advice(reason)) }
                            }
                        }
                    }
                    span.muted {
                        @if let Some(ended) = session.ended { (moment(ended)) " · " (ago(view, ended.0)) }
                        @if let Some(duration_ms) = session.duration_ms {
                            " · " (view.text_with("lasted", &[("duration", duration(view.texts, duration_ms).into())]))
                        }
                    }
                }
            }
        }
    }
}
