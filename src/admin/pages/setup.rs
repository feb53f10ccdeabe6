//! The page of the set-up, which `/` is until the first event: what to enter in the console of CSS, and what has arrived so far.

use std::sync::Arc;

use maud::{Markup, html};

use super::format::receiver_url;
use super::icons::icon;
use super::layout::Content;
use super::refusal_list::refusal_list;
use super::state::Pages;
use super::status::health;
use super::view::View;
use crate::admin::ReceiverSummary;
use crate::receiver::KeptRefusal;

/// How many refusals the page shows.
const REFUSALS_MAX: usize = 5;

/// Returns the page.
pub(super) fn content(view: &View, pages: &Pages) -> Content {
    let receiver = pages.sources.receiver.load();
    let fingerprints = &receiver.fingerprints;
    let refusals = pages.sources.refusals.page(|_| true, None, REFUSALS_MAX);
    let main = html! {
        div.setup {
            h1 { (view.text("setup-title")) }
            p { (view.text("setup-intro")) }
            ol {
                li {
                    h2 { (view.text("setup-url")) }
                    p { (view.text("setup-url-help")) }
                    p.copy { code data-copies { "https://<" (view.text("setup-host")) ">" (receiver.path) } }
                    p.muted { (view.text_with("setup-listens", &[("address", receiver.listen.to_string().into())])) }
                }
                li {
                    h2 { (view.text("setup-key")) }
                    p { (view.text("setup-key-help")) }
                    @for fingerprint in fingerprints { p.copy { code { (fingerprint) } } }
                    @if fingerprints.is_empty() { p.condition-warning { (icon("warning")) (view.text("setup-no-key")) } }
                }
                li {
                    h2 { (view.text("setup-events")) }
                    p { (view.text("setup-events-help")) }
                }
                li {
                    h2 { (view.text("setup-test")) }
                    p { (view.text("setup-test-help")) }
                    p.copy { code data-copies { (sample_command(&receiver)) } }
                }
            }
            section #arrived data-part data-urgent aria-live="polite" {
                h2 { (view.text("setup-arrived")) }
                (arrived(view, &refusals))
            }
            section #health data-part aria-label=(view.text("health")) { (health(view, &pages.sources)) }
        }
    };
    Content { title: view.text("setup-title").into_owned(), main }
}

/// The command that sends a sample, as the log at start shows it.
fn sample_command(receiver: &ReceiverSummary) -> String {
    format!("livehook send --key KEY --url {}", receiver_url(receiver))
}

fn arrived(view: &View, refusals: &[Arc<KeptRefusal>]) -> Markup {
    html! {
        @if refusals.is_empty() {
            p.waiting { (view.text("setup-nothing-arrived")) }
        } @else {
            (refusal_list(view, refusals))
        }
    }
}
