//! One lane with its axis and its legend, for the pages of one stream and of one session.

use std::collections::HashSet;

use maud::{Markup, html};

use super::axis::{axis, grid};
use super::kinds::{Kind, patterns};
use super::lane::Drawing;
use super::legend::legend;
use super::scale::Scale;
use crate::admin::pages::view::View;
use crate::index::LanePage;
use crate::session::SessionId;

/// Draws the lanes of a page, usually one, over a time. The bar of the current session stands out.
pub(in crate::admin::pages) fn single(
    view: &View,
    (from_ms, until_ms): (i64, i64),
    page: &LanePage,
    current: Option<&SessionId>,
) -> Markup {
    let scale = Scale::new(from_ms, until_ms);
    let drawing = Drawing { current, ..Drawing::fitting(view, scale, page) };
    let shown: HashSet<Kind> = page.lanes.iter().flat_map(|lane| lane.sessions.iter().map(Kind::of)).collect();
    html! {
        (patterns())
        div.lanes.single {
            div.lanes-top aria-hidden="true" { (axis(view, scale)) }
            div.lanes-area {
                div.lanes-grid aria-hidden="true" { (grid(view, scale)) }
                @for lane in &page.lanes { div.lane { (drawing.lane(lane)) } }
            }
        }
        div.lanes-foot { (legend(view, Kind::all().filter(|kind| shown.contains(kind)))) }
    }
}
