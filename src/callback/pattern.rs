//! Patterns for domains and stream names, in keys, allowlists and filters.

use std::borrow::Cow;
use std::fmt;

/// The longest label and the longest domain name, in bytes (RFC 1035).
const LABEL_BYTES_MAX: usize = 63;
const NAME_BYTES_MAX: usize = 253;

/// A domain, or `*.example.com` for every name below example.com but not example.com itself. Case, a dot at the end, and
/// the form of a Unicode name (`bücher.example` or `xn--bcher-kva.example`) don't matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainPattern {
    /// The name in its canonical form. A wildcard is stored as `.example.com`, because every match ends with this.
    name: Box<str>,
}

/// Why a text is not a pattern.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PatternError {
    /// It is empty.
    #[error("the pattern is empty")]
    Empty,
    /// A `*` is not the whole first label of a domain.
    #[error("`{0}`: in a domain, `*` may only be the whole first label, as in `*.example.com`")]
    Wildcard(String),
    /// A character can't be in a domain.
    #[error("`{0}` is not a domain name: give it without scheme, port and path")]
    Character(String),
}

impl DomainPattern {
    /// Reads `live.example.com` or `*.example.com`.
    ///
    /// # Errors
    /// The pattern is empty, a `*` is not the whole first label, or a character can't be in a domain.
    pub fn new(text: &str) -> Result<DomainPattern, PatternError> {
        let (prefix, name) = match text.strip_prefix("*.") {
            Some(rest) => (".", rest),
            None => ("", text),
        };
        if name.is_empty() {
            return Err(PatternError::Empty);
        }
        if name.contains('*') {
            return Err(PatternError::Wildcard(text.to_owned()));
        }
        let name = canonical(name).ok_or_else(|| PatternError::Character(text.to_owned()))?;
        Ok(DomainPattern { name: format!("{prefix}{name}").into() })
    }

    /// Returns whether the pattern matches the domain. A text that isn't a domain name matches no pattern.
    pub fn matches(&self, domain: &str) -> bool {
        let Some(domain) = canonical(domain) else { return false };
        match self.name.starts_with('.') {
            true => domain.strip_suffix(&*self.name).is_some_and(|below| !below.is_empty()),
            false => *domain == *self.name,
        }
    }

    /// Returns whether the pattern is a wildcard for all names below a single label, such as `*.com`.
    pub fn is_broad(&self) -> bool {
        self.name.strip_prefix('.').is_some_and(|parent| !parent.contains('.'))
    }
}

/// Returns a domain name in lower case, in the ASCII form of a Unicode name (`xn--...`), and without a dot at the end. `None` if
/// the text isn't a domain name.
fn canonical(text: &str) -> Option<Cow<'_, str>> {
    let name = match text.is_ascii() {
        true if text.bytes().any(|byte| byte.is_ascii_uppercase()) => Cow::Owned(text.to_ascii_lowercase()),
        true => Cow::Borrowed(text),
        false => Cow::Owned(idna::domain_to_ascii(text).ok()?),
    };
    let name = match name {
        Cow::Borrowed(name) => Cow::Borrowed(name.strip_suffix('.').unwrap_or(name)),
        Cow::Owned(name) => Cow::Owned(name.strip_suffix('.').map_or(name.clone(), str::to_owned)),
    };
    let is_label = |label: &str| {
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    (name.len() <= NAME_BYTES_MAX && name.split('.').all(is_label)).then_some(name)
}

impl fmt::Display for DomainPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.starts_with('.') {
            formatter.write_str("*")?;
        }
        formatter.write_str(&self.name)
    }
}

/// A stream name in which each `*` stands for any number of characters, also for none. Case matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamePattern {
    text: Box<str>,
}

impl NamePattern {
    /// Reads a name with any number of `*`.
    ///
    /// # Errors
    /// The pattern is empty.
    pub fn new(text: &str) -> Result<NamePattern, PatternError> {
        if text.is_empty() {
            return Err(PatternError::Empty);
        }
        Ok(NamePattern { text: text.into() })
    }

    /// The name in full. `None` if the pattern has a `*`.
    pub fn exact(&self) -> Option<&str> {
        (!self.text.contains('*')).then_some(&*self.text)
    }

    /// Returns whether the pattern matches the name. For each `*`, the time is linear in the length of the name.
    pub fn matches(&self, name: &str) -> bool {
        let Some((first, rest)) = self.text.split_once('*') else {
            return *self.text == *name;
        };
        let Some(mut name) = name.strip_prefix(first) else {
            return false;
        };
        let mut parts: Vec<&str> = rest.split('*').collect();
        let last = parts.pop().unwrap_or_default();
        // The first match of each part is enough, because it leaves the most for the parts after it. So nothing is tried twice.
        for part in parts {
            match name.find(part) {
                Some(position) => name = &name[position + part.len()..],
                None => return false,
            }
        }
        name.ends_with(last)
    }
}

impl fmt::Display for NamePattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

macro_rules! deserialize_from_text {
    ($($type:ty),+) => {$(
        impl std::str::FromStr for $type {
            type Err = PatternError;

            fn from_str(text: &str) -> Result<Self, PatternError> {
                <$type>::new(text)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                <$type>::new(&text).map_err(serde::de::Error::custom)
            }
        }
    )+};
}

deserialize_from_text!(DomainPattern, NamePattern);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_match_without_case() {
        for (pattern, domain, expected) in [
            ("push.example.com", "push.example.com", true),
            ("push.example.com", "PUSH.Example.COM", true),
            ("push.example.com", "a.push.example.com", false),
            ("*.example.com", "a.example.com", true),
            ("*.Example.com", "a.b.EXAMPLE.com", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", ".example.com", false),
            ("*.example.com", "badexample.com", false),
            ("*.example.com", "é.example.com", true),
            ("*.example.com", "a.example.com.evil.org", false),
            ("push.example.com.", "push.example.com", true),
            ("push.example.com", "push.example.com.", true),
            ("*.example.com.", "a.example.com.", true),
            ("push.example.com", "push.example.com..", false),
            ("bücher.example", "xn--bcher-kva.example", true),
            ("xn--bcher-kva.example", "BÜCHER.example", true),
            ("*.bücher.example", "a。bücher。example", true),
            // A text that isn't a domain name is below no domain.
            ("*.example.com", "evil.org/.example.com", false),
            ("*.example.com", "evil.org#.example.com", false),
            ("*.example.com", "evil.org\0.example.com", false),
            ("*.example.com", "evil org.example.com", false),
            ("*.example.com", "a..example.com", false),
        ] {
            assert_eq!(DomainPattern::new(pattern).unwrap().matches(domain), expected, "{pattern} {domain}");
        }
    }

    #[test]
    fn bad_domain_patterns_are_named() {
        for text in [
            "",
            "*",
            "*.",
            "a.*.com",
            "*a.com",
            "http://a.com",
            "a.com:80",
            "a b",
            ".",
            ".a.com",
            "a..com",
            "*.a..com",
            "a.com?",
            "a\\b.com",
            "[::1]",
        ] {
            assert!(DomainPattern::new(text).is_err(), "{text}");
        }
        assert!(DomainPattern::new(&format!("{}.com", "a".repeat(64))).is_err());
        assert_eq!(DomainPattern::new("*.A.com.").unwrap().to_string(), "*.a.com");
        assert!(DomainPattern::new("*.com").unwrap().is_broad() && !DomainPattern::new("*.a.com").unwrap().is_broad());
    }

    #[test]
    fn names_match_with_any_number_of_stars() {
        for (pattern, name, expected) in [
            ("room", "room", true),
            ("room", "rooms", false),
            ("*", "", true),
            ("*", "anything", true),
            ("room-*", "room-1", true),
            ("room-*", "zoom-1", false),
            ("*-main", "a-main", true),
            ("*-main", "main", false),
            ("a*b*c", "a--b--c", true),
            ("a*b*c", "abc", true),
            ("a*b*c", "acb", false),
            ("a*a", "a", false),
            ("直播*", "直播间", true),
        ] {
            assert_eq!(NamePattern::new(pattern).unwrap().matches(name), expected, "{pattern} {name}");
        }
    }
}
