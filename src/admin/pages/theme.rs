//! The colors of the pages.

use axum::http::HeaderMap;

use crate::admin::cookies::cookie;

/// The cookie with the colors that a person has chosen.
pub(super) const COOKIE: &str = "livehook_theme";

/// The colors of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Theme {
    /// As the browser prefers.
    Auto,
    Light,
    Dark,
}

impl Theme {
    pub(super) const ALL: [Theme; 3] = [Theme::Auto, Theme::Light, Theme::Dark];

    /// Its word in forms, in `data-theme` and in the cookie.
    pub(super) fn word(self) -> &'static str {
        match self {
            Theme::Auto => "auto",
            Theme::Light => "light",
            Theme::Dark => "dark",
        }
    }

    /// Returns the theme of a word.
    pub(super) fn from_word(word: &str) -> Option<Theme> {
        Theme::ALL.into_iter().find(|theme| theme.word() == word)
    }

    /// Returns the theme that a person has chosen.
    pub(super) fn of(headers: &HeaderMap) -> Theme {
        cookie(headers, COOKIE).and_then(Theme::from_word).unwrap_or(Theme::Auto)
    }
}
