//! Every sentence of the pages, in each language: one file a language, in the format of Project Fluent.

use std::borrow::Cow;
use std::sync::OnceLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use unic_langid::LanguageIdentifier;

use super::language::Language;
use super::numbers::grouped;

#[cfg(test)]
mod tests;

const ENGLISH: &str = include_str!("texts/en.ftl");
const KOREAN: &str = include_str!("texts/ko.ftl");
const CHINESE: &str = include_str!("texts/zh-CN.ftl");
/// Why a push stopped. In English, the table of causes has these texts.
const KOREAN_CAUSES: &str = include_str!("texts/causes.ko.ftl");
const CHINESE_CAUSES: &str = include_str!("texts/causes.zh-CN.ftl");

/// The sentences of one language.
pub(super) struct Texts(FluentBundle<FluentResource>);

/// A value within a sentence.
pub(super) type Argument<'a> = (&'static str, FluentValue<'a>);

impl Texts {
    /// Returns the sentences of a language. They are read when the first page needs them.
    pub(super) fn of(language: Language) -> &'static Texts {
        static TEXTS: [OnceLock<Texts>; 3] = [const { OnceLock::new() }; 3];
        let (place, sources) = match language {
            Language::English => (&TEXTS[0], [ENGLISH, ""]),
            Language::Korean => (&TEXTS[1], [KOREAN, KOREAN_CAUSES]),
            Language::Chinese => (&TEXTS[2], [CHINESE, CHINESE_CAUSES]),
        };
        place.get_or_init(|| Texts::read(sources, language.tag()))
    }

    fn read(sources: [&str; 2], tag: &str) -> Texts {
        let mut bundle = FluentBundle::new_concurrent(vec![tag.parse::<LanguageIdentifier>().unwrap_or_default()]);
        // The templates isolate text from outside, and no language of ours is written from right to left.
        bundle.set_use_isolating(false);
        bundle.set_formatter(Some(|value, _| match value {
            FluentValue::Number(number) => Some(grouped(number.value as i64)),
            _ => None,
        }));
        for source in sources {
            // A test reads every file, so none has an error here.
            let resource = FluentResource::try_new(source.to_owned()).unwrap_or_else(|(resource, _)| resource);
            bundle.add_resource_overriding(resource);
        }
        Texts(bundle)
    }

    /// Returns the sentence with this id.
    pub(super) fn text(&self, id: &str) -> Cow<'_, str> {
        self.text_with(id, &[])
    }

    /// Returns the sentence with this id, and with these values in it.
    pub(super) fn text_with(&self, id: &str, arguments: &[Argument<'_>]) -> Cow<'_, str> {
        self.find(id, arguments).unwrap_or_else(|| Cow::Owned(id.to_owned()))
    }

    /// Returns the sentence with this id; `None` if the language has none.
    pub(super) fn find(&self, id: &str, arguments: &[Argument<'_>]) -> Option<Cow<'_, str>> {
        let pattern = self.0.get_message(id)?.value()?;
        let mut values = FluentArgs::with_capacity(arguments.len());
        for (name, value) in arguments {
            values.set(*name, value.clone());
        }
        let mut errors = Vec::new();
        Some(Cow::Owned(self.0.format_pattern(pattern, Some(&values), &mut errors).into_owned()))
    }
}
