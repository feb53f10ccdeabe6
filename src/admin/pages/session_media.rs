//! The recordings and screenshots of a session: links to them, which the page never loads.

use maud::{Markup, html};

use super::format::{moment, outside};
use super::icons::icon;
use super::view::View;
use crate::callback::{EventType, media_url};
use crate::journal::Record;
use crate::moment::Moment;

/// Shows links to the files that the events name.
pub(super) fn media(view: &View, records: &[Record]) -> Markup {
    let files: Vec<_> =
        records.iter().filter_map(|record| media_url(&record.event).map(|url| (&record.event, url))).collect();
    html! {
        @if !files.is_empty() {
            section.panel aria-labelledby="media-title" {
                div.toolbar { h2 #media-title { (view.text("media")) } }
                ul.media {
                    @for (event, url) in files {
                        @let is_recording = event.event_type() == EventType::Recording;
                        li {
                            span { (view.text(if is_recording { "recording" } else { "screenshot" })) }
                            (moment(Moment(event.id().time_ms())))
                            a href=(url) rel="noreferrer noopener" target="_blank" { (outside(&url)) (icon("external")) }
                        }
                    }
                }
            }
        }
    }
}
