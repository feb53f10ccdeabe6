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
use super::view::View;
use crate::admin::problem::Problem;
use crate::callback::StreamSelection;
use crate::index::{BroadcastQuery, BroadcastView, SessionQuery, SessionView};
use crate::printable::printable;
use crate::session::{State as SessionState, StreamKey};

/// How many sessions the page shows.
const SESSIONS_MAX: usize = 50;

/// `GET /streams/{domain}/{app name}/{stream}`.
pub(super) async fn show(State(pages): State<Arc<Pages>>, view: View) -> Response<Body> {
    let content = content(&pages, &view).await;
    page(&view, Tab::None, content)
}

async fn content(pages: &Pages, view: &View) -> Result<Content, Problem> {
    // The path is read as a key, because each of the three names can be empty or hold a slash.
    let key = StreamKey::from_text(view.uri.path().strip_prefix("/streams/").unwrap_or_default());
    let selection = StreamSelection::of_stream(&key.domain(), &key.app_name(), &key.stream());
    let now_ms = view.now_ms;
    let read = pages.api.read(move |reader| {
        let index = reader.index()?;
        let query = SessionQuery { selection: selection.clone(), limit: SESSIONS_MAX, ..SessionQuery::default() };
        let broadcasts = BroadcastQuery { selection, limit: 1, ..BroadcastQuery::default() };
        Ok((index.sessions(&query, now_ms)?, index.broadcasts(&broadcasts, now_ms)?.pop()))
    });
    let (sessions, broadcast) = read.await?;
    let Some(newest) = sessions.first() else { return Err(Problem::not_found("this stream has no session")) };
    let names = Names { domain: &newest.domain, app_name: &newest.app_name, stream: &newest.stream };
    let live: Vec<&SessionView> = sessions.iter().filter(|session| session.state == SessionState::Live).collect();
    let main = html! {
        header.story {
            p.muted { (view.text("column-name")) }
            h1 data-stream=(names.joined()) { (names.link()) }
        }
        div #stream data-part {
            section.why {
                @if let Some(session) = live.last() {
                    (format::state(view, SessionState::Live))
                    p { (view.text("session-is-live")) " " (running(view, session.started)) }
                } @else {
                    (format::state(view, newest.state))
                    @if newest.reason.is_some() { p.reason { (format::reason(view, newest.reason.as_ref())) } }
                }
            }
            @if let Some(broadcast) = &broadcast { (newest_broadcast(view, broadcast)) }
        }
        section.panel aria-labelledby="sessions-title" {
            div.toolbar { h2 #sessions-title { (view.text("newest-sessions")) } }
            div #sessions data-part { (rows(view, &sessions)) }
        }
    };
    Ok(Content { title: printable(&newest.stream, 60).into_owned(), main })
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
            div { dt { (view.text("broadcast-longest-gap")) } dd { (duration(view.texts, broadcast.longest_gap_ms)) } }
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
