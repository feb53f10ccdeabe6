//! What is wrong with a configuration, told so that it can be put right.
//!
//! A mistake never carries a secret: the value of a key that holds one is left out before the mistake is made.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::Value;

/// The longest value that is shown whole, in characters.
const SHOWN_CHARACTERS_MAX: usize = 60;

/// More mistakes than this help nobody.
pub(super) const MISTAKES_MAX: usize = 100;

/// Words that, within the name of a key, say that its value is a secret.
const SECRET_WORDS: [&str; 8] =
    ["key", "keys", "token", "secret", "secrets", "password", "passphrase", "authorization"];

/// One mistake: where, what, the rule that it breaks, and the cure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The line of the file; `None` for what comes from elsewhere or is missing.
    pub line: Option<usize>,
    /// The key such as `receiver.keys[0]`, or the variable or flag.
    pub key: String,
    /// What was given, quoted and shortened; `None` for secrets and for what is missing.
    pub value: Option<String>,
    /// What is demanded.
    pub rule: String,
    /// What to do about it, where the rule does not say it.
    pub cure: Option<String>,
}

impl Mistake {
    /// A mistake at a key.
    pub(super) fn new(key: impl Into<String>, rule: impl Into<String>) -> Mistake {
        Mistake { line: None, key: key.into(), value: None, rule: rule.into(), cure: None }
    }

    /// Shows what was given. Not for secrets.
    pub(super) fn value(mut self, value: impl fmt::Display) -> Mistake {
        self.value = Some(shortened(&value.to_string()));
        self
    }

    /// Shows a text that was given, quoted. Not for secrets.
    pub(super) fn quoted(self, text: impl AsRef<str>) -> Mistake {
        let quoted = format!("{:?}", text.as_ref());
        self.value(quoted)
    }

    /// Says what to do.
    pub(super) fn cure(mut self, cure: impl Into<String>) -> Mistake {
        self.cure = Some(cure.into());
        self
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.key)?;
        if let Some(value) = &self.value {
            write!(formatter, " = {value}")?;
        }
        write!(formatter, ": {}", self.rule)?;
        match &self.cure {
            Some(cure) => write!(formatter, "; {cure}"),
            None => Ok(()),
        }
    }
}

/// Every mistake of a configuration, in the order of the file, then of what is not in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes {
    path: Option<PathBuf>,
    list: Vec<Mistake>,
    /// How many there are beyond those of the list.
    untold: usize,
}

impl Mistakes {
    /// Puts mistakes in order. `path` is the file that their lines are of.
    pub(super) fn new(path: Option<&Path>, mut list: Vec<Mistake>) -> Mistakes {
        list.sort_by_key(|mistake| (mistake.line.is_none(), mistake.line));
        let untold = list.len().saturating_sub(MISTAKES_MAX);
        list.truncate(MISTAKES_MAX);
        Mistakes { path: path.map(Path::to_owned), list, untold }
    }

    /// The mistakes; at least one, and not more than anybody would read.
    pub fn iter(&self) -> impl Iterator<Item = &Mistake> {
        self.list.iter()
    }
}

impl std::error::Error for Mistakes {}

/// A headline, and a line for each mistake.
impl fmt::Display for Mistakes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.list.len() + self.untold {
            1 => formatter.write_str("the configuration has a mistake:")?,
            count => write!(formatter, "the configuration has {count} mistakes:")?,
        }
        for mistake in &self.list {
            formatter.write_str("\n  ")?;
            if let (Some(path), Some(line)) = (&self.path, mistake.line) {
                write!(formatter, "{}:{line}: ", path.display())?;
            }
            mistake.fmt(formatter)?;
        }
        match self.untold {
            0 => Ok(()),
            untold => write!(formatter, "\n  and {untold} more"),
        }
    }
}

/// What loading has found so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) mistakes: Vec<Mistake>,
    pub(super) warnings: Vec<String>,
    /// Keys of the file whose value came from a variable or a flag, and its name.
    pub(super) overridden: BTreeMap<&'static str, &'static str>,
}

impl Findings {
    /// Notes a mistake, under the name of where the value came from.
    pub(super) fn mistake(&mut self, mut mistake: Mistake) {
        if let Some(source) = self.overridden.get(mistake.key.as_str()) {
            mistake.key = (*source).to_owned();
        }
        self.mistakes.push(mistake);
    }

    /// Notes what is allowed and yet worth a look.
    pub(super) fn warn(&mut self, warning: impl Into<String>) {
        self.warnings.push(warning.into());
    }

    /// Whether there is a mistake in this key or below it, so that nothing should be concluded from its value.
    pub(super) fn spoilt(&self, key: &str) -> bool {
        let source = self.overridden.get(key).copied().unwrap_or(key);
        self.mistakes.iter().any(|mistake| {
            let rest = mistake.key.strip_prefix(key).or_else(|| mistake.key.strip_prefix(source));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })
    }
}

/// Whether the value of this key must not be shown. The last name of the path decides: `receiver.keys[0]` is a secret,
/// `receiver.keys[0].domains` and `receiver.keys_file` are not.
pub(super) fn is_secret(key: &str) -> bool {
    let name = key.rsplit('.').next().unwrap_or(key);
    let name = name.split('[').next().unwrap_or(name).to_ascii_lowercase();
    matches!(name.as_str(), "headers" | "environment")
        || !name.ends_with("_file") && name.split(['_', '-']).any(|word| SECRET_WORDS.contains(&word))
}

/// The value as it may be shown; `None` for a secret. Lists and tables are only named, since a secret may be in them.
pub(super) fn shown(key: &str, value: &Value) -> Option<String> {
    match value {
        _ if is_secret(key) => None,
        Value::String(text) => Some(shortened(&format!("{text:?}"))),
        Value::Array(_) => Some("a list".to_owned()),
        Value::Table(_) => Some("a table".to_owned()),
        other => Some(other.to_string()),
    }
}

/// The known name that was most likely meant.
pub(super) fn closest<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let name = name.to_lowercase();
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The names in backticks, as one reads a list.
pub(super) fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_names_show_which_values_are_secret() {
        for key in [
            "receiver.keys[0]",
            "receiver.keys[1].key",
            "admin.token",
            "sinks[0].secrets[1]",
            "sinks[0].headers",
            "x.Auth-Token",
        ] {
            assert!(is_secret(key), "{key}");
        }
        for key in [
            "receiver.keys[0].domains[1]",
            "receiver.keys_file",
            "admin.token_file",
            "sinks[0].path",
            "receiver.headers_bytes_max",
        ] {
            assert!(!is_secret(key), "{key}");
        }
    }

    #[test]
    fn only_a_near_name_is_suggested() {
        let known = ["listen", "path", "keys", "leeway_secs"];
        assert_eq!(closest("lsiten", known), Some("listen"));
        assert_eq!(closest("Keys", known), Some("keys"));
        assert_eq!(closest("leeway_sec", known), Some("leeway_secs"));
        assert_eq!(closest("leeway", known), None);
        assert_eq!(closest("colour", known), None);
    }

    #[test]
    fn long_value_is_cut_and_escaped() {
        let mistake = Mistake::new("a.b", "must be short").quoted("é".repeat(100));
        assert_eq!(mistake.value.as_deref().map(|value| value.chars().count()), Some(63));
        let mistake = Mistake::new("a.b", "must be plain").quoted("\u{1b}[31m\n").cure("remove it");
        assert_eq!(mistake.to_string(), r#"a.b = "\u{1b}[31m\n": must be plain; remove it"#);
    }
}
