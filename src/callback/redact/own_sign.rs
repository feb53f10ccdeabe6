//! The `sign` of the callback itself. With it, anyone can send other callbacks until it expires, so no copy may stay.

use super::unit::Unit;

const DIGITS: usize = 32;

/// The digits of a callback's `sign`.
#[derive(Clone, Debug)]
pub(super) struct OwnSign {
    digits: [u8; DIGITS],
}

impl OwnSign {
    pub(super) fn new(sign: [u8; 16]) -> OwnSign {
        let mut digits = [0; DIGITS];
        // It only fails for another length.
        let _ = hex::encode_to_slice(sign, &mut digits);
        OwnSign { digits }
    }

    /// Returns whether the text may hold a copy, without an escape, in either case.
    pub(super) fn may_be_in(&self, text: &str) -> bool {
        if text.len() < DIGITS {
            return false;
        }
        // A copy covers every 32nd byte of the text. Most of these bytes are not a digit of it, so few places are compared.
        let is_copy = |start: usize| {
            text.as_bytes().get(start..start + DIGITS).is_some_and(|copy| copy.eq_ignore_ascii_case(&self.digits))
        };
        let probes = text.as_bytes().iter().enumerate().skip(DIGITS - 1).step_by(DIGITS);
        probes.filter(|(_, byte)| byte.is_ascii_hexdigit()).any(|(last, _)| (last + 1 - DIGITS..=last).any(is_copy))
    }

    /// Returns the digits that a copy may start with.
    pub(super) fn first_digits(&self) -> [u8; 2] {
        [self.digits[0], self.digits[0].to_ascii_uppercase()]
    }

    /// Returns how many units a copy has, if the units start with one.
    pub(super) fn length_at<U: Unit>(&self, units: &[U]) -> Option<usize> {
        let is_copy = |(unit, digit): (&U, &u8)| unit.character().to_ascii_lowercase() == char::from(*digit);
        units.get(..DIGITS)?.iter().zip(&self.digits).all(is_copy).then_some(DIGITS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_found_at_any_place() {
        let sign = OwnSign::new([0xab; 16]);
        let digits = "aB".repeat(16);
        for before in 0..70 {
            let text = "x".repeat(before) + &digits;
            assert!(sign.may_be_in(&text) && sign.may_be_in(&(text.clone() + "yy")), "{before}");
            assert!(!sign.may_be_in(&text[..text.len() - 1]), "{before}");
        }
    }
}
