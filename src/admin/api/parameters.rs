//! The parameters of a request, read strictly: what is unknown, given twice or of a wrong form is answered, not passed over.

use std::fmt::Display;

use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};

use super::page::Place;
use crate::admin::problem::Problem;
use crate::http::quoted;
use crate::moment;

/// How many items a page has when nothing else is asked for.
pub(super) const LIMIT_DEFAULT: usize = 100;

/// How many items a page has at most.
pub(super) const LIMIT_MAX: usize = 1000;

/// How often a parameter may be given at most.
const VALUES_MAX: usize = 50;

/// The parameters of one request. Each must be asked for by name before [`Parameters::finish`].
pub(super) struct Parameters {
    given: Vec<(String, String)>,
    known: Vec<&'static str>,
    /// The first one that is not UTF-8.
    unreadable: Option<String>,
}

impl Parameters {
    /// Reads the query of a URL, which may be absent.
    pub(super) fn of(query: Option<&str>) -> Parameters {
        let query = query.unwrap_or_default();
        let given = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let mut parts = query.split('&');
        let unreadable = parts.find(|part| percent_decode_str(part).decode_utf8().is_err());
        let unreadable = unreadable.and_then(|part| form_urlencoded::parse(part.as_bytes()).next());
        Parameters { given, known: Vec::new(), unreadable: unreadable.map(|(name, _)| name.into_owned()) }
    }

    /// Every value of a parameter that may be repeated.
    pub(super) fn list<T, E: Display>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Vec<T>, Problem> {
        self.known.push(name);
        let values = self.given.iter().filter(|(given, _)| given == name);
        if values.clone().nth(VALUES_MAX).is_some() {
            return Err(Problem::parameter(name, format!("is given more than {VALUES_MAX} times")));
        }
        values.map(|(_, value)| parsed(name, value, &parse)).collect()
    }

    /// The value of a parameter that may be given once.
    pub(super) fn one<T, E: Display>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Option<T>, Problem> {
        let mut values = self.list(name, parse)?;
        if values.len() > 1 {
            return Err(Problem::parameter(name, "is given more than once"));
        }
        Ok(values.pop())
    }

    /// A moment as Unix ms, in the forms that the command line takes too.
    pub(super) fn moment(&mut self, name: &'static str, now_ms: i64) -> Result<Option<i64>, Problem> {
        self.one(name, |text| {
            moment::parse(text, now_ms).map_err(|error| match text.contains(' ') {
                true => format!("{error}; in a URL, `+` must be written `%2B`"),
                false => error.to_string(),
            })
        })
    }

    /// From `since` to `until`, in Unix ms.
    pub(super) fn during(&mut self, now_ms: i64) -> Result<(Option<i64>, Option<i64>), Problem> {
        let (since_ms, until_ms) = (self.moment("since", now_ms)?, self.moment("until", now_ms)?);
        check_span(since_ms, until_ms)?;
        Ok((since_ms, until_ms))
    }

    /// How many items are wanted.
    pub(super) fn limit(&mut self) -> Result<usize, Problem> {
        let limit = self.one("limit", |text| {
            text.parse()
                .ok()
                .filter(|limit| (1..=LIMIT_MAX).contains(limit))
                .ok_or_else(|| format!("must be a whole number from 1 to {LIMIT_MAX}"))
        })?;
        Ok(limit.unwrap_or(LIMIT_DEFAULT))
    }

    /// The place after which the page begins, from the token that the page before gave. It holds for the same
    /// [question](Parameters::question) alone.
    pub(super) fn page(&mut self, question: u64) -> Result<Option<Place>, Problem> {
        self.one("page", |token| {
            Place::from_token(token, question).ok_or(
                "is no token of this list with these parameters: take `next` of the page before, and change nothing else",
            )
        })
    }

    /// What a page token holds for: the list, whose places mean the same within `generation`, and every parameter but where
    /// the page begins and how long it is.
    pub(super) fn question(&self, list: &'static str, generation: &str) -> u64 {
        let mut filters: Vec<_> =
            self.given.iter().filter(|(name, _)| !matches!(name.as_str(), "page" | "limit")).collect();
        filters.sort_unstable();
        let mut digest = Sha256::new();
        let filters = filters.into_iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]);
        for part in [list, generation].into_iter().chain(filters) {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        let digest: [u8; 32] = digest.finalize().into();
        u64::from_be_bytes(*digest.first_chunk().unwrap_or(&[0; 8]))
    }

    /// That nothing was given that was not asked for.
    pub(super) fn finish(&self) -> Result<(), Problem> {
        let Some((name, _)) = self.given.iter().find(|(name, _)| !self.known.contains(&name.as_str())) else {
            return match &self.unreadable {
                Some(name) => Err(Problem::parameter(name, "is not UTF-8, percent-encoded")),
                None => Ok(()),
            };
        };
        let known = match self.known.as_slice() {
            [] => "this takes none".to_owned(),
            known => format!("this takes {}", known.join(", ")),
        };
        Err(Problem::parameter(name, format!("there is no such parameter; {known}")))
    }
}

/// That two moments leave something between them.
pub(super) fn check_span(since_ms: Option<i64>, until_ms: Option<i64>) -> Result<(), Problem> {
    match (since_ms, until_ms) {
        (Some(since_ms), Some(until_ms)) if since_ms >= until_ms => {
            Err(Problem::parameter("until", "is not after `since`"))
        }
        _ => Ok(()),
    }
}

/// Reads a value. What an error quotes of it is cut and escaped: it is told of the value as it may be quoted.
pub(super) fn parsed<T, E: Display>(
    name: &str,
    value: &str,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Result<T, Problem> {
    parse(value).map_err(|error| match parse(&quoted(value)) {
        Err(error) => Problem::parameter(name, error),
        Ok(_) => Problem::parameter(name, quoted(&error.to_string())),
    })
}

/// Reads one of a few words.
pub(super) fn word<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, String> {
    words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        format!("`{text}` is none of {}", known.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail(problem: Problem) -> String {
        serde_json::to_value(&problem).unwrap()["detail"].as_str().unwrap().to_owned()
    }

    #[test]
    fn what_is_wrong_is_named() {
        let read = |query: &str| {
            let mut parameters = Parameters::of(Some(query));
            parameters.limit()?;
            parameters.during(0)?;
            parameters.finish()
        };
        assert_eq!(read("limit=5&since=2026-05-01"), Ok(()));
        for (query, said) in [
            ("limit=0", "`limit`: must be a whole number from 1 to 1000"),
            ("limit=1001", "from 1 to 1000"),
            ("limit=", "from 1 to 1000"),
            ("limit=1&limit=2", "`limit`: is given more than once"),
            ("since=yesterday", "`since`: give RFC 3339"),
            ("sinse=15m", "`sinse`: there is no such parameter; this takes limit, since, until"),
            ("since=2026-05-02&until=2026-05-01", "`until`: is not after `since`"),
            ("since=2026-05-01&until=2026-05-01", "`until`: is not after `since`"),
            ("since=%E2%80%AEa", "`since`: give RFC 3339"),
            ("a%0Ab=1", "`a\\nb`: there is no such parameter"),
        ] {
            let told = detail(read(query).unwrap_err());
            assert!(told.contains(said), "{query}: {told}");
        }
    }

    #[test]
    fn a_token_holds_for_the_same_question() {
        let question = |query: &str, list| Parameters::of(Some(query)).question(list, "5d0c1f7a");
        let first = question("stream=a&since=1&limit=5", "sessions");
        assert_eq!(first, question("since=1&limit=9&page=x&stream=a", "sessions"));
        assert_ne!(first, question("stream=a&since=1", "events"));
        assert_ne!(first, question("stream=a&since=2", "sessions"));
        assert_ne!(question("a=b&c=d", ""), question("a=bc&=d", ""));
        assert_ne!(
            first,
            Parameters::of(Some("stream=a&since=1")).question("sessions", "5d0c1f7b"),
            "of another journal"
        );
    }
}
