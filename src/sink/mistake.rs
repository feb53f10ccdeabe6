//! A wrong key of a sink's table, as each kind of sink reports it to the configuration.

use std::fmt;
use std::ops::RangeInclusive;

/// A rule that a sink's options break.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The key, as a path within the sink's table: `headers.Host`.
    pub key: String,
    /// Its value as text; `None` if it may hold a secret.
    pub value: Option<String>,
    /// The rule and the cure: `must be from 1 to 256`.
    pub rule: String,
}

/// The mistakes found so far.
#[derive(Default)]
pub(super) struct Mistakes(Vec<Mistake>);

impl Mistakes {
    /// Adds a mistake. `value` is `None` if it may hold a secret.
    pub(super) fn add(&mut self, key: &str, value: Option<String>, rule: &str) {
        self.0.push(Mistake { key: key.to_owned(), value, rule: rule.to_owned() });
    }

    /// Adds a mistake unless the rule holds.
    pub(super) fn check(&mut self, holds: bool, key: &str, value: impl ToString, rule: &str) {
        if !holds {
            self.add(key, Some(value.to_string()), rule);
        }
    }

    /// Adds a mistake if the value is out of range.
    pub(super) fn check_range<T: PartialOrd + fmt::Display>(&mut self, key: &str, value: T, range: RangeInclusive<T>) {
        let rule = format!("must be from {} to {}", range.start(), range.end());
        self.check(range.contains(&value), key, value, &rule);
    }

    /// Adds more mistakes.
    pub(super) fn extend(&mut self, more: Vec<Mistake>) {
        self.0.extend(more);
    }

    /// Returns the mistakes in the order in which they were added.
    pub(super) fn into_list(self) -> Vec<Mistake> {
        self.0
    }
}

/// The path of a member of a table: `headers.Host`. A name that TOML wants quoted is quoted: `headers."a b"`.
pub fn member_path(path: &str, name: &str) -> String {
    let bare = !name.is_empty()
        && name.chars().all(|character| character.is_ascii_alphanumeric() || matches!(character, '_' | '-'));
    match (path, bare) {
        ("", true) => name.to_owned(),
        ("", false) => format!("{name:?}"),
        (_, true) => format!("{path}.{name}"),
        (_, false) => format!("{path}.{name:?}"),
    }
}
