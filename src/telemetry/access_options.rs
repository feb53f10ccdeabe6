//! The options of the access log.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

/// The table `log.access`, for example `access = { sample = 0.01 }`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct AccessOptions {
    /// The share of successful requests that the log has. It has every other request.
    pub sample: Share,
}

/// A number from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    pub(super) per_million: u32,
}

impl Share {
    /// Decides by chance, true with the probability of this share.
    pub fn decides(self) -> bool {
        fastrand::u32(0..1_000_000) < self.per_million
    }
}

impl fmt::Display for Share {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        (f64::from(self.per_million) / 1e6).fmt(formatter)
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Share, D::Error> {
        deserializer.deserialize_any(ShareVisitor)
    }
}

struct ShareVisitor;

impl Visitor<'_> for ShareVisitor {
    type Value = Share;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a number")
    }

    fn visit_f64<E: Error>(self, share: f64) -> Result<Share, E> {
        if (0.0..=1.0).contains(&share) {
            return Ok(Share { per_million: (share * 1e6).round() as u32 });
        }
        Err(E::custom("must be a number from 0 to 1; for example 0.01 for one request of a hundred"))
    }

    fn visit_i64<E: Error>(self, share: i64) -> Result<Share, E> {
        self.visit_f64(share as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<AccessOptions, String> {
        toml::from_str(text).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn share_is_from_0_to_1() {
        for (text, per_million) in [("0", 0), ("0.0", 0), ("0.01", 10_000), ("1", 1_000_000), ("1.0", 1_000_000)] {
            assert_eq!(read(&format!("sample = {text}")).unwrap().sample, Share { per_million }, "{text}");
        }
        for text in ["-0.1", "1.1", "2", "-1", "nan"] {
            assert!(
                read(&format!("sample = {text}")).unwrap_err().starts_with("must be a number from 0 to 1"),
                "{text}"
            );
        }
    }

    #[test]
    fn share_decides_by_chance() {
        let decided = |per_million| (0..10_000).filter(|_| Share { per_million }.decides()).count();
        assert_eq!((decided(0), decided(1_000_000)), (0, 10_000));
        assert!((50..200).contains(&decided(10_000)));
    }
}
