//! A list of refusals in words, each with its cure. The page of the set-up and the page of refusals show it.

use std::sync::Arc;

use maud::{Markup, html};

use super::format::{ago, json, moment, outside};
use super::icons::icon;
use super::view::View;
use crate::receiver::KeptRefusal;

/// Shows refusals, the newest first.
pub(super) fn refusal_list(view: &View, refusals: &[Arc<KeptRefusal>]) -> Markup {
    html! {
        ul.refusals {
            @for refusal in refusals {
                li data-refusal=(refusal.error) {
                    (icon("bad"))
                    strong { (name(view, refusal.error)) }
                    span.muted {
                        (moment(refusal.received)) " · " (ago(view, refusal.received.0)) " · " (refusal.client)
                        @if let Some(event_type) = refusal.event_type() { " · " (outside(event_type)) }
                    }
                    p { (view.text(&text_id(refusal.error, "-cure"))) }
                    p.muted lang="en" { (outside(refusal.message())) }
                    @if let Some(members) = refusal.members() {
                        details {
                            summary { (view.text("refusal-members")) }
                            pre tabindex="0" { code { (json(members)) } }
                        }
                    }
                }
            }
        }
    }
}

/// Returns the name of an error word.
pub(super) fn name(view: &View, error: &str) -> Markup {
    html! { (view.text(&text_id(error, ""))) }
}

fn text_id(error: &str, part: &str) -> String {
    format!("refusal-{}{part}", error.replace('_', "-"))
}
