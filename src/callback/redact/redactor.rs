//! The secrets that livehook replaces in every callback.

use std::borrow::Cow;

use super::names::SecretNames;
use super::own_sign::OwnSign;
use super::redaction::Redaction;

#[cfg(test)]
mod tests;

/// Replaces the values of named parameters. A longer name that ends in one of the names counts too: `mytxSecret` as `txSecret`.
#[derive(Clone, Debug)]
pub struct Redactor {
    names: SecretNames,
}

impl Redactor {
    /// Redacts `txSecret` and the parameters named in addition. Names are compared without case, and empty ones are ignored.
    pub fn new<'n>(additional: impl IntoIterator<Item = &'n str>) -> Redactor {
        Redactor { names: SecretNames::new(std::iter::once("txSecret").chain(additional)) }
    }

    /// Returns the redaction of a callback. It replaces copies of the callback's own `sign` too.
    pub(in crate::callback) fn of_callback(&self, sign: Option<[u8; 16]>) -> Redaction<'_> {
        Redaction::new(&self.names, sign.map(OwnSign::new))
    }

    /// Returns a JSON text (compact, valid) with every secret replaced. The result is valid too.
    pub(super) fn redact<'v>(&self, value: &'v str) -> Cow<'v, str> {
        self.of_callback(None).redact(value)
    }
}

impl Default for Redactor {
    fn default() -> Redactor {
        Redactor::new([])
    }
}
