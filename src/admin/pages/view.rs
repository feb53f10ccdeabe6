//! A request for a page: its address, its language and its theme, and what its sender may do.

use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::Uri;
use axum::http::request::Parts;

use super::language::Language;
use super::state::Pages;
use super::texts::{Argument, Texts};
use super::theme::Theme;
use super::zone::Zone;
use crate::admin::logins::Login;
use crate::callback::Reason;
use crate::index::StreamFilter;

/// A request for a page.
pub(super) struct View {
    pub(super) language: Language,
    pub(super) texts: &'static Texts,
    pub(super) theme: Theme,
    pub(super) zone: Zone,
    pub(super) uri: Uri,
    /// When the request came, in Unix ms.
    pub(super) now_ms: i64,
    /// The login of the browser; `None` without one.
    pub(super) login: Option<Login>,
    /// Whether a token is configured, so that a browser can log in.
    pub(super) has_token: bool,
}

impl View {
    /// Reads the head of a request.
    pub(super) fn of(parts: &Parts, pages: &Pages) -> View {
        let language = Language::of(&parts.headers);
        View {
            language,
            texts: Texts::of(language),
            theme: Theme::of(&parts.headers),
            zone: Zone::of(&parts.headers),
            uri: parts.uri.clone(),
            now_ms: (pages.sources.clock)(),
            login: pages.logins.of(&parts.headers),
            has_token: pages.access.load().token.is_some(),
        }
    }

    /// Returns a sentence in the language of the page.
    pub(super) fn text(&self, id: &str) -> Cow<'static, str> {
        self.texts.text(id)
    }

    /// Returns a sentence with values in it.
    pub(super) fn text_with(&self, id: &str, arguments: &[Argument<'_>]) -> Cow<'static, str> {
        self.texts.text_with(id, arguments)
    }

    /// Returns what happened when a session stopped, as part of a sentence.
    pub(super) fn meaning(&self, reason: &Reason) -> Cow<'static, str> {
        self.of_cause(reason, "meaning", reason.meaning)
    }

    /// Returns who should act on a stop.
    pub(super) fn actor(&self, reason: &Reason) -> Cow<'static, str> {
        self.of_cause(reason, "actor", reason.actor)
    }

    /// Returns what to check first after a stop, in whole sentences.
    pub(super) fn advice(&self, reason: &Reason) -> Cow<'static, str> {
        self.of_cause(reason, "advice", reason.advice)
    }

    /// Returns a text about the cause of a stop. Without a translation, it is the English one.
    fn of_cause(&self, reason: &Reason, part: &str, english: &'static str) -> Cow<'static, str> {
        self.texts.find(&format!("cause-{}-{part}", reason.cause), &[]).unwrap_or(Cow::Borrowed(english))
    }

    /// Returns a parameter of the address. If it is given several times, the first one; `None` if it is absent or empty.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        let query = self.uri.query().unwrap_or_default();
        let mut given = form_urlencoded::parse(query.as_bytes());
        given.find(|(given, _)| given == name).map(|(_, value)| value.into_owned()).filter(|value| !value.is_empty())
    }

    /// Returns a parameter that is a word of a list. Any other value counts as absent, because people edit addresses.
    pub(super) fn choice<T>(&self, name: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        self.parameter(name).and_then(|value| parse(&value))
    }

    /// Returns which streams the address selects.
    pub(super) fn streams(&self) -> StreamFilter {
        StreamFilter {
            domain: self.parameter("domain").unwrap_or_default(),
            app_name: self.parameter("app").unwrap_or_default(),
            text: self.parameter("stream").unwrap_or_default(),
        }
    }

    /// Returns the address of this page with some parameters changed. `None` removes one.
    pub(super) fn link_with(&self, changes: &[(&str, Option<&str>)]) -> String {
        self.link_to(self.uri.path(), changes)
    }

    /// Returns the address of another page with the parameters of this one, and some changed.
    pub(super) fn link_to(&self, path: &str, changes: &[(&str, Option<&str>)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in form_urlencoded::parse(self.uri.query().unwrap_or_default().as_bytes()) {
            if !changes.iter().any(|(changed, _)| *changed == name) {
                query.append_pair(&name, &value);
            }
        }
        for (name, value) in changes {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        match query.finish() {
            query if query.is_empty() => path.to_owned(),
            query => format!("{path}?{query}"),
        }
    }

    /// Returns the path and query of this page.
    pub(super) fn address(&self) -> String {
        self.link_with(&[])
    }
}

impl FromRequestParts<Arc<Pages>> for View {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, pages: &Arc<Pages>) -> Result<View, Infallible> {
        Ok(View::of(parts, pages))
    }
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;

    /// A request for a page, in English, at the given time in Unix ms.
    pub(in crate::admin::pages) fn view(uri: &str, now_ms: i64) -> View {
        View {
            language: Language::English,
            texts: Texts::of(Language::English),
            theme: Theme::Auto,
            zone: Zone::default(),
            uri: uri.parse().unwrap(),
            now_ms,
            login: None,
            has_token: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::testing::view;

    #[test]
    fn link_changes_parameters() {
        let view = view("/events?a=1&b=x+y&a=2", 0);
        assert_eq!(view.parameter("a").unwrap(), "1");
        assert_eq!(view.parameter("c"), None);
        assert_eq!(view.link_with(&[("c", Some("&"))]), "/events?a=1&b=x+y&a=2&c=%26");
        assert_eq!(view.link_with(&[("a", None), ("b", None)]), "/events");
        assert_eq!(view.address(), "/events?a=1&b=x+y&a=2");
    }
}
