//! `/streams/{domain}/{app name}/{stream}`: one stream, with its newest broadcast and its newest sessions.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use maud::{Markup, html};

use super::answer::page;
use super::format::{self, Names, dash, duration, moment, outside_or_dash, running};
use super::layout::{Content, Tab};
use super::numbers::count;
use super::state::Pages;
use super::timeline::single;
use super::view::View;
use crate::admin::problem::Problem;
use crate::callback::StreamSelection;
use crate::index::{BroadcastQuery, BroadcastView, LanePage, LaneSession, Order, SessionQuery, SessionView};
use crate::moment::HOUR_MS;
use crate::printable::printable;
use crate::session::{State as SessionState, StreamKey};

/// How many sessions the page shows.
const SESSIONS_MAX: usize = 50;

/// The time of the lane, in ms.
const WEEK_MS: i64 = 7 * 24 * HOUR_MS;

/// `GET /streams/{domain}/{app name}/{stream}`.
pub(super) async fn show(State(pages): State<Arc<Pages>>, view: View) -> Response<Body> {
    let content = content(&pages, &view).await;
    page(&view, Tab::None, content)
}

async fn content(pages: &Pages, view: &View) -> Result<Content, Problem> {
    // The path is read as a key, because each of the three names can be empty or hold a slash.
    let key = StreamKey::from_text(view.uri.path().strip_prefix("/streams/").unwrap_or_default());
    let selection = StreamSelection::of_stream(&key.domain(), &key.app_name(), &key.stream());
    let lane_key = key.clone();
    let now_ms = view.now_ms;
    let week = (now_ms - WEEK_MS, now_ms);
    let after = view.choice("after", read_place);
    let read = pages.api.read(move |reader| {
        let index = reader.index()?;
        let sessions = |after, limit| {
            let query = SessionQuery { selection: selection.clone(), after, limit, ..SessionQuery::default() };
            index.sessions(&query, now_ms)
        };
        // One more than is shown says whether there is a next page.
        let page = sessions(after, SESSIONS_MAX + 1)?;
        let newest = if after.is_none() { page.first().cloned() } else { sessions(None, 1)?.pop() };
        // A live session may be on another page, behind newer ones that have ended.
        let live = SessionQuery {
            selection: selection.clone(),
            states: vec![SessionState::Live],
            order: Order::Ascending,
            limit: 1,
            ..SessionQuery::default()
        };
        let live = index.sessions(&live, now_ms)?.pop();
        let broadcasts = BroadcastQuery { selection: selection.clone(), limit: 1, ..BroadcastQuery::default() };
        let lane = index.lane_of(&lane_key, week, now_ms)?;
        Ok((newest, live, page, index.broadcasts(&broadcasts, now_ms)?.pop(), lane))
    });
    let (newest, live, mut sessions, broadcast, lane) = read.await?;
    let Some(newest) = &newest else { return Err(Problem::not_found("this stream has no session")) };
    let has_more = sessions.len() > SESSIONS_MAX;
    sessions.truncate(SESSIONS_MAX);
    let names = Names { domain: &newest.domain, app_name: &newest.app_name, stream: &newest.stream };
    let main = html! {
        header.story {
            p.muted { (view.text("column-name")) }
            h1 data-stream=(names.joined()) { (names.link()) }
        }
        div #stream data-part data-stream-key=(key.as_str()) {
            section.why {
                @if let Some(session) = &live {
                    (format::state(view, SessionState::Live))
                    p { (view.text("session-is-live")) " " (running(view, session.started)) }
                } @else {
                    (format::state(view, newest.state))
                    @if newest.reason.is_some() { p.reason { (format::reason(view, newest.reason.as_ref())) } }
                }
            }
            @if let Some(broadcast) = &broadcast { (newest_broadcast(view, broadcast)) }
        }
        section.panel aria-labelledby="week-title" {
            div.toolbar { h2 #week-title { (view.text("span-week")) } (totals(view, &lane)) }
            div #week data-part data-zoned { (single(view, week, &lane, None)) }
        }
        section.panel aria-labelledby="sessions-title" {
            div.toolbar { h2 #sessions-title { (view.text("newest-sessions")) } }
            div #sessions data-part { (rows(view, &sessions)) (paging(view, after.is_some(), &sessions, has_more)) }
        }
    };
    Ok(Content { title: printable(&newest.stream, 60).into_owned(), main })
}

/// Reads the place of a session in the list, such as `1777636800000.42`.
fn read_place(text: &str) -> Option<(i64, i64)> {
    let (started_ms, number) = text.split_once('.')?;
    Some((started_ms.parse().ok()?, number.parse().ok()?))
}

fn paging(view: &View, is_later_page: bool, sessions: &[SessionView], has_more: bool) -> Markup {
    let last = sessions.last().filter(|_| has_more);
    let next = last.map(|SessionView { place: (started_ms, number), .. }| format!("{started_ms}.{number}"));
    html! {
        @if is_later_page || next.is_some() {
            nav.paging aria-label=(view.text("paging")) {
                @if is_later_page { a href=(view.link_with(&[("after", None)])) { (view.text("newest-sessions")) } }
                @if let Some(next) = &next {
                    a rel="next" href=(view.link_with(&[("after", Some(next))])) { (view.text("next-page")) }
                }
            }
        }
    }
}

/// Sums up the sessions of a lane: how many, how long they were on, and how many were interrupted.
fn totals(view: &View, lane: &LanePage) -> Markup {
    let sessions: Vec<_> = lane.lanes.iter().flat_map(|lane| &lane.sessions).collect();
    let from_ms = view.now_ms - WEEK_MS;
    let on_ms = |session: &LaneSession| (session.until_ms.min(view.now_ms) - session.started_ms.max(from_ms)).max(0);
    let is_interruption =
        |session: &LaneSession| session.reason.as_ref().is_some_and(|reason| reason.category.is_interruption());
    let words = view.text_with(
        "stream-totals",
        &[
            ("sessions", count(sessions.len()).into()),
            ("time", duration(view.texts, sessions.iter().map(|session| on_ms(session)).sum()).into()),
            ("interruptions", count(sessions.iter().filter(|session| is_interruption(session)).count()).into()),
        ],
    );
    html! { p.muted { (words) } }
}

fn newest_broadcast(view: &View, broadcast: &BroadcastView) -> Markup {
    html! {
        dl.facts {
            div { dt { (view.text("broadcast-started")) } dd { (moment(broadcast.started)) } }
            div {
                dt { (view.text("column-ended")) }
                dd { @if let Some(ended) = broadcast.ended { (moment(ended)) } @else { (dash()) } }
            }
            div { dt { (view.text("broadcast-sessions")) } dd { (format::number(count(broadcast.sessions))) } }
            div { dt { (view.text("broadcast-gaps")) } dd { (format::number(count(broadcast.interruptions))) } }
            div {
                dt { (view.text("broadcast-longest-gap")) }
                dd { @if broadcast.interruptions == 0 { (dash()) } @else { (duration(view.texts, broadcast.longest_gap_ms)) } }
            }
        }
    }
}

fn rows(view: &View, sessions: &[SessionView]) -> Markup {
    html! {
        table.rows {
            thead {
                tr {
                    th scope="col" { (view.text("session")) }
                    th scope="col" { (view.text("column-started")) }
                    th scope="col" { (view.text("column-duration")) }
                    th scope="col" { (view.text("column-pusher")) }
                    th scope="col" { (view.text("column-reason")) }
                }
            }
            tbody { @for session in sessions { (row(view, session)) } }
        }
    }
}

fn row(view: &View, session: &SessionView) -> Markup {
    html! {
        tr data-session=(session.id) data-state=(session.state.label()) {
            th scope="row" {
                div { (format::state(view, session.state)) a href={ "/sessions/" (session.id) } { (session.sequence) } }
            }
            td data-label=(view.text("column-started")) { (moment(session.started)) }
            td data-label=(view.text("column-duration")) {
                @match (session.duration_ms, session.state) {
                    (Some(duration_ms), _) => { (duration(view.texts, duration_ms)) }
                    (None, SessionState::Live) => { (running(view, session.started)) }
                    (None, _) => { (dash()) }
                }
            }
            td data-label=(view.text("column-pusher")) { (outside_or_dash(session.user_address.as_deref())) }
            td data-label=(view.text("column-reason")) { (format::reason(view, session.reason.as_ref())) }
        }
    }
}
