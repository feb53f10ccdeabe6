//! Lists in pages. A page begins after a place, not after a count, so that what comes and goes meanwhile makes no gap and no
//! repetition.

use serde::Serialize;
use utoipa::ToSchema;

/// Where an item stands in its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(pub(super) i64, pub(super) i64);

impl Place {
    /// The token that a client gives back for what comes after this place, in answer to the same question.
    pub(super) fn token(self, question: u64) -> String {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&self.0.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.1.to_be_bytes());
        bytes[16..].copy_from_slice(&(question ^ mixed(self)).to_be_bytes());
        hex::encode(bytes)
    }

    /// The place of a token; `None` where it is none, or one for another question.
    pub(super) fn from_token(token: &str, question: u64) -> Option<Place> {
        let mut bytes = [0; 24];
        hex::decode_to_slice(token, &mut bytes).ok()?;
        let [value, number, seal] = [0, 8, 16].map(|at| {
            let mut part = [0; 8];
            part.copy_from_slice(&bytes[at..at + 8]);
            part
        });
        let place = Place(i64::from_be_bytes(value), i64::from_be_bytes(number));
        (u64::from_be_bytes(seal) == question ^ mixed(place)).then_some(place)
    }
}

/// Numbers of a place in one, so that a token with a changed place does not pass for a token. It protects from mistakes: who
/// makes a token of their own has only found another way to ask.
fn mixed(place: Place) -> u64 {
    let spread = 0x9e37_79b9_7f4a_7c15_u64;
    let first = (place.0 as u64).wrapping_mul(spread).rotate_left(29);
    (first ^ place.1 as u64).wrapping_mul(spread) ^ (first >> 31)
}

/// Some items of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Page<T> {
    /// In order.
    pub(super) items: Vec<T>,
    /// The token for what comes after them, as the parameter `page`; `null` where nothing does. A page may have few or no
    /// items and still have a `next`.
    pub(super) next: Option<String>,
}

impl<T> Page<T> {
    /// The page of at most `limit` items, of as many or one more, which shows that there is more. `place` tells where an
    /// item stands.
    pub(super) fn cut(mut items: Vec<T>, limit: usize, question: u64, place: impl Fn(&T) -> (i64, i64)) -> Page<T> {
        let has_more = items.len() > limit;
        items.truncate(limit);
        let last = items.last().map(place).filter(|_| has_more);
        Page { items, next: last.map(|(value, number)| Place(value, number).token(question)) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn tokens_lead_back_and_changed_ones_do_not(value in any::<i64>(), number in any::<i64>(), question in any::<u64>(), at in 0..48usize) {
            let place = Place(value, number);
            let token = place.token(question);
            prop_assert_eq!(Place::from_token(&token, question), Some(place));
            prop_assert_eq!(Place::from_token(&token, question ^ 1), None);
            let mut changed = token.into_bytes();
            changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
            prop_assert_eq!(Place::from_token(std::str::from_utf8(&changed).unwrap(), question), None);
        }
    }

    #[test]
    fn what_is_no_token_is_none() {
        for token in ["", "00", "zz", &"0".repeat(47), &"0".repeat(50), "直"] {
            assert_eq!(Place::from_token(token, 0), None, "{token}");
        }
    }
}
