//! The frame of every page: head, navigation, and the choices of language and theme.

use axum::body::Body;
use axum::http::Response;
use maud::{DOCTYPE, Markup, html};

use super::assets::{SCRIPT, STYLE};
use super::icons::icon;
use super::language::Language;
use super::theme::Theme;
use super::view::View;
use crate::admin::html::{encoded, html_response};

/// A page of the navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tab {
    Now,
    Timeline,
    Reasons,
    Events,
    Refused,
    Sinks,
    /// A page that the navigation does not show.
    None,
}

impl Tab {
    /// The pages of the navigation, in its order.
    pub(super) const ALL: &[Tab] = &[Tab::Now, Tab::Timeline, Tab::Reasons, Tab::Events, Tab::Refused, Tab::Sinks];

    /// Its name in addresses, texts and icons.
    pub(super) fn word(self) -> &'static str {
        match self {
            Tab::Now => "now",
            Tab::Timeline => "timeline",
            Tab::Reasons => "reasons",
            Tab::Events => "events",
            Tab::Refused => "refused",
            Tab::Sinks => "sinks",
            Tab::None => "none",
        }
    }

    fn address(self) -> String {
        match self {
            Tab::Now | Tab::None => "/".to_owned(),
            Tab::Timeline | Tab::Reasons | Tab::Events | Tab::Refused | Tab::Sinks => format!("/{}", self.word()),
        }
    }
}

/// The content of a page.
pub(super) struct Content {
    /// The title of the browser's tab.
    pub(super) title: String,
    pub(super) main: Markup,
}

/// Returns a whole document.
pub(super) fn document(view: &View, tab: Tab, content: Content) -> Response<Body> {
    let markup = html! {
        (DOCTYPE)
        html lang=(view.language.tag()) data-theme=(view.theme.word()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (content.title) " · livehook" }
                link rel="icon" href="data:,";
                link rel="stylesheet" href=(STYLE.address());
                script type="module" src=(SCRIPT.address()) {}
            }
            body {
                a.skip href="#main" { (view.text("skip-to-content")) }
                header.bar {
                    a.brand href="/" { (icon("now")) span { "livehook" } }
                    nav aria-label=(view.text("navigation")) {
                        @for &each in Tab::ALL {
                            a href=(each.address()) aria-current=[(each == tab).then_some("page")] {
                                (icon(each.word())) span { (view.text(&format!("tab-{}", each.word()))) }
                            }
                        }
                    }
                    // The script fills it when the connection to the service is lost.
                    p #connection role="status" data-lost=(view.text("connection-lost")) {}
                    (choices(view))
                }
                main #main tabindex="-1" { (content.main) }
            }
        }
    };
    html_response(markup)
}

/// The choices of language and theme, and the login.
fn choices(view: &View) -> Markup {
    html! {
        div.choices {
            @if view.has_token {
                @if let Some(login) = &view.login {
                    form method="post" action="/logout" {
                        input type="hidden" name="form_token" value=(login.form_token());
                        button.quiet { (view.text("log-out")) }
                    }
                } @else {
                    a.quiet href={ "/login?next=" (encoded(&view.address())) } { (view.text("log-in")) }
                }
            }
            form.preferences method="post" action="/preferences" {
                input type="hidden" name="back" value=(view.address());
                label {
                    span.hidden { (view.text("language")) }
                    select name="language" data-submits {
                        @for each in Language::ALL {
                            option value=(each.tag()) lang=(each.tag()) selected[each == view.language] { (each.name()) }
                        }
                    }
                }
                label {
                    span.hidden { (view.text("theme")) }
                    select name="theme" data-submits {
                        @for each in Theme::ALL {
                            option value=(each.word()) selected[each == view.theme] {
                                (view.text(&format!("theme-{}", each.word())))
                            }
                        }
                    }
                }
                // The script hides it, because a choice then takes effect at once.
                button.quiet.without-script { (view.text("apply")) }
            }
        }
    }
}
