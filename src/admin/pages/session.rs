//! `/sessions/{id}`: the story of one session.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::Response;
use maud::{Markup, html};

use super::answer::page;
use super::format::{self, Names, dash, duration, moment, outside_or_dash, running, size};
use super::layout::{Content, Tab};
use super::numbers::count;
use super::session_broadcast::SessionBroadcast;
use super::session_media::media;
use super::state::Pages;
use super::view::View;
use crate::admin::problem::Problem;
use crate::history::SessionEvents;
use crate::index::SessionView;
use crate::journal::Record;
use crate::moment::Moment;
use crate::printable::printable;
use crate::session::{SessionId, State as SessionState, StreamKey};

/// How many events the page shows, and how large they are together.
const EVENTS_MAX: usize = 200;
const EVENTS_BYTES_MAX: usize = 512 * 1024;

/// `GET /sessions/{id}`.
pub(super) async fn show(
    State(pages): State<Arc<Pages>>,
    id: Result<Path<String>, PathRejection>,
    view: View,
) -> Response<Body> {
    // An id that is not UTF-8 is one of no session.
    let id = id.map(|Path(id)| id).unwrap_or_default();
    let content = content(&pages, &view, &id).await;
    page(&view, Tab::None, content)
}

async fn content(pages: &Pages, view: &View, id: &str) -> Result<Content, Problem> {
    let not_found = || Problem::not_found("no session has this id");
    let id: SessionId = id.parse().map_err(|_| not_found())?;
    let now_ms = view.now_ms;
    let read = pages.api.read(move |reader| {
        let index = reader.index()?;
        let Some(session) = index.session(&id, now_ms)? else { return Ok(None) };
        let events = SessionEvents::of(&session, index, &reader.journal, now_ms)?;
        let (records, left_out) = events.bounded(EVENTS_MAX, EVENTS_BYTES_MAX)?;
        let broadcast = SessionBroadcast::read(index, &session, now_ms)?;
        Ok(Some((session, broadcast, records, left_out)))
    });
    let (session, broadcast, records, left_out) = read.await?.ok_or_else(not_found)?;
    let key = StreamKey::from_parts(&session.domain, &session.app_name, &session.stream);
    let main = html! {
        (heading(view, &session))
        div #session data-part data-stream-key=(key.as_str()) data-session=(session.id) data-state=(session.state.label()) {
            (why(view, &session))
            (facts(view, &session))
        }
        @if let Some(broadcast) = &broadcast {
            section.panel aria-labelledby="broadcast-title" {
                div.toolbar { h2 #broadcast-title { (view.text("broadcast")) } }
                div #broadcast data-part data-zoned { (broadcast.markup(view)) }
            }
        }
        (media(view, &records))
        section.panel aria-labelledby="events-title" {
            div.toolbar { h2 #events-title { (view.text("events-in-order")) } }
            div #events data-part { (events(view, &records, left_out)) }
        }
        (as_json(view, &session))
    };
    let name = printable(&session.stream, 60).into_owned();
    Ok(Content { title: name, main })
}

fn names(session: &SessionView) -> Names<'_> {
    Names { domain: &session.domain, app_name: &session.app_name, stream: &session.stream }
}

fn heading(view: &View, session: &SessionView) -> Markup {
    html! {
        header.story {
            p.muted { (view.text("session")) " " code { (session.id) } }
            h1 data-stream=(names(session).joined()) { (names(session).link()) }
        }
    }
}

/// Says why the session stopped, who should act, and what to do.
fn why(view: &View, session: &SessionView) -> Markup {
    html! {
        section.why {
            (format::state(view, session.state))
            @if session.state == SessionState::Live {
                p { (view.text("session-is-live")) " " (running(view, session.started)) }
            } @else if let Some(stop) = &session.reason {
                p.reason { (format::reason(view, Some(stop))) }
                dl.advice {
                    dt { (view.text("who-acts")) } dd { (view.actor(&stop.reason)) }
                    dt { (view.text("what-to-do")) } dd { (view.advice(&stop.reason)) }
                    @if let Some(errmsg) = &stop.errmsg { dt { (view.text("errmsg")) } dd { (format::outside(errmsg)) } }
                }
            } @else {
                p { (view.text("session-without-stop")) }
            }
        }
    }
}

fn facts(view: &View, session: &SessionView) -> Markup {
    html! {
        dl.facts {
            div { dt { (view.text("column-started")) } dd { (moment(session.started)) } }
            div {
                dt { (view.text("column-ended")) }
                dd { @if let Some(ended) = session.ended { (moment(ended)) } @else { (dash()) } }
            }
            div {
                dt { (view.text("column-duration")) }
                dd {
                    @if let Some(duration_ms) = session.duration_ms { (duration(view.texts, duration_ms)) }
                    @else { (dash()) }
                }
            }
            div { dt { (view.text("column-pusher")) } dd { (outside_or_dash(session.user_address.as_deref())) } }
            div { dt { (view.text("column-node")) } dd { (outside_or_dash(session.node.as_deref())) } }
            div { dt { (view.text("column-size")) } dd { (size(session.width, session.height)) } }
            div { dt { (view.text("column-anomalies")) } dd { (format::number(session.anomalies)) } }
            div { dt { (view.text("column-recordings")) } dd { (format::number(session.recordings)) } }
            div { dt { (view.text("column-screenshots")) } dd { (format::number(session.screenshots)) } }
        }
    }
}

/// Shows the session as the API returns it, to be copied.
fn as_json(view: &View, session: &SessionView) -> Markup {
    // A session is plain data, so it always has a JSON text.
    let json = serde_json::to_string(session).unwrap_or_default();
    html! {
        section.panel {
            details.events {
                summary { (view.text("session-as-json")) }
                button.quiet hidden data-copy="session-json" data-copied=(view.text("copied")) { (view.text("copy")) }
                pre { code #session-json data-copies { (format::json(&json)) } }
            }
        }
    }
}

fn events(view: &View, records: &[Record], left_out: usize) -> Markup {
    html! {
        @if records.is_empty() { p.empty { (view.text("events-pruned")) } }
        ol.events {
            @for record in records {
                @let event = &record.event;
                li data-event=(event.id()) {
                    details {
                        summary { strong { (event.event_type().to_string()) } " " (moment(Moment(event.id().time_ms()))) }
                        pre { code { (format::json(event.line())) } }
                    }
                }
            }
        }
        @if left_out > 0 {
            p.muted { (view.text_with("events-left-out", &[("count", count(left_out).into())])) }
        }
    }
}
