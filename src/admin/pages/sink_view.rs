//! One sink as both pages about sinks show it: its state in words and numbers, and how far it was behind.

use std::sync::Arc;

use maud::{Markup, html};

use super::format::{self, ago, dash, duration, moment, outside, sink_address};
use super::icons::icon;
use super::lag_chart::{age_chart, records_chart};
use super::state::Pages;
use super::status::{Condition, sink_condition};
use super::view::View;
use crate::admin::lag_history::LagSample;
use crate::admin::sources::lag;
use crate::delivery::{Status, StatusView};
use crate::moment::Moment;

/// One sink at the moment of the page.
pub(super) struct SinkView {
    pub(super) status: Arc<Status>,
    pub(super) state: StatusView,
    /// How many records it is behind the journal's head.
    records: i64,
    samples: Vec<LagSample>,
}

impl SinkView {
    /// Returns every sink, in the order of the configuration.
    pub(super) fn all(pages: &Pages) -> Vec<SinkView> {
        let head = pages.sources.journal.health().head.0;
        let sinks = pages.sources.sinks.all();
        let sinks = sinks.iter().map(|status| {
            let state = status.view();
            let records = lag(head, state.cursor);
            let samples = pages.lag_history.samples(&pages.sources, status);
            SinkView { status: Arc::clone(status), state, records, samples }
        });
        sinks.collect()
    }

    /// Returns the address of its page.
    pub(super) fn address(&self) -> String {
        sink_address(&self.status.sink)
    }

    /// Shows its state by a shape and a word.
    pub(super) fn badge(&self, view: &View) -> Markup {
        let word = self.condition(view).0.word();
        html! {
            span class={ "badge condition-" (word) } data-condition=(word) {
                (icon(word)) (view.text(&format!("condition-{word}")))
            }
        }
    }

    /// Says how it does, in a sentence.
    pub(super) fn words(&self, view: &View) -> Markup {
        self.condition(view).1
    }

    fn condition(&self, view: &View) -> (Condition, Markup) {
        sink_condition(view, &self.state, self.records)
    }

    /// Shows its numbers.
    pub(super) fn facts(&self, view: &View) -> Markup {
        let state = &self.state;
        html! {
            dl.facts {
                div { dt { (view.text("sink-behind")) } dd { (format::number(self.records)) } }
                div {
                    dt { (view.text("sink-oldest")) }
                    dd {
                        @match state.oldest_pending_ms {
                            Some(received_ms) => { (ago(view, received_ms)) }
                            None => { (dash()) }
                        }
                    }
                }
                div {
                    dt { (view.text("sink-catch-up")) }
                    dd {
                        @match state.catch_up_secs {
                            Some(secs) => { (duration(view.texts, secs.saturating_mul(1000))) }
                            None => { (dash()) }
                        }
                    }
                }
                div { dt { (view.text("sink-last-delivery")) } dd { (self.moment_or_never(view, state.last_delivered_ms)) } }
                div {
                    dt { (view.text("sink-last-failure")) }
                    dd { (self.moment_or_never(view, state.last_failure.as_ref().map(|failure| failure.failed_ms))) }
                }
                div {
                    dt { (view.text("sink-dead-letters")) }
                    dd {
                        a href={ (self.address()) "#dead-letters-title" } { (format::number(state.dead_letters)) }
                    }
                }
            }
        }
    }

    fn moment_or_never(&self, view: &View, moment_ms: Option<i64>) -> Markup {
        html! {
            @match moment_ms {
                Some(moment_ms) => { (moment(Moment(moment_ms))) " " span.muted { (ago(view, moment_ms)) } }
                None => { span.muted { (view.text("sink-never")) } }
            }
        }
    }

    /// Shows why it failed last, if it works again.
    pub(super) fn past_failure(&self, view: &View) -> Markup {
        html! {
            @if let Some(failure) = self.state.last_failure.as_ref().filter(|_| self.state.last_error.is_none()) {
                p.muted { (view.text("sink-last-failure")) ": " (outside(&failure.reason)) }
            }
        }
    }

    /// Draws how far it was behind.
    pub(super) fn records_chart(&self, view: &View) -> Markup {
        records_chart(view, &self.samples)
    }

    /// Draws how long its oldest pending event had waited.
    pub(super) fn age_chart(&self, view: &View) -> Markup {
        age_chart(view, &self.samples)
    }
}
