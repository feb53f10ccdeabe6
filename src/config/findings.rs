//! The mistakes and warnings that loading has found so far.

use std::collections::BTreeMap;

use super::key_path::is_at_or_below;
use super::mistake::Mistake;

/// Mistakes prevent the start; warnings do not.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) mistakes: Vec<Mistake>,
    pub(super) warnings: Vec<String>,
    /// Keys whose value comes from a variable or a flag, with its name, for example `receiver.listen` and `--listen`.
    pub(super) overridden: BTreeMap<&'static str, &'static str>,
}

impl Findings {
    /// Adds a mistake. If a variable or a flag has set the key, the mistake names that source instead.
    pub(super) fn mistake(&mut self, mut mistake: Mistake) {
        mistake.key = self.source_of(&mistake.key).to_owned();
        self.mistakes.push(mistake);
    }

    /// Returns the variable or the flag that has set a key, or the key itself.
    pub(super) fn source_of<'k>(&self, key: &'k str) -> &'k str {
        self.overridden.get(key).copied().unwrap_or(key)
    }

    /// Adds a warning.
    pub(super) fn warn(&mut self, warning: impl Into<String>) {
        self.warnings.push(warning.into());
    }

    /// Adds a mistake if a number is out of range.
    pub(super) fn check_range(&mut self, key: &str, value: impl TryInto<u64>, least: u64, most: u64) {
        // A value that does not fit the type, such as -1, already has a mistake with the range of the type. The narrower
        // range helps more. The value here is only the default.
        if let Some(mistake) = self.mistakes.iter_mut().find(|mistake| mistake.key == key) {
            mistake.rule = format!("must be a whole number from {least} to {most}");
            return;
        }
        let value = value.try_into().unwrap_or(u64::MAX);
        if !(least..=most).contains(&value) {
            self.mistake(Mistake::new(key, format!("must be from {least} to {most}")).value(value));
        }
    }

    /// Adds a mistake if a size in bytes is too small.
    pub(super) fn check_bytes_min(&mut self, key: &str, bytes: u64, least: u64) {
        // A value such as "10GB" has a mistake already. This rule helps more.
        if let Some(mistake) = self.mistakes.iter_mut().find(|mistake| mistake.key == key) {
            mistake.rule = format!("must be a whole number of bytes without quotes, at least {least}");
            return;
        }
        if bytes < least {
            self.mistake(Mistake::new(key, format!("must be at least {least}")).value(bytes));
        }
    }

    /// Whether this key or one below it has a mistake. Its value is then only a default, and no check may rely on it.
    pub(super) fn has_mistake_at(&self, key: &str) -> bool {
        let source = self.source_of(key);
        self.mistakes.iter().any(|mistake| is_at_or_below(&mistake.key, key) || is_at_or_below(&mistake.key, source))
    }
}
