//! The chart of stops over time: stacked bars, a color, a pattern and a name for each category.

use maud::{Markup, html};

use super::ends::{Bin, Ends};
use crate::admin::pages::numbers::grouped;
use crate::admin::pages::timeline::{Kind, Scale, axis, legend, patterns, percent};
use crate::admin::pages::view::View;
use crate::admin::pages::window::Window;
use crate::callback::ReasonCategory;

/// The height of the highest bar, and the space above it, in pixels.
const HEIGHT: i64 = 160;
const ABOVE: i64 = 20;

/// Draws the stops over time.
pub(super) fn chart(view: &View, window: Window, ends: &Ends) -> Markup {
    let bins = ends.bins(window, view.zone.ahead_ms());
    let most = bins.iter().map(Bin::total).max().unwrap_or(0).max(1);
    let (first, last) = (bins.first().map_or(0, |bin| bin.from_ms), bins.last().map_or(0, |bin| bin.until_ms));
    let scale = Scale::new(first, last);
    html! {
        (patterns())
        div.chart {
            svg.stops height=(HEIGHT + ABOVE) {
                line x1="0" x2="100%" y1=(ABOVE) y2=(ABOVE) {}
                line x1="0" x2="100%" y1=(ABOVE + HEIGHT / 2) y2=(ABOVE + HEIGHT / 2) {}
                text x="0" y=(ABOVE - 6) { (grouped(most)) }
                @for bin in &bins { (stack(view, scale, bin, most)) }
            }
            (axis(view, scale))
        }
        (legend(view, ends.categories().map(Kind::Ended)))
    }
}

/// Draws a bar. It leads to the streams of its time.
fn stack(view: &View, scale: Scale, bin: &Bin, most: i64) -> Markup {
    let (start, end) = (scale.place(bin.from_ms), scale.place(bin.until_ms));
    // A gap between bars, of a fifth of their width.
    let gap = (end - start) / 10;
    let counted = || ReasonCategory::ALL.into_iter().zip(bin.counts).filter(|(_, count)| *count > 0);
    let mut words =
        format!("{} {}: {}", view.zone.day(bin.from_ms), view.zone.minute(bin.from_ms), grouped(bin.total()));
    for (category, count) in counted() {
        words.push_str(&format!("\n{} {}", Kind::Ended(category).name(view), grouped(count)));
    }
    let mut top = HEIGHT + ABOVE;
    let link = Window { from_ms: bin.from_ms, until_ms: bin.until_ms, span: None }.link_to("/timeline", view, &[]);
    html! {
        @if bin.total() > 0 {
            a.bin href=(link) aria-label=(words) data-tip {
                title { (words) }
                @for (category, count) in counted() {
                    // A count that is not 0 is never invisible.
                    @let height = (count * HEIGHT / most).max(2);
                    @let y = { top -= height; top };
                    rect x=(percent(start + gap)) y=(y) width=(percent(end - start - 2 * gap)) height=(height)
                        fill=(Kind::Ended(category).fill()) {}
                }
            }
        }
    }
}
