//! The name of a livehook instance. The events that livehook makes itself have it in their `source`.

use std::fmt;

use serde::{Deserialize, Deserializer};

/// The name of an instance: 1 to 64 of `a`-`z`, `0`-`9`, `-` and `_`, for example `default`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceName(Box<str>);

/// A text that cannot be the name of an instance.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("must be 1 to 64 of the characters a-z, 0-9, - and _")]
pub struct InvalidInstanceName;

impl InstanceName {
    /// Checks a name.
    ///
    /// # Errors
    /// The text has other characters, none, or more than 64.
    pub fn new(text: &str) -> Result<InstanceName, InvalidInstanceName> {
        if is_name(text) { Ok(InstanceName(text.into())) } else { Err(InvalidInstanceName) }
    }
}

/// Returns whether a text is 1 to 64 of `a`-`z`, `0`-`9`, `-` and `_`. So it can be the label of a metric and a part of a URL.
pub(crate) fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
}

impl Default for InstanceName {
    fn default() -> InstanceName {
        InstanceName("default".into())
    }
}

impl fmt::Display for InstanceName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for InstanceName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<InstanceName, D::Error> {
        InstanceName::new(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
