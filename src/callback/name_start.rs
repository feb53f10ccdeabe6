//! The start of a member's name as a number. Two numbers are compared faster than two texts.

/// Returns the first eight bytes of a name as a number; missing bytes are 0. Names sort as their numbers do, unless these are equal.
pub(super) const fn name_start(name: &str) -> u64 {
    let bytes = name.as_bytes();
    if let Some(first) = bytes.first_chunk() {
        return u64::from_be_bytes(*first);
    }
    let mut start = 0;
    let mut position = 0;
    while position < 8 {
        let byte = if position < bytes.len() { bytes[position] } else { 0 };
        start = start << 8 | byte as u64;
        position += 1;
    }
    start
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn names_sort_by_their_starts(names in prop::collection::vec("[\u{0}a\u{e9}]{0,10}", 2)) {
            let by_start = |name: &str| (name_start(name), name.to_owned());
            prop_assert_eq!(by_start(&names[0]).cmp(&by_start(&names[1])), names[0].cmp(&names[1]));
        }
    }
}
