//! The dead letters of sinks that are no longer configured. They stay until someone drops them, or configures the sink again.

use maud::{Markup, html};

use super::dead_letters::{self, Owner, Wanted};
use super::event_detail::event_detail;
use super::format::{outside, sink_address};
use super::icons::icon;
use super::layout::Content;
use super::numbers::count;
use super::state::Pages;
use super::view::View;
use crate::admin::problem::Problem;

/// Returns the sinks that have dead letters and are not configured, each with the number of its dead letters.
pub(super) async fn absent_sinks(pages: &Pages) -> Result<Vec<(String, i64)>, Problem> {
    let configured: Vec<String> = pages.sources.sinks.all().iter().map(|status| status.sink.clone()).collect();
    pages.api.query(move |reader| Ok(reader.journal.dead_letters_of_others(&configured)?)).await
}

/// Lists such sinks; empty if there is none.
pub(super) fn list(view: &View, absent: &[(String, i64)]) -> Markup {
    html! {
        @if !absent.is_empty() {
            section.panel aria-labelledby="absent-title" {
                div.toolbar { h2 #absent-title { (view.text("absent-sinks")) } }
                p { (view.text("absent-sinks-help")) }
                ul {
                    @for (name, dead_letters) in absent {
                        li data-sink=(name) {
                            a href=(sink_address(name)) { (outside(name)) } " "
                            span.muted { (view.text_with("absent-sink-count", &[("count", count(*dead_letters).into())])) }
                        }
                    }
                }
            }
        }
    }
}

/// The page of such a sink.
pub(super) async fn absent_sink(pages: &Pages, view: &View, name: &str) -> Result<Content, Problem> {
    let found = absent_sinks(pages).await?.into_iter().find(|(absent, _)| absent == name);
    let (_, dead_letters) = found.ok_or_else(|| Problem::not_found("no sink has this name"))?;
    let owner = Owner { sink: name, is_configured: false, count: dead_letters };
    let wanted = Wanted::of(view, name);
    let after = wanted.after;
    let (page, chosen) = pages.api.query(move |reader| Ok(wanted.read(&reader.journal)?)).await?;
    let main = html! {
        header.story {
            p.muted { a href="/sinks" { (view.text("tab-sinks")) } }
            h1 data-sink=(name) { (outside(name)) }
        }
        section.why {
            p.condition-warning { (icon("warning")) " " (view.text("absent-sink")) }
            p { (view.text("absent-sinks-help")) }
        }
        @if let Some(dead_letter) = &chosen {
            (event_detail(view, &pages.sources.receiver.load(), &dead_letter.event, &view.link_with(&[("dead_letter", None)])))
        }
        section.panel aria-labelledby="dead-letters-title" {
            div.toolbar {
                h2 #dead-letters-title { (view.text("sink-dead-letters")) }
                (dead_letters::actions_on_all(view, owner))
            }
            div #dead-letters { (dead_letters::table(view, owner, &page, after)) }
        }
    };
    Ok(Content { title: name.to_owned(), main })
}
