//! What a form has changed, on the page to which it has led.

use maud::{Markup, html};

use super::icons::icon;
use super::view::View;

/// Says what the form has changed that has led here.
pub(super) fn done(view: &View) -> Markup {
    let changed: i64 = view.choice("count", |text| text.parse().ok()).unwrap_or(0);
    let text = match view.parameter("done").as_deref() {
        Some("redrive") => "done-redrive",
        Some("drop") => "done-drop",
        Some("skip") => "done-skip",
        Some("retry") => "done-retry",
        Some("cancel-replay") => "done-cancel-replay",
        _ => return html! {},
    };
    html! { p.done role="status" { (icon("good")) (view.text_with(text, &[("count", changed.into())])) } }
}
