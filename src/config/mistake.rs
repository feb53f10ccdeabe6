//! A mistake in a configuration, and the report of all of them.
//!
//! A mistake never contains a secret: the code that makes it leaves out the value of a secret key.

use std::fmt;
use std::path::{Path, PathBuf};

use super::shown_value::shortened;

#[cfg(test)]
mod tests;

/// The most mistakes in a report. The report only counts further ones.
pub(super) const MISTAKES_MAX: usize = 100;

/// One mistake. As text: `receiver.leeway_secs = "ten": must be a whole number from 0 to 4294967295`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The line in the file; `None` if the value comes from a variable or a flag, or is missing.
    pub line: Option<usize>,
    /// The key, for example `receiver.keys[0]`, or the name of the variable or flag.
    pub key: String,
    /// The value, quoted and shortened; `None` for secrets and missing values.
    pub value: Option<String>,
    /// The rule that the value breaks.
    pub rule: String,
    /// What to write or do instead, if the rule doesn't say it.
    pub cure: Option<String>,
}

impl Mistake {
    /// Makes a mistake without a value and a cure.
    pub(super) fn new(key: impl Into<String>, rule: impl Into<String>) -> Mistake {
        Mistake { line: None, key: key.into(), value: None, rule: rule.into(), cure: None }
    }

    /// Adds the value. Don't use it for secrets.
    pub(super) fn value(mut self, value: impl fmt::Display) -> Mistake {
        self.value = Some(shortened(&value.to_string()));
        self
    }

    /// Adds a text as the value, in quotes. Don't use it for secrets.
    pub(super) fn quoted(self, text: impl AsRef<str>) -> Mistake {
        // `Debug` also escapes control characters, so that a mistake is always one line.
        let quoted = format!("{:?}", text.as_ref());
        self.value(quoted)
    }

    /// Adds what to write or do instead.
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

/// All mistakes of a configuration: first those in the file, by line, then the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes {
    path: Option<PathBuf>,
    list: Vec<Mistake>,
    /// How many more there are than the list shows.
    more: usize,
}

impl Mistakes {
    /// Sorts mistakes. `path` is the file that their lines refer to.
    pub(super) fn new(path: Option<&Path>, mut list: Vec<Mistake>) -> Mistakes {
        // The sort is stable: mistakes without a line keep the order of the steps that found them.
        list.sort_by_key(|mistake| (mistake.line.is_none(), mistake.line));
        let more = list.len().saturating_sub(MISTAKES_MAX);
        list.truncate(MISTAKES_MAX);
        Mistakes { path: path.map(Path::to_owned), list, more }
    }

    /// The mistakes: at least one, at most 100.
    pub fn iter(&self) -> impl Iterator<Item = &Mistake> {
        self.list.iter()
    }
}

impl std::error::Error for Mistakes {}

/// A headline, and a line for each mistake.
impl fmt::Display for Mistakes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.list.len() + self.more {
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
        match self.more {
            0 => Ok(()),
            more => write!(formatter, "\n  and {more} more"),
        }
    }
}
