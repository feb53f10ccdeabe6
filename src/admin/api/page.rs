//! Lists in pages. A page begins after a place, not after a count, so items that come and go cause no gap and no repetition.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::query::value;
use crate::admin::problem::Problem;

/// How many items a page can have.
const LIMIT_MAX: usize = 1000;

/// The position of an item in its list: the value that the list is sorted by, and a number for items of the same value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(pub(super) i64, pub(super) i64);

impl Place {
    /// Returns the token that a client sends to get the items after this place. It is valid for the list with this
    /// [digest](super::query::Query::digest).
    fn token(self, digest: u64) -> String {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&self.0.to_be_bytes());
        bytes[8..16].copy_from_slice(&self.1.to_be_bytes());
        bytes[16..].copy_from_slice(&(digest ^ mixed(self)).to_be_bytes());
        // Hex needs no escapes in a URL.
        hex::encode(bytes)
    }

    /// Returns the place of a token; `None` if the token is malformed or is valid for another list.
    fn from_token(token: &str, digest: u64) -> Option<Place> {
        let mut bytes = [0; 24];
        hex::decode_to_slice(token, &mut bytes).ok()?;
        let [value, number, seal] = [0, 8, 16].map(|at| {
            let mut part = [0; 8];
            part.copy_from_slice(&bytes[at..at + 8]);
            part
        });
        let place = Place(i64::from_be_bytes(value), i64::from_be_bytes(number));
        (u64::from_be_bytes(seal) == digest ^ mixed(place)).then_some(place)
    }
}

/// Mixes both numbers of a place into one, so that a token with a changed place is refused. This finds mistakes. It keeps no
/// secret: a client that forges a token reads nothing that other parameters would not show.
fn mixed(place: Place) -> u64 {
    let spread = 0x9e37_79b9_7f4a_7c15_u64;
    let first = (place.0 as u64).wrapping_mul(spread).rotate_left(29);
    (first ^ place.1 as u64).wrapping_mul(spread) ^ (first >> 31)
}

/// How many items a page has at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limit(usize);

impl Default for Limit {
    fn default() -> Limit {
        Limit(100)
    }
}

impl std::str::FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Limit, String> {
        let limit = text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
        limit.map(Limit).ok_or_else(|| format!("must be a whole number from 1 to {LIMIT_MAX}"))
    }
}

/// The part of a list to return.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(super) struct PageParameters {
    /// How many items the page has at most.
    #[serde(deserialize_with = "value")]
    #[param(value_type = u32, required = false, default = 100, minimum = 1, maximum = 1000)]
    limit: Option<Limit>,
    /// `next` of the page before. Send it with the same other parameters; only `limit` may change.
    #[param(value_type = String, required = false, pattern = "^[0-9a-fA-F]{48}$")]
    page: Option<String>,
}

impl PageParameters {
    /// Returns the requested page of the list with this [digest](super::query::Query::digest).
    pub(super) fn request(self, digest: u64) -> Result<PageRequest, Problem> {
        let after = self.page.map(|token| {
            Place::from_token(&token, digest).ok_or_else(|| {
                Problem::parameter(
                    "page",
                    "is not a token of this list with these parameters: send `next` of the page before, with all other parameters unchanged",
                )
            })
        });
        Ok(PageRequest { limit: self.limit.unwrap_or_default().0, after: after.transpose()?, digest })
    }
}

/// The part of a list that a request asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct PageRequest {
    /// How many items the page has at most.
    pub(super) limit: usize,
    /// The page begins after this place; `None` for the first page.
    pub(super) after: Option<Place>,
    digest: u64,
}

impl PageRequest {
    /// Returns the page of these items. `next` is the place after which the next page begins, if there is one.
    pub(super) fn page<T>(&self, items: Vec<T>, next: Option<Place>) -> Page<T> {
        Page { items, next: next.map(|place| place.token(self.digest)) }
    }

    /// Returns the page of at most [`PageRequest::limit`] items. One item more shows that there is a next page. `place`
    /// returns the place of an item.
    pub(super) fn cut<T>(&self, mut items: Vec<T>, place: impl Fn(&T) -> Place) -> Page<T> {
        let has_more = items.len() > self.limit;
        items.truncate(self.limit);
        let last = items.last().map(place);
        self.page(items, last.filter(|_| has_more))
    }
}

/// Some items of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Page<T> {
    /// The items, in order.
    pub(super) items: Vec<T>,
    /// The token of the next page, for the parameter `page`; `null` on the last page. A page can have few or no items and
    /// still have a `next`.
    pub(super) next: Option<String>,
}

impl<T> Page<T> {
    /// Returns a list that is always one page.
    pub(super) fn only(items: Vec<T>) -> Page<T> {
        Page { items, next: None }
    }

    /// Returns the same page with other items.
    pub(super) fn map<U>(self, map: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(map).collect(), next: self.next }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn tokens_are_sealed(value in any::<i64>(), number in any::<i64>(), digest in any::<u64>(), at in 0..48usize) {
            let place = Place(value, number);
            let token = place.token(digest);
            prop_assert_eq!(Place::from_token(&token, digest), Some(place));
            prop_assert_eq!(Place::from_token(&token, digest ^ 1), None);
            let mut changed = token.into_bytes();
            changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
            prop_assert_eq!(Place::from_token(std::str::from_utf8(&changed).unwrap(), digest), None);
        }
    }

    #[test]
    fn malformed_token_has_no_place() {
        for token in ["", "00", "zz", &"0".repeat(47), &"0".repeat(50), "直"] {
            assert_eq!(Place::from_token(token, 0), None, "{token}");
        }
    }

    #[test]
    fn limit_has_bounds() {
        assert_eq!(("1".parse(), "1000".parse()), (Ok(Limit(1)), Ok(Limit(1000))));
        for text in ["", "0", "-1", "1001", "1e3"] {
            assert!(text.parse::<Limit>().is_err(), "{text}");
        }
    }

    #[test]
    fn one_item_more_shows_a_next_page() {
        let request = PageRequest { limit: 2, after: None, digest: 7 };
        assert_eq!(request.cut(vec![1, 2], |item| Place(*item, 0)).next, None);
        let page = request.cut(vec![1, 2, 3], |item| Place(*item, 0));
        assert_eq!((page.items, page.next), (vec![1, 2], Some(Place(2, 0).token(7))));
        assert_eq!(request.cut(Vec::new(), |item| Place(*item, 0)).next, None);
    }
}
