//! A block of the dedupe window: which records of consecutive offsets may have a given id, in six bytes each.
//!
//! A whole id takes 16 bytes. The block keeps some bits of its hash, so another id may look the same. That is rare, and
//! [`KnownIds`](super::known_ids::KnownIds) then compares the stored id.

use super::super::Offset;

/// A hash table with open addressing. The low bits of an entry are the position of a record in the block, the high ones are bits
/// of the hash of its id. The hash bits are never all 0, so no entry is 0, and 0 is an empty slot.
pub(super) struct IdBlock {
    first: Offset,
    position_bits: u32,
    slots: Vec<u32>,
}

impl IdBlock {
    /// Makes an empty block for `2 ^ position_bits` records from `first` on. With more bits for the position, fewer are left for
    /// the hash.
    pub(super) fn new(first: Offset, position_bits: u32) -> IdBlock {
        // Two thirds are used at most, so that a search soon meets an empty slot.
        IdBlock { first, position_bits, slots: vec![0; 3 << (position_bits - 1)] }
    }

    /// The offset after the last record that fits.
    pub(super) fn end(&self) -> Offset {
        Offset(self.first.0 + (1 << self.position_bits))
    }

    /// Adds the record at an offset of the block, by the hash of its id. Each offset may be added once.
    pub(super) fn insert(&mut self, offset: Offset, hash: u64) {
        debug_assert!((self.first..self.end()).contains(&offset));
        let mut slot = self.slot(hash);
        while self.slots[slot] != 0 {
            slot = self.after(slot);
        }
        self.slots[slot] = (self.mark(hash) << self.position_bits) | (offset.0 - self.first.0) as u32;
    }

    /// Returns the offsets of the records whose id may have this hash: all that have it, and seldom others.
    pub(super) fn candidates(&self, hash: u64) -> impl Iterator<Item = Offset> {
        let mark = self.mark(hash);
        let mut slot = self.slot(hash);
        let run = std::iter::from_fn(move || {
            let entry = self.slots[slot];
            slot = self.after(slot);
            (entry != 0).then_some(entry)
        });
        let position_mask = (1 << self.position_bits) - 1;
        run.filter(move |entry| entry >> self.position_bits == mark)
            .map(move |entry| Offset(self.first.0 + i64::from(entry & position_mask)))
    }

    /// The bits of a hash that an entry keeps.
    fn mark(&self, hash: u64) -> u32 {
        (hash as u32 >> self.position_bits).max(1)
    }

    /// The slot at which the search for a hash begins. It depends on other bits of the hash than [`IdBlock::mark`].
    fn slot(&self, hash: u64) -> usize {
        (((hash >> 32) * self.slots.len() as u64) >> 32) as usize
    }

    fn after(&self, slot: usize) -> usize {
        if slot + 1 == self.slots.len() { 0 } else { slot + 1 }
    }
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use hashbrown::DefaultHashBuilder;

    use super::*;

    #[test]
    fn full_block_finds_each_record() {
        let hasher = DefaultHashBuilder::default();
        let mut block = IdBlock::new(Offset(1000), 12);
        assert_eq!(size_of_val(&block.slots[..]), 6 * 4096, "six bytes a record");
        for offset in 1000..block.end().0 {
            block.insert(Offset(offset), hasher.hash_one(offset));
        }
        for offset in 1000..block.end().0 {
            assert!(block.candidates(hasher.hash_one(offset)).any(|found| found == Offset(offset)));
        }
        let others = (0..1000_i64).map(|other| block.candidates(hasher.hash_one(other)).count());
        assert!(others.sum::<usize>() < 10, "20 bits of the hash tell nearly all ids apart");
    }

    /// The worst hashes: their searches begin at the last slot, and their marks are the same.
    #[test]
    fn equal_hashes_are_all_candidates() {
        let mut block = IdBlock::new(Offset(7), 4);
        for offset in 7..23 {
            block.insert(Offset(offset), 0xffff_ffff_0000_0000);
        }
        let found: Vec<_> = block.candidates(0xffff_ffff_0000_0000).collect();
        assert_eq!(found, (7..23).map(Offset).collect::<Vec<_>>());
        assert_eq!(block.candidates(0xffff_ffff_8000_0000).count(), 0, "another mark");
        assert_eq!(block.candidates(0).next(), Some(Offset(8)), "the search for 0 begins at the second entry");
    }
}
