//! What the search looks for in one callback: the names of secret parameters, and copies of the callback's own `sign`.

use super::names::SecretNames;
use super::own_sign::OwnSign;
use super::unit::Unit;

/// The secrets of a callback.
pub(super) struct Secrets<'r> {
    names: &'r SecretNames,
    own_sign: Option<OwnSign>,
    /// For each ASCII character, whether a name, a copy of the own `sign` or a quote starts with it.
    is_first: [bool; 128],
}

impl<'r> Secrets<'r> {
    pub(super) fn new(names: &'r SecretNames, own_sign: Option<OwnSign>) -> Secrets<'r> {
        let mut is_first = *names.is_first();
        for digit in own_sign.iter().flat_map(OwnSign::first_digits) {
            is_first[usize::from(digit)] = true;
        }
        Secrets { names, own_sign, is_first }
    }

    /// Returns whether the text may hold a name, the key of a signature or a copy of the own `sign`. This check is cheap.
    pub(super) fn may_be_in(&self, text: &str) -> bool {
        self.names.may_be_in(text) || self.own_sign.as_ref().is_some_and(|sign| sign.may_be_in(text))
    }

    /// Returns whether a name, a copy of the own `sign` or a quote may start with this character.
    pub(super) fn may_start_with(&self, character: char) -> bool {
        self.is_first.get(character as usize).is_none_or(|is_first| *is_first)
    }

    /// Returns the length of the name that the units start with.
    pub(super) fn name_length_at(&self, units: &[impl Unit]) -> Option<usize> {
        self.names.length_at(units)
    }

    /// Returns the length of the copy of the own `sign` that the units start with.
    pub(super) fn sign_length_at(&self, units: &[impl Unit]) -> Option<usize> {
        self.own_sign.as_ref()?.length_at(units)
    }
}
