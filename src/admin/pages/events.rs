//! `/events`: every event as it arrives, the newest first.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use maud::{Markup, html};

use super::answer::page;
use super::event_detail::event_detail;
use super::event_filter::{EVENTS_MAX, EventFilter, Mistake, filter_form};
use super::format::{Names, moment, outside_or_dash};
use super::icons::icon;
use super::layout::{Content, Tab};
use super::state::Pages;
use super::view::View;
use crate::admin::problem::Problem;
use crate::callback::EventId;
use crate::history::{EventPage, EventQuery, EventSource, SCAN_RECORDS_MAX};
use crate::index::IndexError;
use crate::journal::Record;
use crate::moment::Moment;

/// How many events are searched for a text before the page shows how far the search went.
const TEXT_RECORDS_MAX: usize = 10_000;

/// How many events are read at a time in a search for a text.
const TEXT_READ_RECORDS: usize = 500;

/// How many reads a search for a text makes. Each looks at a bounded number of records.
const TEXT_READS_MAX: usize = 20;

/// `GET /events`.
pub(super) async fn show(State(pages): State<Arc<Pages>>, view: View) -> Response<Body> {
    let content = content(&pages, &view).await;
    page(&view, Tab::Events, content)
}

async fn content(pages: &Pages, view: &View) -> Result<Content, Problem> {
    let (filter, mistake) = match EventFilter::of(view) {
        Ok(filter) => (Some(filter), None),
        Err(mistake) => (None, Some(mistake)),
    };
    let id: Option<EventId> = view.choice("event", |text| text.parse().ok());
    let search_for = filter.as_ref().map(|filter| (filter.query.clone(), filter.text.clone()));
    let read = pages.api.query(move |reader| {
        let source = reader.events();
        let chosen = match id {
            Some(id) => source.find(id, SCAN_RECORDS_MAX)?,
            None => None,
        };
        let found = search_for.map(|(query, text)| search(source, query, &text)).transpose()?;
        Ok((found, chosen))
    });
    let head = pages.sources.journal.health().head.0;
    let (found, chosen) = read.await?;
    let head = newest(head, found.as_ref());
    let close = view.link_with(&[("event", None)]);
    let main = html! {
        header.with-state {
            h1 { (view.text("tab-events")) }
            @if let Some(filter) = &filter { div #tail data-part { (tail(view, filter, head)) } }
        }
        (filter_form(view, mistake.as_ref()))
        div.list-and-detail.with-detail[id.is_some()] {
            section.panel aria-label=(view.text("tab-events")) {
                div #events data-part { (list(view, filter.as_ref(), found.as_ref(), mistake.as_ref())) }
            }
            @if let Some(record) = &chosen { (event_detail(view, &pages.sources.receiver.load(), &record.event, &close)) }
            @else if id.is_some() {
                section.panel.detail { p.empty { (view.text("event-gone")) } }
            }
        }
    };
    Ok(Content { title: view.text("tab-events").into_owned(), main })
}

/// Finds a page of events whose lines contain a text, which is in lower case.
fn search(source: EventSource<'_>, mut query: EventQuery, text: &str) -> Result<EventPage, IndexError> {
    if text.is_empty() {
        return source.page(&query);
    }
    let limit = query.limit;
    query.limit = TEXT_READ_RECORDS;
    let mut found: Vec<Record> = Vec::new();
    let mut looked_at = 0;
    for _ in 0..TEXT_READS_MAX {
        let page = source.page(&query)?;
        looked_at += page.records.len();
        for record in page.records {
            if found.len() == limit {
                let place = found.last().map_or(page.place, |last| last.offset);
                return Ok(EventPage { records: found, place, has_more: true });
            }
            if record.event.line().to_lowercase().contains(text) {
                found.push(record);
            }
        }
        query.after = Some(page.place);
        if !page.has_more || looked_at >= TEXT_RECORDS_MAX {
            return Ok(EventPage { records: found, place: page.place, has_more: page.has_more });
        }
    }
    Ok(EventPage { records: found, place: query.after.unwrap_or_default(), has_more: true })
}

/// Returns the offset of the newest record that the page knows. The list can have a record that was stored after `head` was read, and
/// a page that pauses must keep it.
fn newest(head: i64, found: Option<&EventPage>) -> i64 {
    let first = found.and_then(|found| found.records.first());
    first.map_or(head, |record| record.offset.0.max(head))
}

/// Shows whether new events appear by themselves, and how to change that.
fn tail(view: &View, filter: &EventFilter, head: i64) -> Markup {
    let newest = view.link_with(&[("after", None), ("paused", None)]);
    html! {
        @if let Some(paused) = filter.paused {
            span.badge { (icon("ended")) (view.text("events-paused")) }
            a.button href=(newest) data-resume { (view.text("events-resume")) }
            @if head > paused { span.muted { (view.text_with("events-newer", &[("count", (head - paused).into())])) } }
        } @else if filter.is_older {
            a.button href=(newest) { (view.text("events-newest")) }
        } @else {
            span.badge.state-live { (icon("live")) (view.text("events-live")) }
            a.button.second href=(view.link_with(&[("paused", Some(&head.to_string()))])) data-pause { (view.text("events-pause")) }
        }
    }
}

fn list(view: &View, filter: Option<&EventFilter>, found: Option<&EventPage>, mistake: Option<&Mistake>) -> Markup {
    let (Some(filter), Some(found)) = (filter, found.filter(|_| mistake.is_none())) else {
        return html! { p.empty { (view.text("events-mistake")) } };
    };
    html! {
        @if found.records.is_empty() && !found.has_more {
            p.empty { (view.text(if filter.is_older { "events-no-older" } else { "events-none" })) }
        } @else {
            table.rows.events-table {
                thead {
                    tr {
                        th scope="col" { (view.text("column-event")) }
                        th scope="col" { (view.text("column-name")) }
                        th scope="col" { (view.text("event-received")) }
                        th.wide scope="col" { (view.text("column-sequence")) }
                    }
                }
                tbody { @for record in &found.records { (row(view, record)) } }
            }
        }
        nav.paging aria-label=(view.text("paging")) {
            @if filter.is_older { a rel="first" href=(view.link_with(&[("after", None)])) { (view.text("events-newest")) } }
            @if found.has_more {
                @if found.records.len() < EVENTS_MAX { span { (view.text("events-searched")) } }
                a rel="next" href=(view.link_with(&[("after", Some(&found.place.0.to_string()))])) {
                    (view.text("events-older"))
                }
            }
        }
    }
}

fn row(view: &View, record: &Record) -> Markup {
    let event = &record.event;
    let key = event.partition_key();
    let (domain, app_name, stream) = (key.domain(), key.app_name(), key.stream());
    let names = Names { domain: &domain, app_name: &app_name, stream: &stream };
    let id = event.id().to_string();
    let is_chosen = view.parameter("event").as_deref() == Some(id.as_str());
    html! {
        tr data-event=(id) aria-current=[is_chosen.then_some("true")] {
            th scope="row" {
                a href=(view.link_with(&[("event", Some(&id))])) { (event.event_type().to_string()) }
                @if !event.is_verified() {
                    " " span.condition-warning title=(view.text("event-unverified")) {
                        (icon("warning")) span.hidden { (view.text("event-unverified")) }
                    }
                }
            }
            td data-label=(view.text("column-name")) { (names.link()) }
            td data-label=(view.text("event-received")) { (moment(Moment(event.received_ms()))) }
            td.wide data-label=(view.text("column-sequence")) { (outside_or_dash(event.sequence().as_deref())) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callback::testing::event;
    use crate::journal::Offset;

    #[test]
    fn pause_keeps_what_the_list_shows() {
        let page = |offsets: &[i64]| {
            let record = |offset: &i64| Record { offset: Offset(*offset), event: event("push").build() };
            EventPage { records: offsets.iter().map(record).collect(), place: Offset(0), has_more: false }
        };
        for (head, offsets, expected) in [(0, vec![1], 1), (7, vec![5, 3], 7), (4, vec![], 4)] {
            assert_eq!(newest(head, Some(&page(&offsets))), expected);
        }
        assert_eq!(newest(4, None), 4);
    }
}
