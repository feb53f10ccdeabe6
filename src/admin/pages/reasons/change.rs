//! How a count changed from the time before.

use maud::{Markup, html};

use crate::admin::pages::icons::icon;
use crate::admin::pages::view::View;

/// Shows the change from a count before, such as `+12 %`.
pub(super) fn change(view: &View, now: i64, before: i64) -> Markup {
    let (name, words) = match (now, before) {
        _ if now == before => ("same", view.text("as-before")),
        (_, 0) => ("ascending", view.text("none-before")),
        _ => {
            let percent = (now - before).saturating_mul(100) / before;
            let sign = if now > before { "+" } else { "−" };
            let name = if now > before { "ascending" } else { "descending" };
            (name, view.text_with("change-percent", &[("sign", sign.into()), ("percent", percent.abs().into())]))
        }
    };
    html! { span class={ "change change-" (name) } title=(view.text("compared-with-before")) { (icon(name)) (words) } }
}

#[cfg(test)]
mod tests {
    use super::super::super::view::testing::view;
    use super::*;

    #[test]
    fn change_is_in_percent() {
        let view = view("/reasons", 0);
        for (now, before, words) in
            [(12, 10, "+20%"), (5, 10, "−50%"), (3, 3, "as before"), (3, 0, "none before"), (0, 4, "−100%")]
        {
            let markup = change(&view, now, before).into_string();
            assert!(markup.contains(words), "{markup}");
        }
    }
}
