//! The replays of a sink, with their progress.

use maud::{Markup, html};

use super::format::{moment, outside};
use super::icons::icon;
use super::sink_view::SinkView;
use super::view::View;
use crate::delivery::ReplaySelection;
use crate::journal::Replay;
use crate::moment::Moment;

/// Shows the replays that belong to a sink, the newest first.
pub(super) fn table(view: &View, sink: &SinkView, replays: &[Replay]) -> Markup {
    let mut own = replays.iter().filter(|replay| replay.order.sink == sink.status.sink).peekable();
    if own.peek().is_none() {
        return html! { p.empty { (view.text("replays-none")) } };
    }
    html! {
        table.rows {
            thead {
                tr {
                    th scope="col" { (view.text("column-state")) }
                    th scope="col" { (view.text("column-started")) }
                    th scope="col" { (view.text("column-selection")) }
                    th scope="col" { (view.text("column-progress")) }
                    th scope="col" { span.hidden { (view.text("column-actions")) } }
                }
            }
            tbody { @for replay in own { (row(view, sink, replay)) } }
        }
    }
}

fn row(view: &View, sink: &SinkView, replay: &Replay) -> Markup {
    let (state, shape) = match (replay.ended_at_ms, replay.is_cancelled) {
        (None, _) => ("replay-running", "live"),
        (Some(_), true) => ("replay-cancelled", "ended"),
        (Some(_), false) => ("replay-done", "good"),
    };
    let label = |word: &str| view.text(&format!("column-{word}"));
    html! {
        tr data-replay=(replay.number) {
            th scope="row" {
                span class={ "badge state-" (shape) } { (icon(shape)) (view.text(state)) } " " small { "#" (replay.number) }
            }
            td data-label=(label("started")) { (moment(Moment(replay.created_at_ms))) }
            td data-label=(label("selection")) { (selection(view, &replay.order.selection)) }
            td data-label=(label("progress")) { (progress(view, replay)) }
            td.end {
                @if view.has_token && replay.ended_at_ms.is_none() {
                    a href={ (sink.address()) "/cancel-replay?replay=" (replay.number) } { (view.text("replay-cancel")) }
                }
            }
        }
    }
}

/// Shows which events a replay sends. A selection of another version may be unreadable.
fn selection(view: &View, stored: &str) -> Markup {
    let ReplaySelection { since_ms, until_ms, types, domains, streams } =
        serde_json::from_str(stored).unwrap_or_default();
    let words: Vec<&String> = types.iter().chain(&domains).chain(&streams).collect();
    html! {
        @if words.is_empty() { (view.text("replay-all-events")) }
        @for (position, word) in words.into_iter().enumerate() { @if position > 0 { " · " } (outside(word)) }
        @if let Some(since_ms) = since_ms { " ≥ " (moment(Moment(since_ms))) }
        @if let Some(until_ms) = until_ms { " < " (moment(Moment(until_ms))) }
    }
}

fn progress(view: &View, replay: &Replay) -> Markup {
    let sent = replay.done.saturating_add(replay.failed);
    html! {
        @if let Some(counted) = replay.order.counted {
            progress max=(counted.max(1)) value=(sent.min(counted)) aria-label=(view.text("column-progress")) {}
            " " (view.text_with("replay-progress", &[("sent", sent.into()), ("counted", counted.into())]))
        } @else {
            (view.text_with("replay-sent", &[("sent", sent.into())]))
        }
        @if replay.failed > 0 {
            " · " span.condition-warning { (icon("warning")) (view.text_with("replay-rejected", &[("count", replay.failed.into())])) }
        }
        @if let Some(reason) = &replay.last_reason { p.muted { (outside(reason)) } }
    }
}
