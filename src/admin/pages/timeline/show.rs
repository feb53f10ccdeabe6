//! The page of the time line.

use std::collections::HashSet;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use maud::{Markup, html};

use super::axis::{axis, grid};
use super::kinds::{Kind, patterns};
use super::lane::Drawing;
use super::legend::legend;
use super::scale::Scale;
use super::wanted::{SPANS, Wanted};
use crate::admin::pages::answer::page;
use crate::admin::pages::format::Names;
use crate::admin::pages::icons::icon;
use crate::admin::pages::layout::{Content, Tab};
use crate::admin::pages::numbers::count;
use crate::admin::pages::state::Pages;
use crate::admin::pages::time_toolbar::{filters, toolbar};
use crate::admin::pages::view::View;
use crate::admin::pages::window::span_link;
use crate::admin::problem::Problem;
use crate::index::{Lane, LanePage};
use crate::session::State as SessionState;

/// `GET /timeline`.
pub(in crate::admin::pages) async fn show(State(pages): State<Arc<Pages>>, view: View) -> Response<Body> {
    let content = content(&pages, &view).await;
    page(&view, Tab::Timeline, content)
}

async fn content(pages: &Pages, view: &View) -> Result<Content, Problem> {
    let wanted = Wanted::of(view);
    let (query, now_ms) = (wanted.query.clone(), view.now_ms);
    let lanes = pages.api.read(move |reader| Ok(reader.index()?.lanes(&query, now_ms)?)).await?;
    let main = html! {
        h1.hidden { (view.text("tab-timeline")) }
        (patterns())
        section.panel {
            div #timeline data-part data-slow data-zoned data-from-ms=(wanted.window.from_ms) data-until-ms=(wanted.window.until_ms) {
                (toolbar(view, wanted.window, &SPANS))
                (filters(view))
                @if lanes.lanes.is_empty() { (empty(view, &wanted)) } @else { (drawing(view, &wanted, &lanes)) }
            }
        }
    };
    Ok(Content { title: view.text("tab-timeline").into_owned(), main })
}

fn drawing(view: &View, wanted: &Wanted, page: &LanePage) -> Markup {
    let scale = Scale::new(wanted.window.from_ms, wanted.window.until_ms);
    let drawing = Drawing::fitting(view, scale, page);
    let shown: HashSet<Kind> = page.lanes.iter().flat_map(|lane| lane.sessions.iter().map(Kind::of)).collect();
    html! {
        div.lanes {
            div.lanes-top aria-hidden="true" { span {} (axis(view, scale)) }
            div.lanes-area {
                div.lanes-grid aria-hidden="true" { span {} (grid(view, scale)) }
                ol { @for lane in &page.lanes { (row(view, &drawing, lane)) } }
            }
        }
        @if page.is_cut { p.note { (icon("warning")) (view.text("lanes-cut")) } }
        div.lanes-foot {
            (legend(view, Kind::all().filter(|kind| shown.contains(kind))))
            (paging(view, wanted, page))
            p.muted.with-script-only { (view.text("timeline-keys")) }
        }
    }
}

fn row(view: &View, drawing: &Drawing<'_>, lane: &Lane) -> Markup {
    let names = Names { domain: &lane.domain, app_name: &lane.app_name, stream: &lane.stream };
    let is_live = lane.sessions.iter().any(|session| session.state == SessionState::Live);
    html! {
        li.lane data-stream=(names.joined()) data-state=[is_live.then_some("live")] {
            div.lane-name {
                @if is_live { span.state-live { (icon("live")) span.hidden { (view.text("state-live")) } } }
                (names.link())
            }
            (drawing.lane(lane))
        }
    }
}

fn paging(view: &View, wanted: &Wanted, page: &LanePage) -> Markup {
    let link = |page: usize| view.link_with(&[("page", Some(&page.to_string()))]);
    html! {
        @if wanted.page > 1 || page.has_more {
            nav.paging aria-label=(view.text("paging")) {
                @if wanted.page > 1 { a rel="prev" href=(link(wanted.page - 1)) data-goes { (view.text("previous-page")) } }
                span { (view.text_with("page-number", &[("page", count(wanted.page).into())])) }
                @if page.has_more { a rel="next" href=(link(wanted.page + 1)) data-goes { (view.text("next-page")) } }
            }
        }
    }
}

fn empty(view: &View, wanted: &Wanted) -> Markup {
    let last = SPANS[SPANS.len() - 1];
    html! {
        div.empty {
            @if wanted.is_filtered() {
                p { (view.text("timeline-nothing-matches")) }
                p { a.button href="/timeline" { (view.text("filters-clear")) } }
            } @else {
                p { (view.text("timeline-empty")) }
                @if wanted.window.span != Some(last) {
                    p { a.button href=(span_link(view, last)) { (view.text(last.text())) } }
                }
            }
        }
    }
}
