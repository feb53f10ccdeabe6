//! The query of a URL, read into structs. An unknown parameter, a repeated one and a value of a wrong form are refused.
//!
//! The structs that are read also describe the parameters in the OpenAPI document, so the two cannot differ.

use std::fmt::{self, Display};
use std::slice;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::Uri;
use axum::http::request::Parts;
use percent_encoding::percent_decode_str;
use serde::de::value::{SeqDeserializer, StrDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess, Visitor,
};
use serde::{Deserialize, forward_to_deserialize_any};
use sha2::{Digest, Sha256};
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};

use crate::admin::problem::Problem;
use crate::http::quoted;

/// How often a parameter can be repeated.
const VALUES_MAX: usize = 50;

/// The parameters of a request: a tuple of structs that derive `Deserialize` and `IntoParams`, or `()` for none.
///
/// The structs stand next to each other, because serde can't refuse an unknown member of a struct with flattened ones.
#[derive(Debug)]
pub(super) struct Query<T> {
    pub(super) parameters: T,
    path: String,
    given: Vec<(String, String)>,
}

/// The query of a route that takes no parameters.
pub(super) type NoParameters = Query<()>;

impl<T: DeserializeOwned> Query<T> {
    /// Reads the query of a URL with this path.
    pub(super) fn read(path: &str, query: &str) -> Result<Query<T>, Problem> {
        let given: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let mut structs = Structs { given: &given, known: Vec::new() };
        let parameters = T::deserialize(&mut structs)?;
        if let Some((name, _)) = given.iter().find(|(name, _)| !structs.known.contains(&name.as_str())) {
            let known = if structs.known.is_empty() { "none".to_owned() } else { structs.known.join(", ") };
            return Err(Problem::parameter(name, format!("is not a parameter of this path; it takes {known}")));
        }
        // `form_urlencoded` replaces bytes that are not UTF-8, and a search for the replaced text would find other items.
        let mut parts = query.split('&');
        if let Some(part) = parts.find(|part| percent_decode_str(part).decode_utf8().is_err()) {
            let name = form_urlencoded::parse(part.as_bytes()).next().map(|(name, _)| name.into_owned());
            return Err(Problem::parameter(&name.unwrap_or_default(), "must be percent-encoded UTF-8"));
        }
        Ok(Query { parameters, path: path.to_owned(), given })
    }
}

/// Refuses every parameter, for a request that is fully described by its path or its body.
pub(super) fn refuse_parameters(uri: &Uri) -> Result<(), Problem> {
    NoParameters::read(uri.path(), uri.query().unwrap_or_default()).map(drop)
}

impl<T> Query<T> {
    /// Returns a digest of the requested list: its path, the `generation` of its data, and every parameter except `page` and
    /// `limit`. A place in a list is valid only in lists of the same digest.
    pub(super) fn digest(&self, generation: &str) -> u64 {
        let mut filters: Vec<_> =
            self.given.iter().filter(|(name, _)| !matches!(name.as_str(), "page" | "limit")).collect();
        filters.sort_unstable();
        let filters = filters.into_iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]);
        let mut digest = Sha256::new();
        for part in [self.path.trim_start_matches('/'), generation].into_iter().chain(filters) {
            // With the lengths, `a=b&c=d` and `a=bc&=d` have different digests.
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        let digest: [u8; 32] = digest.finalize().into();
        u64::from_be_bytes(*digest.first_chunk().unwrap_or(&[0; 8]))
    }
}

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Query<T>, Problem> {
        Query::read(parts.uri.path(), parts.uri.query().unwrap_or_default())
    }
}

impl<T: DescribedStructs> IntoParams for Query<T> {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        T::descriptions()
    }
}

/// The structs of a [`Query`], in the order in which the document lists them.
pub(super) trait DescribedStructs {
    fn descriptions() -> Vec<Parameter>;
}

macro_rules! described_structs {
    ($($part:ident)+) => {
        impl<$($part: IntoParams),+> DescribedStructs for ($($part,)+) {
            fn descriptions() -> Vec<Parameter> {
                [$($part::into_params(|| Some(ParameterIn::Query))),+].concat()
            }
        }
    };
}

described_structs!(A);
described_structs!(A B);
described_structs!(A B C);
described_structs!(A B C D);

/// Reads a parameter that can be given once.
pub(super) fn value<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| parsed(&text).map_err(D::Error::custom)).transpose()
}

/// Reads a parameter that can be repeated.
pub(super) fn values<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts.iter().map(|text| parsed(text).map_err(D::Error::custom)).collect()
}

/// Parses untrusted text. An error quotes the text cut and escaped.
pub(super) fn parsed<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    // The error of the quoted text is about the same mistake, and is harmless as a whole.
    text.parse().map_err(|error: T::Err| match quoted(text).parse::<T>() {
        Err(error) => error.to_string(),
        Ok(_) => quoted(&error.to_string()),
    })
}

/// Why the parameters cannot be read.
#[derive(Debug)]
struct Wrong {
    /// The name of the parameter; `None` until it is known.
    parameter: Option<&'static str>,
    rule: String,
}

impl From<Wrong> for Problem {
    fn from(wrong: Wrong) -> Problem {
        Problem::parameter(wrong.parameter.unwrap_or_default(), wrong.rule)
    }
}

impl Display for Wrong {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.rule)
    }
}

impl std::error::Error for Wrong {}

impl Error for Wrong {
    fn custom<T: Display>(rule: T) -> Wrong {
        Wrong { parameter: None, rule: rule.to_string() }
    }

    fn unknown_variant(word: &str, words: &'static [&'static str]) -> Wrong {
        Wrong::custom(format!("`{}` is not one of {}", quoted(word), words.join(", ")))
    }
}

/// Deserializes a tuple of structs, each from the parameters that are named like its members.
struct Structs<'a> {
    given: &'a [(String, String)],
    /// The members of all structs so far.
    known: Vec<&'static str>,
}

impl<'de> Deserializer<'de> for &mut Structs<'_> {
    type Error = Wrong;

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_seq(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        self.known.extend(names);
        visitor.visit_map(Members { given: self.given, names: names.iter(), current: None })
    }

    // For `()`, the query of a route without parameters.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct newtype_struct
        seq tuple_struct map enum identifier ignored_any
    }
}

impl<'de> SeqAccess<'de> for &mut Structs<'_> {
    type Error = Wrong;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Wrong> {
        seed.deserialize(&mut **self).map(Some)
    }
}

/// The members of one struct that are given.
struct Members<'a> {
    given: &'a [(String, String)],
    names: slice::Iter<'static, &'static str>,
    current: Option<(&'static str, Values<'a>)>,
}

impl<'de> MapAccess<'de> for Members<'_> {
    type Error = Wrong;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Wrong> {
        for name in self.names.by_ref() {
            let values = self.given.iter().filter(|(given, _)| given == name).map(|(_, value)| value.as_str());
            let values = Values(values.collect());
            if !values.0.is_empty() {
                self.current = Some((name, values));
                let name: StrDeserializer<'_, Wrong> = (*name).into_deserializer();
                return seed.deserialize(name).map(Some);
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Wrong> {
        let Some((name, values)) = self.current.take() else { return Err(Wrong::custom("has no value")) };
        let value = match values.0.len() > VALUES_MAX {
            true => Err(Wrong::custom(format!("is given more than {VALUES_MAX} times"))),
            false => seed.deserialize(values),
        };
        value.map_err(|wrong| Wrong { parameter: Some(name), ..wrong })
    }
}

/// The values of one parameter, at least one.
struct Values<'a>(Vec<&'a str>);

impl<'a> Values<'a> {
    fn only(&self) -> Result<StrDeserializer<'a, Wrong>, Wrong> {
        match self.0.as_slice() {
            [value] => Ok((*value).into_deserializer()),
            _ => Err(Wrong::custom("is given more than once")),
        }
    }
}

impl<'de> Deserializer<'de> for Values<'_> {
    type Error = Wrong;

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_seq(SeqDeserializer::new(self.0.into_iter()))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_some(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        words: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        self.only()?.deserialize_enum(name, words, visitor)
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.only()?.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf unit unit_struct newtype_struct tuple
        tuple_struct struct map identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, Deserialize, PartialEq, Eq)]
    #[serde(rename_all = "lowercase")]
    enum Color {
        #[default]
        Red,
        Green,
    }

    #[derive(Debug, Default, Deserialize, PartialEq, Eq)]
    #[serde(default)]
    struct One {
        #[serde(deserialize_with = "values")]
        number: Vec<u8>,
        color: Color,
    }

    #[derive(Debug, Default, Deserialize, PartialEq, Eq)]
    #[serde(default)]
    struct Other {
        #[serde(deserialize_with = "value")]
        size: Option<u8>,
        word: Option<String>,
    }

    fn read(query: &str) -> Result<(One, Other), String> {
        let query = Query::read("/list", query).map(|query| query.parameters);
        query.map_err(|problem| serde_json::to_value(&problem).unwrap()["detail"].as_str().unwrap().to_owned())
    }

    #[test]
    fn structs_take_their_own_parameters() {
        assert_eq!(read(""), Ok(Default::default()));
        let one = One { number: vec![1, 2], color: Color::Green };
        let other = Other { size: Some(3), word: Some("a b".to_owned()) };
        assert_eq!(read("number=1&word=a+b&number=2&size=3&color=green"), Ok((one, other)));
        assert!(Query::<()>::read("/list", "").is_ok());
    }

    #[test]
    fn wrong_parameter_is_named() {
        for (query, expected) in [
            ("numbr=1", "`numbr`: is not a parameter of this path; it takes number, color, size, word"),
            ("a%0Ab=1", "`a\\nb`: is not a parameter of this path; it takes number, color, size, word"),
            ("size=1&size=1", "`size`: is given more than once"),
            ("color=red&color=red", "`color`: is given more than once"),
            ("color=%22blue", "`color`: `\\\"blue` is not one of red, green"),
            ("number=x", "`number`: invalid digit found in string"),
            ("word=%FF", "`word`: must be percent-encoded UTF-8"),
            (&"number=1&".repeat(51), "`number`: is given more than 50 times"),
        ] {
            assert_eq!(read(query), Err(expected.to_owned()), "{query}");
        }
        let problem = Query::<()>::read("/list", "limit=1").map(drop).unwrap_err();
        assert_eq!(problem, Problem::parameter("limit", "is not a parameter of this path; it takes none"));
    }

    #[test]
    fn digest_covers_all_but_the_page() {
        let digest = |path: &str, query: &str| {
            let query = Query::<()> {
                parameters: (),
                path: path.to_owned(),
                given: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            };
            query.digest("5d0c1f7a")
        };
        let first = digest("/sessions", "stream=a&since=1&limit=5");
        assert_eq!(first, digest("/sessions", "since=1&limit=9&page=x&stream=a"));
        assert_ne!(first, digest("/events", "stream=a&since=1"));
        assert_ne!(first, digest("/sessions", "stream=a&since=2"));
        assert_ne!(digest("", "a=b&c=d"), digest("", "a=bc&=d"));
        let other_journal = Query::<()> { parameters: (), path: "/sessions".to_owned(), given: Vec::new() };
        assert_ne!(other_journal.digest("5d0c1f7a"), other_journal.digest("5d0c1f7b"));
    }
}
