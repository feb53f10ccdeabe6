//! How a bar looks: by the category of its reason, or as live or stale. Each kind has a color, a pattern and a mark.

use maud::{Markup, html};

use crate::admin::pages::view::View;
use crate::callback::ReasonCategory;
use crate::index::LaneSession;
use crate::session::State;

/// How a bar looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::admin::pages) enum Kind {
    Live,
    Stale,
    Ended(ReasonCategory),
}

impl Kind {
    /// Every kind, in the order of the legend.
    pub(in crate::admin::pages) fn all() -> impl Iterator<Item = Kind> {
        [Kind::Live, Kind::Stale].into_iter().chain(ReasonCategory::ALL.map(Kind::Ended))
    }

    /// The kind of a session.
    pub(super) fn of(session: &LaneSession) -> Kind {
        match (session.state, &session.reason) {
            (State::Live, _) => Kind::Live,
            (State::Stale, _) => Kind::Stale,
            (State::Ended, reason) => {
                Kind::Ended(reason.as_ref().map_or(ReasonCategory::Unknown, |reason| reason.category))
            }
        }
    }

    /// Its name in classes and the ids of texts.
    pub(in crate::admin::pages) fn word(self) -> &'static str {
        match self {
            Kind::Live => "live",
            Kind::Stale => "stale",
            Kind::Ended(category) => category.label(),
        }
    }

    /// Its name for people.
    pub(in crate::admin::pages) fn name(self, view: &View) -> String {
        let group = match self {
            Kind::Live | Kind::Stale => "state",
            Kind::Ended(_) => "category",
        };
        view.text(&format!("{group}-{}", self.word())).into_owned()
    }

    /// The letter or character that stands for it.
    pub(in crate::admin::pages) fn mark(self, view: &View) -> String {
        view.text(&format!("mark-{}", self.word())).into_owned()
    }

    /// The value of `fill` that draws its color and pattern.
    pub(in crate::admin::pages) fn fill(self) -> String {
        format!("url(#kind-{})", self.word())
    }

    /// The lines and dots of its pattern, which repeats every 8 units. The color is behind them.
    fn pattern(self) -> &'static str {
        match self {
            Kind::Live | Kind::Ended(ReasonCategory::Client) => "",
            Kind::Stale => "M0 0h4v8h-4z",
            Kind::Ended(ReasonCategory::Network) => "M-2 2l4-4M-2 10l12-12M6 10l4-4",
            Kind::Ended(ReasonCategory::Content) => "M0 2h8M0 6h8M2 0v8M6 0v8",
            Kind::Ended(ReasonCategory::Idle) => "M2 2h1M6 6h1",
            Kind::Ended(ReasonCategory::Internal) => "M2 0v8M6 0v8",
            Kind::Ended(ReasonCategory::Rejected) => "M1 1l6 6M7 1l-6 6",
            Kind::Ended(ReasonCategory::Operator) => "M-2 6l4 4M-2-2l12 12M6-2l4 4",
            Kind::Ended(ReasonCategory::Replaced) => "M0 2h8M0 6h8",
            Kind::Ended(ReasonCategory::Manual) => "M4 0v8",
            Kind::Ended(ReasonCategory::Unknown) => "M0 4h4M4 0v4",
        }
    }
}

/// Draws the patterns of all kinds, which `fill` refers to. A page that draws bars has it once.
pub(in crate::admin::pages) fn patterns() -> Markup {
    html! {
        svg.patterns width="0" height="0" aria-hidden="true" focusable="false" {
            defs {
                @for kind in Kind::all() {
                    pattern id={ "kind-" (kind.word()) } width="8" height="8" patternUnits="userSpaceOnUse" {
                        rect class={ "kind-" (kind.word()) } width="8" height="8" {}
                        path d=(kind.pattern()) {}
                    }
                }
            }
        }
    }
}
