//! The dedupe window: which of the newest records may have a given id, bounded by age and by number.
//!
//! Ages are measured on the monotonic clock, so a jump of the system clock neither empties the window nor stops it.

use std::collections::VecDeque;
use std::hash::BuildHasher;

use hashbrown::DefaultHashBuilder;

use super::super::Offset;
use super::id_block::IdBlock;
use crate::callback::EventId;

/// About how many blocks cover the window. With fewer, more memory would hold forgotten ids. With more, each event would search
/// more blocks.
const BLOCKS: u32 = 8;

/// At least 10 bits hold the position in a block. At most 22, because a block soon takes its whole memory (24 MiB), and so that 10
/// bits are left for the hash.
const POSITION_BITS: (u32, u32) = (10, 22);

/// The records of one second.
#[derive(Clone, Copy)]
struct Second {
    /// When they were stored, in monotonic seconds.
    stamp_secs: u32,
    /// The offset after the last of them.
    end: Offset,
}

/// The newest records, by their ids. Records that a salvage could not save are counted too.
pub(super) struct Window {
    /// Oldest first. The first block may also have records that are forgotten.
    blocks: VecDeque<IdBlock>,
    /// When the records were stored, oldest first.
    seconds: VecDeque<Second>,
    /// The oldest record that is remembered.
    first: Offset,
    /// The offset after the newest record.
    end: Offset,
    /// It has a random seed, so that no sender can prepare ids with equal hashes.
    hasher: DefaultHashBuilder,
    span_secs: u32,
    ids_max: u32,
    /// Whether `ids_max` removed an id before its time.
    is_cut: bool,
}

impl Window {
    /// Makes an empty window that remembers ids for `span_secs`, and at most `ids_max` of them after each [`Window::forget`].
    pub(super) fn new(span_secs: u32, ids_max: u32) -> Window {
        Window {
            blocks: VecDeque::new(),
            seconds: VecDeque::new(),
            first: Offset(0),
            end: Offset(0),
            hasher: DefaultHashBuilder::default(),
            span_secs,
            ids_max,
            is_cut: false,
        }
    }

    /// Keeps to other limits from the next [`Window::forget`] on.
    pub(super) fn set_limits(&mut self, span_secs: u32, ids_max: u32) {
        (self.span_secs, self.ids_max) = (span_secs, ids_max);
    }

    /// The number of ids.
    pub(super) fn len(&self) -> usize {
        (self.end.0 - self.first.0) as usize
    }

    /// The offset of the oldest record that the window remembers. If the window is empty, the offset after the last record that it
    /// forgot; 0 if it never had one.
    pub(super) fn first(&self) -> Offset {
        self.first
    }

    /// Where the window ends: the offset after the newest record, or 0.
    pub(super) fn end(&self) -> Offset {
        self.end
    }

    /// Returns the offsets of the remembered records from `from` on that may have this id: all that have it, and seldom others.
    pub(super) fn candidates(&self, id: EventId, from: Offset) -> impl Iterator<Item = Offset> {
        let (hash, from) = (self.hasher.hash_one(id), from.max(self.first));
        let blocks = self.blocks.iter().rev().take_while(move |block| block.end() > from);
        blocks.flat_map(move |block| block.candidates(hash)).filter(move |offset| *offset >= from)
    }

    /// Remembers the id of a record from `now_secs` on. Its offset must be at least [`Window::end`].
    pub(super) fn insert(&mut self, offset: Offset, id: EventId, now_secs: u32) {
        if self.len() == 0 {
            self.first = offset;
        }
        self.end = offset.next();
        match self.seconds.back_mut() {
            Some(second) if second.stamp_secs == now_secs => second.end = self.end,
            _ => self.seconds.push_back(Second { stamp_secs: now_secs, end: self.end }),
        }
        let hash = self.hasher.hash_one(id);
        match self.blocks.back_mut() {
            Some(block) if offset < block.end() => block.insert(offset, hash),
            _ => {
                let mut block = IdBlock::new(offset, position_bits(self.ids_max));
                block.insert(offset, hash);
                self.blocks.push_back(block);
            }
        }
    }

    /// Forgets the ids that are older than the span, and the oldest ones if they are too many.
    pub(super) fn forget(&mut self, now_secs: u32) {
        while let Some(oldest) = self.seconds.front()
            && now_secs.saturating_sub(oldest.stamp_secs) > self.span_secs
        {
            self.forget_before(oldest.end);
            // From here on, age is the bound again.
            self.is_cut = false;
        }
        if self.len() > self.ids_max as usize {
            self.forget_before(Offset(self.end.0 - i64::from(self.ids_max)));
            self.is_cut = true;
        }
    }

    /// For how long duplicates are recognised, in seconds: the span, or less if `ids_max` cut it short.
    pub(super) fn true_span_secs(&self, now_secs: u32) -> u32 {
        match self.seconds.front() {
            Some(oldest) if self.is_cut => now_secs.saturating_sub(oldest.stamp_secs).min(self.span_secs),
            _ => self.span_secs,
        }
    }

    fn forget_before(&mut self, first: Offset) {
        self.first = first;
        while self.seconds.front().is_some_and(|second| second.end <= first) {
            self.seconds.pop_front();
        }
        while self.blocks.front().is_some_and(|block| block.end().min(self.end) <= first) {
            self.blocks.pop_front();
        }
    }
}

/// How many bits of an entry hold the position in a block.
fn position_bits(ids_max: u32) -> u32 {
    let (least, most) = POSITION_BITS;
    (ids_max / BLOCKS).next_power_of_two().ilog2().clamp(least, most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: i64) -> EventId {
        let mut bytes = [0; 16];
        bytes[8..].copy_from_slice(&number.to_be_bytes());
        EventId::from_bytes(bytes)
    }

    /// Inserts a record with the id `id(offset)`, and forgets the records that are too old or too many.
    fn insert(window: &mut Window, offset: i64, now_secs: u32) {
        window.insert(Offset(offset), id(offset), now_secs);
        window.forget(now_secs);
    }

    fn has(window: &Window, offset: i64) -> bool {
        window.candidates(id(offset), Offset(0)).any(|found| found == Offset(offset))
    }

    #[test]
    fn id_is_forgotten_after_span() {
        let mut window = Window::new(60, 100);
        insert(&mut window, 1, 10);
        insert(&mut window, 2, 20);
        window.forget(70);
        assert!(has(&window, 1) && has(&window, 2) && !has(&window, 3));
        window.forget(71);
        assert!(!has(&window, 1) && has(&window, 2));
        assert_eq!((window.first(), window.len(), window.true_span_secs(71)), (Offset(2), 1, 60));
        window.forget(1000);
        assert_eq!((window.first(), window.len(), window.blocks.len()), (Offset(3), 0, 0), "all are forgotten");
    }

    #[test]
    fn id_limit_cuts_span() {
        let mut window = Window::new(60, 3);
        for offset in 0..5 {
            insert(&mut window, offset, offset as u32);
        }
        assert_eq!(window.len(), 3);
        assert!(!has(&window, 1) && has(&window, 2) && has(&window, 4));
        assert_eq!(window.true_span_secs(10), 8);
        window.forget(63);
        assert_eq!(window.true_span_secs(63), 60, "ids that went by age do not cut it");
    }

    #[test]
    fn window_has_the_newest_of_many_blocks() {
        let mut window = Window::new(10_000, 5000);
        for offset in 100..30_100 {
            insert(&mut window, offset, offset as u32 / 10);
            if offset % 100 == 0 && offset >= 5100 {
                assert!(!has(&window, offset - 5000) && has(&window, offset - 4999) && has(&window, offset));
                assert_eq!((window.first(), window.len()), (Offset(offset - 4999), 5000));
                assert!(window.blocks.len() <= 6, "blocks are dropped");
            }
        }
        let from = |from| window.candidates(id(30_000), Offset(from)).filter(|found| *found == Offset(30_000)).count();
        assert_eq!((from(0), from(30_000), from(30_001)), (1, 1, 0));
    }

    /// Each limit has blocks of its own size.
    #[test]
    fn limits_can_change() {
        let mut window = Window::new(60, 100_000);
        (0..20_000).for_each(|offset| insert(&mut window, offset, 0));
        window.set_limits(60, 1500);
        (20_000..40_000).for_each(|offset| insert(&mut window, offset, 1));
        assert_eq!((window.len(), window.blocks.len()), (1500, 3));
        window.set_limits(60, 100_000);
        (40_000..60_000).for_each(|offset| insert(&mut window, offset, 2));
        assert!((38_500..60_000).all(|offset| has(&window, offset)));
    }

    #[test]
    fn block_size_follows_the_limit() {
        let bits = [1, 8000, 100_000, 1_000_000, 100_000_000, u32::MAX].map(position_bits);
        assert_eq!(bits, [10, 10, 14, 17, 22, 22]);
    }

    /// A salvaged journal lacks the records that were lost.
    #[test]
    fn offsets_may_have_gaps() {
        let mut window = Window::new(60, 5000);
        for offset in (1..10).chain(3000..3010).chain([1 << 40]) {
            window.insert(Offset(offset), id(offset), 0);
            assert!(has(&window, offset));
        }
        assert!(
            (1..10).chain(3000..3010).all(|offset| has(&window, offset)),
            "the limit counts from the next `forget` on"
        );
        window.forget(0);
        assert_eq!((window.first(), window.len(), window.blocks.len()), (Offset((1 << 40) - 4999), 5000, 1));
        assert!(!has(&window, 3009) && has(&window, 1 << 40));
    }

    /// A journal has an event twice if it came again after the span. After a restart, the window knows both.
    #[test]
    fn id_can_have_two_offsets() {
        let mut window = Window::new(60, 100);
        for (offset, number) in [(1, 5), (2, 6), (3, 5)] {
            window.insert(Offset(offset), id(number), 0);
        }
        let mut offsets: Vec<_> = window.candidates(id(5), Offset(0)).collect();
        offsets.sort();
        assert_eq!(offsets, [Offset(1), Offset(3)]);
    }
}
