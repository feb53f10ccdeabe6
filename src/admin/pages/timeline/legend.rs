//! The legend of the time line.

use maud::{Markup, html};

use super::kinds::Kind;
use crate::admin::pages::view::View;

/// Shows these kinds, each with its color, pattern and mark.
pub(in crate::admin::pages) fn legend(view: &View, kinds: impl Iterator<Item = Kind>) -> Markup {
    html! {
        ul.legend {
            @for kind in kinds {
                li {
                    svg class={ "kind-" (kind.word()) } width="26" height="16" aria-hidden="true" {
                        rect width="26" height="16" rx="3" fill=(kind.fill()) {}
                        text x="8" y="12.5" { (kind.mark(view)) }
                    }
                    (kind.name(view))
                }
            }
        }
    }
}
