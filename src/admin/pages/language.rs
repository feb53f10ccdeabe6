//! The languages of the pages, and which one a request gets.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT_LANGUAGE;

use crate::admin::accept::{split, thousandths};
use crate::admin::cookies::cookie;

/// The cookie with the language that a person has chosen.
pub(super) const COOKIE: &str = "livehook_language";

/// A language of the pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Language {
    #[default]
    English,
    Korean,
    Chinese,
}

impl Language {
    /// Every language.
    pub(super) const ALL: [Language; 3] = [Language::English, Language::Korean, Language::Chinese];

    /// Its tag by BCP 47, as in `lang="ko"`.
    pub(super) fn tag(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::Korean => "ko",
            Language::Chinese => "zh-CN",
        }
    }

    /// Its name in itself.
    pub(super) fn name(self) -> &'static str {
        match self {
            Language::English => "English",
            Language::Korean => "한국어",
            Language::Chinese => "简体中文",
        }
    }

    /// Returns the language with this tag.
    pub(super) fn from_tag(tag: &str) -> Option<Language> {
        Language::ALL.into_iter().find(|language| language.tag() == tag)
    }

    /// Returns the language that a person has chosen. Without a choice, the browser's first language that the pages have.
    pub(super) fn of(headers: &HeaderMap) -> Language {
        cookie(headers, COOKIE).and_then(Language::from_tag).unwrap_or_else(|| Language::accepted(headers))
    }

    fn accepted(headers: &HeaderMap) -> Language {
        let header = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let mut best = (0, Language::default());
        for range in split(header, ',') {
            let mut parts = split(range, ';');
            let tag = parts.next().unwrap_or_default();
            let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1000), thousandths);
            // Between equal qualities, the first one counts.
            if let (Some(language), Some(quality)) = (Language::from_range(tag), quality)
                && quality > best.0
            {
                best = (quality, language);
            }
        }
        best.1
    }

    /// Returns the language of a range such as `zh-TW`. A reader of any Chinese is better served by Chinese than by English.
    fn from_range(range: &str) -> Option<Language> {
        let primary = range.split('-').next().unwrap_or_default().to_ascii_lowercase();
        match primary.as_str() {
            "en" => Some(Language::English),
            "ko" => Some(Language::Korean),
            "zh" => Some(Language::Chinese),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use axum::http::header::COOKIE as COOKIE_HEADER;

    use super::*;

    #[test]
    fn browser_decides_without_a_choice() {
        for (header, language) in [
            ("", Language::English),
            ("fr, de;q=0.5", Language::English),
            ("ko-KR,ko;q=0.9,en-US;q=0.8", Language::Korean),
            ("fr;q=0.9, en;q=0.3, zh-TW;q=0.8", Language::Chinese),
            ("zh;q=0, en;q=0.1", Language::English),
            ("zh;q=x, ko ; q=0.2", Language::Korean),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_LANGUAGE, HeaderValue::from_static(header));
            assert_eq!(Language::of(&headers), language, "{header}");
            headers.insert(COOKIE_HEADER, HeaderValue::from_static("a=b; livehook_language=zh-CN"));
            assert_eq!(Language::of(&headers), Language::Chinese);
            headers.insert(COOKIE_HEADER, HeaderValue::from_static("livehook_language=xx"));
            assert_eq!(Language::of(&headers), language, "{header}");
        }
    }
}
