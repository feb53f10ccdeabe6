//! The partition of a key, as the Java client of Kafka and most others choose it, so that all producers of a topic agree.

/// Returns the partition of a key, from 0 to `count` - 1.
pub(super) fn partition(key: &[u8], count: usize) -> i32 {
    let count = i32::try_from(count).unwrap_or(i32::MAX).max(1);
    // The sign bit is cleared, not the number negated.
    (murmur2(key) & 0x7fff_ffff).cast_signed() % count
}

/// The hash Murmur2 with the seed of Kafka.
fn murmur2(bytes: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    let mut hash = SEED ^ u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let (words, rest) = bytes.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    for (position, byte) in rest.iter().enumerate().rev() {
        hash ^= u32::from(*byte) << (8 * position);
    }
    if !rest.is_empty() {
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of Kafka's own test, `UtilsTest.testMurmur2`.
    #[test]
    fn hashes_are_those_of_the_java_client() {
        for (key, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), hash, "{key}");
        }
    }

    #[test]
    fn partitions_are_in_range() {
        for key in ["", "a", "push.example.com/live/demo"] {
            for count in [0, 1, 3, 12] {
                assert!((0..i32::try_from(count.max(1)).unwrap()).contains(&partition(key.as_bytes(), count)));
            }
        }
    }
}
