//! Replaces the secrets in the members of one callback.

use std::borrow::Cow;

use super::edits::Edits;
use super::json_strings::{next_string, value_length};
use super::names::SecretNames;
use super::own_sign::OwnSign;
use super::pairs::Pairs;
use super::search::{self, Found};
use super::secrets::Secrets;
use crate::callback::json;

/// Replaces a secret.
const REDACTED: &str = "REDACTED";

/// Replaces a JSON value that is a secret.
pub(in crate::callback) const REDACTED_STRING: &str = "\"REDACTED\"";

/// Replaces the secrets of one callback.
pub(in crate::callback) struct Redaction<'r> {
    secrets: Secrets<'r>,
}

impl<'r> Redaction<'r> {
    pub(super) fn new(names: &'r SecretNames, own_sign: Option<OwnSign>) -> Redaction<'r> {
        Redaction { secrets: Secrets::new(names, own_sign) }
    }

    /// Returns the name and the compact value of a member of a callback without secrets. Borrows a part if nothing in it changes.
    /// Not for the vendor's own members: see [`crate::callback::members::redacted`].
    pub(in crate::callback) fn member<'m>(&self, name: &'m str, value: &'m str) -> (Cow<'m, str>, Cow<'m, str>) {
        if !self.secrets.may_be_in(name) {
            let value = if is_signature(name, value) { Cow::Borrowed(REDACTED_STRING) } else { self.redact(value) };
            return (Cow::Borrowed(name), value);
        }
        // The search reads JSON strings, so the name is written as one.
        let mut quoted = String::with_capacity(name.len() + 16);
        json::write_string(&mut quoted, name);
        let value = match self.find_in(&quoted[1..quoted.len() - 1]).ends_in_name {
            true => Cow::Borrowed(REDACTED_STRING),
            false => self.redact(value),
        };
        let name = match self.redact(&quoted) {
            Cow::Borrowed(_) => Cow::Borrowed(name),
            Cow::Owned(redacted) => Cow::Owned(json::string(&redacted).unwrap_or_default().into_owned()),
        };
        (name, value)
    }

    /// Returns whether a value (compact JSON) is a string that is a secret name, as in `"name":"txSecret"`.
    pub(in crate::callback) fn is_name(&self, value: &str) -> bool {
        let inner = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        inner.is_some_and(|inner| self.find_in(inner).is_name)
    }

    /// Returns a JSON text (compact, valid) with every secret replaced. The result is valid too.
    pub(in crate::callback) fn redact<'v>(&self, value: &'v str) -> Cow<'v, str> {
        if let Some(inner) = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) {
            return self.redact_string(value, inner);
        }
        // A number and a word such as `true` hold no string.
        if !value.starts_with(['{', '[']) || !self.secrets.may_be_in(value) {
            return Cow::Borrowed(value);
        }
        let mut edits = Edits::default();
        let mut pairs = Pairs::default();
        let mut position = 0;
        let mut changed_names = 0;
        while let Some(string) = next_string(value, position) {
            pairs.pass(value, position..string.start - 1, |part| edits.replace(part, REDACTED_STRING));
            position = string.end + 1;
            let text = &value[string.clone()];
            let found = self.find_in(text);
            let member = value[position..].strip_prefix(':');
            let is_changed_name = member.is_some() && !found.secrets.is_empty();
            changed_names += usize::from(is_changed_name);
            for secret in found.secrets {
                // Names that differ in their secrets alone would become equal.
                let replacement = match is_changed_name && changed_names > 1 {
                    true => Cow::Owned(format!("{REDACTED}-{changed_names}")),
                    false => Cow::Borrowed(REDACTED),
                };
                edits.replace(string.start + secret.start..string.start + secret.end, replacement);
            }
            let Some(member) = member else {
                if found.is_name {
                    pairs.add_name();
                }
                continue;
            };
            let start = position + 1;
            let length = value_length(member).unwrap_or_default();
            let name = json::string(&value[string.start - 1..string.end + 1]).unwrap_or_default();
            if found.ends_in_name || is_signature(&name, &member[..length]) {
                edits.replace(start..start + length, REDACTED_STRING);
                position = start + length;
            } else if search::names_a_value(&name) {
                pairs.add_value(start);
            }
        }
        pairs.pass(value, position..value.len(), |part| edits.replace(part, REDACTED_STRING));
        edits.apply(value)
    }

    /// Like [`Redaction::redact`], for a value that is one string with this text between its quotes.
    fn redact_string<'v>(&self, value: &'v str, inner: &str) -> Cow<'v, str> {
        if !self.secrets.may_be_in(inner) {
            return Cow::Borrowed(value);
        }
        let mut edits = Edits::default();
        for secret in search::find(inner, &self.secrets).secrets {
            edits.replace(secret.start + 1..secret.end + 1, REDACTED);
        }
        edits.apply(value)
    }

    fn find_in(&self, string: &str) -> Found {
        if self.secrets.may_be_in(string) { search::find(string, &self.secrets) } else { Found::default() }
    }
}

/// Returns whether a member is a signature or its expiry, other than the callback's own `sign` and `t`: a deeper one, or one whose
/// name is in another case. The value is compact JSON.
fn is_signature(name: &str, value: &str) -> bool {
    let text = || value.trim_matches('"').trim();
    // Nearly every name starts and ends in a letter, and then there is nothing to trim.
    let is_trimmed =
        [name.as_bytes().first(), name.as_bytes().last()].iter().flatten().all(|byte| byte.is_ascii_graphic());
    match if is_trimmed { name } else { name.trim() } {
        name if name.eq_ignore_ascii_case("sign") => search::may_be_sign(text().len()),
        name if name.eq_ignore_ascii_case("t") => search::may_be_expiry(text().chars()),
        _ => false,
    }
}
