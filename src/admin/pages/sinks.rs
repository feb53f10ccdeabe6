//! `/sinks`: every sink, with its state and how far it is behind.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use maud::html;

use super::absent_sink::{absent_sinks, list};
use super::answer::page;
use super::done::done;
use super::format::outside;
use super::layout::{Content, Tab};
use super::sink_view::SinkView;
use super::state::Pages;
use super::view::View;
use crate::admin::problem::Problem;

/// `GET /sinks`.
pub(super) async fn show(State(pages): State<Arc<Pages>>, view: View) -> Response<Body> {
    let content = content(&pages, &view).await;
    page(&view, Tab::Sinks, content)
}

async fn content(pages: &Pages, view: &View) -> Result<Content, Problem> {
    let absent = absent_sinks(pages).await?;
    let sinks = SinkView::all(pages);
    let main = html! {
        (done(view))
        h1 { (view.text("tab-sinks")) }
        div #sinks data-part {
            @if sinks.is_empty() { section.panel { p.empty { (view.text("sinks-none")) } } }
            @for sink in &sinks {
                section.panel.sink data-sink=(sink.status.sink) {
                    div.toolbar {
                        h2 { a href=(sink.address()) { (outside(&sink.status.sink)) } " " small { (sink.status.type_name) } }
                        (sink.badge(view))
                    }
                    div.overview {
                        div {
                            p { (sink.words(view)) }
                            (sink.facts(view))
                        }
                        (sink.records_chart(view))
                    }
                }
            }
        }
        div #absent-sinks data-part { (list(view, &absent)) }
    };
    Ok(Content { title: view.text("tab-sinks").into_owned(), main })
}
