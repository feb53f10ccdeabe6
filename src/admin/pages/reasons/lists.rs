//! The most frequent reasons, and the streams and nodes with the most interruptions.

use maud::{Markup, html};

use super::change::change;
use crate::admin::pages::format::{Names, category, number, outside};
use crate::admin::pages::numbers::count;
use crate::admin::pages::timeline::{Kind, percent};
use crate::admin::pages::view::View;
use crate::admin::pages::window::Window;
use crate::callback::{Reason, ReasonCategory};
use crate::index::StopCounts;

/// How many reasons the page shows.
const REASONS_MAX: usize = 12;

/// Shows the most frequent reasons: how often, what each means, who should act and what to do.
pub(super) fn reasons(view: &View, window: Window, now: &StopCounts, before: &StopCounts) -> Markup {
    let total = now.ends.len().max(1);
    let key = |reason: &Reason| (reason.errcode, reason.sub, reason.category);
    let count_before = |reason: &Reason| {
        before.reasons.iter().find(|(other, _)| key(other) == key(reason)).map_or(0, |(_, count)| *count)
    };
    // Counts of a part can't be compared.
    let is_comparable = !now.is_cut && !before.is_cut;
    html! {
        ol.reasons {
            @for (reason, times) in now.reasons.iter().take(REASONS_MAX) {
                @let code = reason.errcode.map(|errcode| errcode.to_string());
                @let filter = [("reason", Some(reason.category.label())), ("code", code.as_deref())];
                li data-reason=(reason.category.label()) data-code=[&code] {
                    div.often {
                        strong { (number(count(*times))) }
                        (share(Kind::Ended(reason.category), *times, total))
                        span.muted { (view.text_with("share-of-stops", &[("percent", count(*times * 100 / total).into())])) }
                        @if is_comparable { (change(view, count(*times), count(count_before(reason)))) }
                    }
                    div.meant {
                        p {
                            (category(view, reason.category)) " "
                            strong { (view.meaning(reason)) }
                            @if let Some(code) = &code {
                                " " code { "errcode " (code) @if let Some(sub) = reason.sub { "-" (sub) } }
                            }
                            @if reason.is_hint { " " span.muted { (view.text("reason-guess")) } }
                        }
                        dl {
                            div { dt { (view.text("who-acts")) } dd { (view.actor(reason)) } }
                            div { dt { (view.text("what-to-do")) } dd { (view.advice(reason)) } }
                        }
                        p { a href=(window.link_to("/timeline", view, &filter)) { (view.text("show-streams")) } }
                    }
                }
            }
        }
    }
}

/// Shows the streams with the most interruptions.
pub(super) fn streams(view: &View, window: Window, counts: &StopCounts) -> Markup {
    let most = counts.streams.first().map_or(1, |(_, count)| *count);
    html! {
        @if counts.streams.is_empty() { p.empty { (view.text("no-interruptions")) } }
        ol.ranks {
            @for (stream, times) in &counts.streams {
                @let names = Names { domain: &stream.domain, app_name: &stream.app_name, stream: &stream.stream };
                li data-stream=(names.joined()) {
                    (names.link())
                    (share(Kind::Ended(ReasonCategory::Network), *times, most))
                    a.end href=(window.link_to("/timeline", view, &[("stream", Some(&names.joined()))])) aria-label=(shown(view, *times)) {
                        (number(count(*times)))
                    }
                }
            }
        }
    }
}

/// Shows the nodes with the most interruptions.
pub(super) fn nodes(view: &View, window: Window, counts: &StopCounts) -> Markup {
    let most = counts.nodes.first().map_or(1, |(_, count)| *count);
    html! {
        @if counts.nodes.is_empty() { p.empty { (view.text("no-interruptions")) } }
        ol.ranks {
            @for (node, times) in &counts.nodes {
                li data-node=(node) {
                    span { (outside(node)) }
                    (share(Kind::Ended(ReasonCategory::Network), *times, most))
                    a.end href=(window.link_to("/timeline", view, &[("node", Some(node))])) aria-label=(shown(view, *times)) {
                        (number(count(*times)))
                    }
                }
            }
        }
    }
}

fn shown(view: &View, times: usize) -> String {
    view.text_with("interruptions-shown", &[("count", count(times).into())]).into_owned()
}

/// Draws a share of a whole as a bar.
fn share(kind: Kind, part: usize, whole: usize) -> Markup {
    let width = percent(count(part) * 10_000 / count(whole).max(1));
    html! {
        svg class={ "share kind-" (kind.word()) } height="6" aria-hidden="true" {
            rect.whole width="100%" height="6" rx="3" {}
            rect width=(width) height="6" rx="3" {}
        }
    }
}
