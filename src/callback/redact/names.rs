//! The names of secret parameters, and a cheap check whether a text may hold one.

use std::cmp::Reverse;

use super::escapes::may_be_entity;
use super::unit::{Unit, starts_with};
use super::work;

/// Letters that are rare in callbacks, the rarest first.
const RARE: &[u8] = b"qzjxkwvybgp";

/// The names of secret parameters. They are compared without the case of ASCII letters.
#[derive(Clone, Debug)]
pub(super) struct SecretNames {
    names: Vec<Name>,
    /// For each byte, whether [`SecretNames::is_suspicion`] must look at it.
    is_suspicious: [bool; 256],
    /// For each ASCII character, whether it is a quote, or a name starts with it, in either case.
    is_first: [bool; 128],
}

#[derive(Clone, Debug)]
struct Name {
    text: Box<str>,
    /// The place of its rarest byte. The check looks for this byte first.
    anchor: usize,
}

impl SecretNames {
    /// Takes the names. Empty ones are ignored.
    pub(super) fn new<'n>(names: impl Iterator<Item = &'n str>) -> SecretNames {
        let mut names: Vec<Name> = names.filter(|name| !name.is_empty()).map(Name::new).collect();
        // One name may start with another, and the search takes the first that fits.
        names.sort_by_key(|name| Reverse(name.text.len()));
        let mut is_suspicious = [false; 256];
        for byte in names.iter().map(|name| name.text.as_bytes()[name.anchor]).chain(*b"%\\&\"'") {
            is_suspicious[usize::from(byte.to_ascii_lowercase())] = true;
            is_suspicious[usize::from(byte.to_ascii_uppercase())] = true;
        }
        let mut is_first = [false; 128];
        for first in names.iter().map(|name| name.text.as_bytes()[0]).filter(u8::is_ascii).chain(*b"\"'") {
            is_first[usize::from(first.to_ascii_lowercase())] = true;
            is_first[usize::from(first.to_ascii_uppercase())] = true;
        }
        SecretNames { names, is_suspicious, is_first }
    }

    /// Returns false only if the text certainly holds neither a name nor the key of a signature. This check is cheap, and enough
    /// for almost every member.
    pub(super) fn may_be_in(&self, text: &str) -> bool {
        work::count(text.len());
        let bytes = text.as_bytes();
        let is_suspicious = |byte: &u8| self.is_suspicious[usize::from(*byte)];
        // Without a branch for each byte, because nearly all texts have no suspicious byte.
        if !bytes.iter().fold(false, |is_any, byte| is_any | is_suspicious(byte)) {
            return false;
        }
        let suspicious = bytes.iter().enumerate().filter(|(_, byte)| is_suspicious(byte));
        suspicious.map(|(position, _)| position).any(|position| self.is_suspicion(bytes, position))
    }

    fn is_suspicion(&self, bytes: &[u8], position: usize) -> bool {
        let rest = &bytes[position + 1..];
        let hides = match bytes[position] {
            b'%' => rest.first().is_some_and(|next| next.is_ascii_hexdigit() || matches!(next, b'u' | b'U')),
            // Of the escapes of JSON itself, only these can stand for a letter of a name or for the start of another escape.
            b'\\' => matches!(rest.first(), Some(b'u' | b'\\')),
            b'&' => may_be_entity(rest),
            quote @ (b'"' | b'\'') => is_signature_key(rest, quote),
            _ => false,
        };
        hides || self.names.iter().any(|name| name.is_at(bytes, position))
    }

    /// For each ASCII character, whether it is a quote, or a name starts with it. Names may start with any other character.
    pub(super) fn is_first(&self) -> &[bool; 128] {
        &self.is_first
    }

    /// Returns the length of the name that the units start with.
    pub(super) fn length_at(&self, units: &[impl Unit]) -> Option<usize> {
        let name = self.names.iter().find(|name| starts_with(units, &name.text))?;
        Some(name.text.chars().count())
    }
}

impl Name {
    fn new(text: &str) -> Name {
        let place = |rare: &u8| text.bytes().position(|byte| byte.eq_ignore_ascii_case(rare));
        Name { text: text.into(), anchor: RARE.iter().find_map(place).unwrap_or(0) }
    }

    /// Returns whether the bytes hold the name with its anchor at `position`.
    fn is_at(&self, bytes: &[u8], position: usize) -> bool {
        let start = position.checked_sub(self.anchor);
        let found = start.and_then(|start| bytes.get(start..start + self.text.len()));
        found.is_some_and(|found| found.eq_ignore_ascii_case(self.text.as_bytes()))
    }
}

/// Returns whether the bytes after a quote are the rest of a key `sign` or `t`, such as `t":1`.
fn is_signature_key(bytes: &[u8], quote: u8) -> bool {
    let is_filler = |byte: &u8| byte.is_ascii_whitespace() || *byte == b'\\';
    let start = bytes.iter().take_while(|byte| is_filler(byte)).count();
    let letters = bytes[start..].iter().take_while(|byte| byte.is_ascii_alphabetic()).take(5).count();
    let key = &bytes[start..start + letters];
    if !key.eq_ignore_ascii_case(b"sign") && !key.eq_ignore_ascii_case(b"t") {
        return false;
    }
    bytes[start + letters..].iter().find(|byte| !is_filler(byte)) == Some(&quote)
}
