//! The marks of the time line: times along its top, a line at each, and the line of now.

use maud::{Markup, html};

use super::scale::{Scale, percent};
use crate::admin::pages::view::View;

/// A mark before this place has a label, in hundredths of a percent.
const LABELED_MAX: i64 = 9600;

/// Draws the times along the top, in the viewer's zone. The distance from UTC is the one of now, so the script corrects the labels
/// on the other side of a change of the clocks.
pub(in crate::admin::pages) fn axis(view: &View, scale: Scale) -> Markup {
    let ahead_ms = view.zone.ahead_ms();
    let label = |mark_ms: i64| {
        let is_midnight = (mark_ms + ahead_ms).rem_euclid(86_400_000) == 0;
        if is_midnight { view.zone.day(mark_ms) } else { view.zone.minute(mark_ms) }
    };
    html! {
        svg.axis height="24" aria-hidden="true" {
            // The label of a mark at the right edge would not fit.
            @for mark_ms in scale.marks(ahead_ms).filter(|mark_ms| scale.place(*mark_ms) < LABELED_MAX) {
                text x=(percent(scale.place(mark_ms))) y="16" dx="4" data-ms=(mark_ms) { (label(mark_ms)) }
            }
        }
    }
}

/// Draws a line for each mark, and one for now.
pub(in crate::admin::pages) fn grid(view: &View, scale: Scale) -> Markup {
    html! {
        svg.grid aria-hidden="true" {
            @for mark_ms in scale.marks(view.zone.ahead_ms()) {
                @let place = percent(scale.place(mark_ms));
                line x1=(place) x2=(place) y1="0" y2="100%" {}
            }
            @if scale.contains(view.now_ms) {
                @let place = percent(scale.place(view.now_ms));
                line.now x1=(place) x2=(place) y1="0" y2="100%" {}
            }
        }
    }
}
