//! `/refused`: the newest refusals in words, with the cause that they probably share.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use maud::{Markup, html};

use super::answer::page;
use super::format::{self, duration, moment};
use super::icons::icon;
use super::layout::{Content, Tab};
use super::numbers::count;
use super::refusal_cause::Cause;
use super::refusal_list::{name, refusal_list};
use super::state::Pages;
use super::view::View;
use crate::receiver::{ERRORS, KeptRefusal};

/// How many refusals a page shows.
const REFUSALS_MAX: usize = 25;

/// `GET /refused`.
pub(super) async fn show(State(pages): State<Arc<Pages>>, view: View) -> Response<Body> {
    let refusals = &pages.sources.refusals;
    let all = refusals.page(|_| true, None, usize::MAX);
    let error = view.choice("error", |text| ERRORS.into_iter().find(|word| *word == text));
    let before = view.choice("before", |text| text.parse().ok());
    let is_wanted = |refusal: &KeptRefusal| error.is_none_or(|error| refusal.error == error);
    let mut shown = refusals.page(is_wanted, before, REFUSALS_MAX + 1);
    let has_more = shown.len() > REFUSALS_MAX;
    shown.truncate(REFUSALS_MAX);
    let main = html! {
        h1 { (view.text("tab-refused")) }
        div #refused data-part {
            @if let Some(cause) = Cause::shared_by(all.iter().map(AsRef::as_ref)) { (likely_cause(&view, &pages, cause)) }
            section.panel {
                div.toolbar { (words(&view, &all, error)) }
                @if all.is_empty() {
                    div.empty {
                        p { (icon("good")) " " (view.text("refused-none")) }
                        p { (view.text("refused-since")) " " (moment(refusals.since())) }
                    }
                } @else {
                    (refusal_list(&view, &shown))
                }
                nav.paging aria-label=(view.text("paging")) {
                    @if before.is_some() { a rel="first" href=(view.link_with(&[("before", None)])) { (view.text("first-page")) } }
                    @if let Some(last) = shown.last().filter(|_| has_more) {
                        a rel="next" href=(view.link_with(&[("before", Some(&last.number.to_string()))])) {
                            (view.text("next-page"))
                        }
                    }
                }
            }
        }
    };
    page(&view, Tab::Refused, Ok(Content { title: view.text("tab-refused").into_owned(), main }))
}

/// Shows how many refusals there are of each word. Each leads to these alone.
fn words(view: &View, all: &[Arc<KeptRefusal>], chosen: Option<&str>) -> Markup {
    let mut counts = BTreeMap::new();
    for refusal in all {
        *counts.entry(refusal.error).or_insert(0_i64) += 1;
    }
    html! {
        ul.chips {
            li {
                a href=(view.link_with(&[("error", None), ("before", None)])) aria-current=[chosen.is_none().then_some("true")] {
                    (view.text("refused-all")) " " (format::number(count(all.len())))
                }
            }
            @for (error, number) in counts {
                li {
                    a href=(view.link_with(&[("error", Some(error)), ("before", None)]))
                        aria-current=[(chosen == Some(error)).then_some("true")] {
                        (name(view, error)) " " (format::number(number))
                    }
                }
            }
        }
    }
}

fn likely_cause(view: &View, pages: &Pages, cause: Cause) -> Markup {
    let word = match cause {
        Cause::OtherKey => "likely-other-key",
        Cause::NoKey => "likely-no-key",
        Cause::Clock(_) => "likely-clock",
        Cause::Delay => "likely-delay",
        Cause::Proxy(_) => "likely-proxy",
        Cause::Stranger(_) => "likely-stranger",
        Cause::WrongUrl => "likely-wrong-url",
    };
    let receiver = pages.sources.receiver.load();
    let sentence = match cause {
        Cause::Clock(late_secs) => {
            let late = duration(view.texts, late_secs.saturating_mul(1000));
            view.text_with(word, &[("late", late.into())])
        }
        Cause::Proxy(client) | Cause::Stranger(client) => {
            view.text_with(word, &[("client", client.to_string().into())])
        }
        Cause::WrongUrl => view.text_with(word, &[("path", receiver.path.as_str().into())]),
        Cause::OtherKey | Cause::NoKey | Cause::Delay => view.text(word),
    };
    html! {
        section.likely data-cause=(word) role="status" {
            h2 { (icon("warning")) " " (view.text("likely-cause")) }
            p { (sentence) }
            @if cause == Cause::OtherKey {
                p.copy {
                    (view.text("fingerprints")) " "
                    @for fingerprint in &receiver.fingerprints { code { (fingerprint) } " " }
                }
            }
        }
    }
}
