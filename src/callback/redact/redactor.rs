//! Replaces the values of secret parameters in the members of a callback.

use std::borrow::Cow;

use super::json_strings::{next_string, value_length};
use super::search::SecretNames;
use crate::callback::json;
use crate::callback::vendor_members::is_vendor_member;

/// Replaces a secret.
const REDACTED: &str = "REDACTED";

/// Replaces a JSON value that is a secret.
pub(super) const REDACTED_STRING: &str = "\"REDACTED\"";

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

    /// Returns the name and the compact value of a member of a callback without secrets. Borrows a part if nothing in it changes.
    ///
    /// The name of one of the vendor's members hides nothing: `code` is in `errcode`, and `id` in `stream_id`. Only what such a
    /// member holds is searched.
    pub(in crate::callback) fn member<'m>(&self, name: &'m str, value: &'m str) -> (Cow<'m, str>, Cow<'m, str>) {
        // In this order, because the first check is cheap and rules out nearly all names.
        if !self.names.may_be_in(name) || is_vendor_member(name) {
            return (Cow::Borrowed(name), self.redact(value));
        }
        // The search reads JSON strings, so the name is written as one.
        let mut quoted = String::with_capacity(name.len() + 16);
        json::write_string(&mut quoted, name);
        let value = match self.names.find_in(&quoted[1..quoted.len() - 1]).ends_in_name {
            true => Cow::Borrowed(REDACTED_STRING),
            false => self.redact(value),
        };
        let name = match self.redact(&quoted) {
            Cow::Borrowed(_) => Cow::Borrowed(name),
            Cow::Owned(redacted) => Cow::Owned(json::string(&redacted).unwrap_or_default().into_owned()),
        };
        (name, value)
    }

    /// Returns a JSON text (compact, valid) with every secret replaced. The result is valid too.
    pub(super) fn redact<'v>(&self, value: &'v str) -> Cow<'v, str> {
        if !self.names.may_be_in(value) {
            return Cow::Borrowed(value);
        }
        let mut output = String::new();
        let mut kept = 0; // everything before is in `output`
        let mut position = 0;
        let mut changed_names = 0;
        while let Some(string) = next_string(value, position) {
            position = string.end + 1;
            let found = self.names.find_in(&value[string.clone()]);
            let is_changed_name = !found.secrets.is_empty() && value[position..].starts_with(':');
            changed_names += usize::from(is_changed_name);
            for secret in found.secrets {
                output.push_str(&value[kept..string.start + secret.start]);
                output.push_str(REDACTED);
                // Names that differ in their secrets alone would become equal.
                if is_changed_name && changed_names > 1 {
                    output.push_str(&format!("-{changed_names}"));
                }
                kept = string.start + secret.end;
            }
            if found.ends_in_name
                && let Some(member) = value[position..].strip_prefix(':')
                && let Some(length) = value_length(member)
            {
                output.push_str(&value[kept..=position]);
                output.push_str(REDACTED_STRING);
                position += 1 + length;
                kept = position;
            }
        }
        if kept == 0 {
            return Cow::Borrowed(value);
        }
        output.push_str(&value[kept..]);
        Cow::Owned(output)
    }
}

impl Default for Redactor {
    fn default() -> Redactor {
        Redactor::new([])
    }
}
