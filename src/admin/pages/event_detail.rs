//! One event in full: its JSON, and a command that sends it again.

use maud::{Markup, html};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::format::{Names, json, json_escaped, moment, receiver_url};
use super::icons::icon;
use super::view::View;
use crate::admin::ReceiverSummary;
use crate::callback::{Event, EventType};
use crate::moment::Moment;

/// Shows an event next to a list. `close` is the address of the list without it.
pub(super) fn event_detail(view: &View, receiver: &ReceiverSummary, event: &Event, close: &str) -> Markup {
    let key = event.partition_key();
    let (domain, app_name, stream) = (key.domain(), key.app_name(), key.stream());
    let names = Names { domain: &domain, app_name: &app_name, stream: &stream };
    let id = event.id().to_string();
    html! {
        section #event.panel.detail data-detail=(id) aria-labelledby="event-title" {
            div.toolbar {
                h2 #event-title { (event.event_type().to_string()) }
                a.quiet href=(close) { (view.text("close")) }
            }
            dl.facts {
                div { dt { (view.text("column-name")) } dd { (names.link()) } }
                div { dt { (view.text("event-received")) } dd { (moment(Moment(event.received_ms()))) } }
                div { dt { (view.text("event-happened")) } dd { (moment(Moment(event.id().time_ms()))) } }
                div {
                    dt { (view.text("event-signature")) }
                    dd {
                        @if event.is_verified() { span.condition-good { (icon("good")) (view.text("event-verified")) } }
                        @else { span.condition-warning { (icon("warning")) (view.text("event-unverified")) } }
                    }
                }
                div { dt { (view.text("event-id")) } dd { code { (id) } } }
            }
            div.copies {
                (copy(view, "event-json", "JSON"))
                pre tabindex="0" aria-label="JSON" { code #event-json { (json(event.line())) } }
                @if let Some(command) = curl(event, receiver) {
                    (copy(view, "event-curl", "curl"))
                    p.muted { (view.text("event-curl-help")) }
                    pre tabindex="0" aria-label="curl" { code #event-curl { (command) } }
                }
            }
        }
    }
}

/// The heading of a text, with a button that copies it. Only the script can copy, so it shows the button.
fn copy(view: &View, id: &str, name: &str) -> Markup {
    html! {
        div.toolbar {
            h3 { (name) }
            button.second type="button" data-copy=(id) data-copied=(view.text("copied")) hidden { (view.text("copy")) }
        }
    }
}

/// Returns a command that sends the callback of an event again. `None` for an event that livehook has made itself.
///
/// livehook stores no signature, so the command makes one. The key is a placeholder.
fn curl(event: &Event, receiver: &ReceiverSummary) -> Option<String> {
    #[derive(Deserialize)]
    struct Line<'a> {
        #[serde(borrow)]
        data: &'a RawValue,
    }
    if event.event_type() == EventType::SessionEnded {
        return None;
    }
    let line: Line<'_> = serde_json::from_str(event.line()).ok()?;
    // The body is one line, so none can end the shell's text early.
    let (body, url) = (json_escaped(line.data.get()), receiver_url(receiver));
    Some(format!("livehook sign --key CALLBACK_KEY <<'BODY' | curl --data-binary @- {url}\n{body}\nBODY\n"))
}
