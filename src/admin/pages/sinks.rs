//! `/sinks`: every sink, with its state and how far it is behind.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use maud::html;

use super::answer::page;
use super::format::outside;
use super::layout::{Content, Tab};
use super::sink_view::SinkView;
use super::state::Pages;
use super::view::View;

/// `GET /sinks`.
pub(super) async fn show(State(pages): State<Arc<Pages>>, view: View) -> Response<Body> {
    let sinks = SinkView::all(&pages);
    let main = html! {
        h1 { (view.text("tab-sinks")) }
        div #sinks data-part {
            @if sinks.is_empty() { section.panel { p.empty { (view.text("sinks-none")) } } }
            @for sink in &sinks {
                section.panel.sink data-sink=(sink.status.sink) {
                    div.toolbar {
                        h2 { a href=(sink.address()) { (outside(&sink.status.sink)) } " " small { (sink.status.type_name) } }
                        (sink.badge(&view))
                    }
                    div.overview {
                        div {
                            p { (sink.words(&view)) }
                            (sink.facts(&view))
                        }
                        (sink.records_chart(&view))
                    }
                }
            }
        }
    };
    page(&view, Tab::Sinks, Ok(Content { title: view.text("tab-sinks").into_owned(), main }))
}
