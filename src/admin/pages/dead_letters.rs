//! The dead letters of a sink, with the requests to redrive or drop them.

use maud::{Markup, html};

use super::format::{self, Names, moment, outside, sink_address};
use super::view::View;
use crate::journal::{DeadLetter, DeadLetterPage, DeadLetterSelection, JournalError, Reader};
use crate::moment::Moment;

/// How many dead letters a page shows.
const DEAD_LETTERS_MAX: usize = 25;

/// The dead letters of a sink that the address of its page asks for.
pub(super) struct Wanted {
    selection: DeadLetterSelection,
    /// The number after which the list begins; 0 on the first page.
    pub(super) after: i64,
    /// The number of the dead letter that is shown as a whole.
    chosen: Option<i64>,
}

impl Wanted {
    /// Reads the address.
    pub(super) fn of(view: &View, sink: &str) -> Wanted {
        Wanted {
            selection: DeadLetterSelection { sink: Some(sink.to_owned()), ..DeadLetterSelection::default() },
            after: view.choice("after", |text| text.parse().ok()).unwrap_or(0),
            chosen: view.choice("dead_letter", |text| text.parse().ok()),
        }
    }

    /// Reads the list, and the chosen dead letter if the sink has it.
    ///
    /// # Errors
    /// The journal can't be read.
    pub(super) fn read(&self, journal: &Reader) -> Result<(DeadLetterPage, Option<DeadLetter>), JournalError> {
        let chosen = match self.chosen {
            Some(number) => journal.dead_letter(number)?,
            None => None,
        };
        let chosen = chosen.filter(|dead_letter| Some(&dead_letter.sink) == self.selection.sink.as_ref());
        Ok((journal.dead_letters(&self.selection, self.after, DEAD_LETTERS_MAX)?, chosen))
    }
}

/// The sink that has the dead letters.
#[derive(Clone, Copy)]
pub(super) struct Owner<'a> {
    pub(super) sink: &'a str,
    /// Whether it's configured. Otherwise its dead letters can only be dropped.
    pub(super) is_configured: bool,
    /// How many dead letters it has.
    pub(super) count: i64,
}

/// Shows the requests for all dead letters of a sink.
pub(super) fn actions_on_all(view: &View, owner: Owner<'_>) -> Markup {
    let address = sink_address(owner.sink);
    html! {
        @if view.has_token && owner.count > 0 {
            p.actions {
                @if owner.is_configured { a.button href={ (address) "/redrive" } { (view.text("dead-letters-redrive-all")) } }
                a.button.second href={ (address) "/drop" } { (view.text("dead-letters-drop-all")) }
            }
        }
    }
}

/// Shows a page of dead letters. `after` is the number after which it begins; 0 on the first page.
pub(super) fn table(view: &View, owner: Owner<'_>, page: &DeadLetterPage, after: i64) -> Markup {
    if page.dead_letters.is_empty() && after == 0 && page.next.is_none() {
        return html! { p.empty { (view.text("dead-letters-none")) } };
    }
    html! {
        table.rows {
            thead {
                tr {
                    th scope="col" { (view.text("column-event")) }
                    th scope="col" { (view.text("column-name")) }
                    th scope="col" { (view.text("column-failed")) }
                    th.end scope="col" { (view.text("column-attempts")) }
                    th scope="col" { (view.text("column-reason")) }
                    th scope="col" { span.hidden { (view.text("column-actions")) } }
                }
            }
            tbody { @for dead_letter in &page.dead_letters { (row(view, owner, dead_letter)) } }
        }
        nav.paging aria-label=(view.text("paging")) {
            @if after > 0 { a rel="first" href=(view.link_with(&[("after", None)])) { (view.text("first-page")) } }
            @if let Some(next) = page.next {
                a rel="next" href=(view.link_with(&[("after", Some(&next.to_string()))])) { (view.text("next-page")) }
            }
        }
    }
}

fn row(view: &View, owner: Owner<'_>, dead_letter: &DeadLetter) -> Markup {
    let event = &dead_letter.event;
    let key = event.partition_key();
    let (domain, app_name, stream) = (key.domain(), key.app_name(), key.stream());
    let names = Names { domain: &domain, app_name: &app_name, stream: &stream };
    let number = dead_letter.number.to_string();
    let label = |word: &str| view.text(&format!("column-{word}"));
    let action = |word: &str| format!("{}/{word}?dead_letter={number}", sink_address(owner.sink));
    html! {
        tr data-dead-letter=(number) data-event=(event.id()) {
            th scope="row" {
                a href=(view.link_with(&[("dead_letter", Some(&number))])) { (event.event_type().to_string()) }
                " " small { "#" (number) }
            }
            td data-label=(label("name")) { (names.link()) }
            td data-label=(label("failed")) { (moment(Moment(dead_letter.failed_at_ms))) }
            td.end data-label=(label("attempts")) { (format::number(dead_letter.attempts.into())) }
            td.reason data-label=(label("reason")) {
                @if dead_letter.redriven_at_ms.is_some() { span.badge { (view.text("dead-letter-waits")) } " " }
                (outside(&dead_letter.failure))
            }
            td.end {
                @if view.has_token {
                    p.actions {
                        @if owner.is_configured { a href=(action("redrive")) { (view.text("dead-letter-redrive")) } }
                        a href=(action("drop")) { (view.text("dead-letter-drop")) }
                    }
                }
            }
        }
    }
}
