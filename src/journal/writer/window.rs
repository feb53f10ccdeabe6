//! The dedupe window: the ids of the newest stored events, bounded by age and by number.
//!
//! Ages are measured on the monotonic clock, so a jump of the system clock neither empties the window nor stops it.

use std::collections::VecDeque;

use hashbrown::HashTable;

use super::super::Offset;
use crate::callback::EventId;

/// An id in 12 bytes instead of 16, because a window may hold millions: see [`shorten`].
type ShortId = [u32; 3];

/// The ids of one second.
#[derive(Clone, Copy)]
struct Second {
    /// When they were stored, in monotonic seconds.
    stamp_secs: u32,
    count: u32,
}

/// The newest ids, oldest first, and a hash table over them.
pub(super) struct Window {
    ids: VecDeque<ShortId>,
    /// When they were stored, oldest first.
    seconds: VecDeque<Second>,
    /// The number of the first id. Numbers wrap around.
    first: u32,
    /// The numbers of the ids.
    table: HashTable<u32>,
    span_secs: u32,
    ids_max: usize,
    /// Whether `ids_max` removed an id before its time.
    is_cut: bool,
}

impl Window {
    /// Makes an empty window that remembers ids for `span_secs`, and at most `ids_max` of them.
    pub(super) fn new(span_secs: u32, ids_max: u32) -> Window {
        Window {
            ids: VecDeque::new(),
            seconds: VecDeque::new(),
            first: 0,
            table: HashTable::new(),
            span_secs,
            ids_max: ids_max as usize,
            is_cut: false,
        }
    }

    /// Keeps to other limits. Ids that are too many or too old for them are forgotten with the next ones.
    pub(super) fn set_limits(&mut self, span_secs: u32, ids_max: u32) {
        (self.span_secs, self.ids_max) = (span_secs, ids_max as usize);
    }

    /// The number of ids.
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether an id is remembered.
    pub(super) fn contains(&self, id: EventId) -> bool {
        let id = shorten(id);
        self.table.find(hash(&id), |number| *self.id(*number) == id).is_some()
    }

    /// Returns the offsets of the records with an id, if the next record will be at `next`: the window holds the ids of the newest
    /// records in order, and their offsets have no gaps.
    pub(super) fn offsets(&self, id: EventId, next: Offset) -> impl Iterator<Item = Offset> {
        let id = shorten(id);
        let oldest = next.0 - self.ids.len() as i64;
        let numbers = self.table.iter_hash(hash(&id)).filter(move |number| *self.id(**number) == id);
        numbers.map(move |number| Offset(oldest + i64::from(number.wrapping_sub(self.first))))
    }

    /// Remembers an id from `now_secs` on.
    pub(super) fn insert(&mut self, id: EventId, now_secs: u32) {
        while self.ids.len() >= self.ids_max.max(1) {
            self.forget_oldest();
            self.is_cut = true;
        }
        let id = shorten(id);
        let number = self.first.wrapping_add(self.ids.len() as u32);
        self.ids.push_back(id);
        match self.seconds.back_mut() {
            Some(second) if second.stamp_secs == now_secs => second.count += 1,
            _ => self.seconds.push_back(Second { stamp_secs: now_secs, count: 1 }),
        }
        let (ids, first) = (&self.ids, self.first);
        self.table.insert_unique(hash(&id), number, |number| hash(&ids[number.wrapping_sub(first) as usize]));
    }

    /// Forgets ids that are older than the span.
    pub(super) fn expire(&mut self, now_secs: u32) {
        while let Some(oldest) = self.seconds.front()
            && now_secs.saturating_sub(oldest.stamp_secs) > self.span_secs
        {
            self.forget_oldest();
            // From here on, age is the bound again.
            self.is_cut = false;
        }
    }

    /// For how long duplicates are recognised, in seconds: the span, or less if `ids_max` cut it short.
    pub(super) fn true_span_secs(&self, now_secs: u32) -> u32 {
        match self.seconds.front() {
            Some(oldest) if self.is_cut => now_secs.saturating_sub(oldest.stamp_secs).min(self.span_secs),
            _ => self.span_secs,
        }
    }

    fn forget_oldest(&mut self) {
        let Some(id) = self.ids.front() else { return };
        // By number: a journal can have an id twice, if the event came again after its time in the window.
        if let Ok(entry) = self.table.find_entry(hash(id), |found| *found == self.first) {
            entry.remove();
        }
        self.ids.pop_front();
        self.first = self.first.wrapping_add(1);
        if let Some(oldest) = self.seconds.front_mut() {
            oldest.count -= 1;
            if oldest.count == 0 {
                self.seconds.pop_front();
            }
        }
    }

    fn id(&self, number: u32) -> &ShortId {
        &self.ids[number.wrapping_sub(self.first) as usize]
    }
}

/// Returns the lowest 22 bits of an id's time, and its digest mixed with the other bits of the time. So two ids with the same digest
/// and different times always differ: they are of callbacks with the same members and no time of their own.
fn shorten(id: EventId) -> ShortId {
    let bits = u128::from_be_bytes(id.to_bytes());
    // `EventId` describes its bits: time, version, 12 bits of the digest, variant, 62 bits of the digest.
    let time = bits >> 80;
    let digest = (bits >> 64 & 0xfff) << 62 | bits & ((1 << 62) - 1);
    let short = time << 74 | digest ^ time >> 22;
    [(short >> 64) as u32, (short >> 32) as u32, short as u32]
}

/// The end of an id is part of a SHA-256 digest, so it is a hash already.
fn hash(id: &ShortId) -> u64 {
    u64::from(id[1]) << 32 | u64::from(id[2])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u32) -> EventId {
        let mut bytes = [0; 16];
        bytes[8..12].copy_from_slice(&number.wrapping_mul(0x9e37_79b9).to_be_bytes());
        bytes[12..].copy_from_slice(&number.to_be_bytes());
        EventId::from_bytes(bytes)
    }

    #[test]
    fn id_is_forgotten_after_span() {
        let mut window = Window::new(60, 100);
        window.insert(id(1), 10);
        window.insert(id(2), 20);
        window.expire(70);
        assert!(window.contains(id(1)) && window.contains(id(2)) && !window.contains(id(3)));
        window.expire(71);
        assert!(!window.contains(id(1)) && window.contains(id(2)));
        assert_eq!(window.true_span_secs(71), 60);
    }

    #[test]
    fn id_limit_cuts_span() {
        let mut window = Window::new(60, 3);
        for number in 0..5 {
            window.insert(id(number), number);
        }
        assert_eq!(window.len(), 3);
        assert!(!window.contains(id(1)) && window.contains(id(2)) && window.contains(id(4)));
        assert_eq!(window.true_span_secs(10), 8);
        window.expire(63);
        assert_eq!(window.true_span_secs(63), 60, "ids that went by age do not cut it");
    }

    #[test]
    fn window_equals_plain_set() {
        let mut window = Window::new(1000, 500);
        window.first = u32::MAX - 700; // so that numbers wrap
        for number in 0..3000 {
            window.insert(id(number), number / 10);
            if number >= 500 {
                assert!(!window.contains(id(number - 500)));
                assert!(window.contains(id(number - 499)));
            }
        }
        assert_eq!(window.table.len(), window.len());
        for number in 2500..3000 {
            let offsets: Vec<_> = window.offsets(id(number), Offset(7001)).collect();
            assert_eq!(offsets, [Offset(4001 + i64::from(number))]);
        }
        assert_eq!(window.offsets(id(1), Offset(7001)).count(), 0, "forgotten");
    }

    #[test]
    fn digest_and_time_tell_ids_apart() {
        let mut window = Window::new(60, 1000);
        let bytes = id(7).to_bytes();
        window.insert(id(7), 0);
        // The time and the digest: the version and the variant are the same in all ids.
        let bits = (0..48).chain(52..64).chain(66..128);
        for bit in bits {
            let mut other = bytes;
            other[bit / 8] ^= 0x80 >> (bit % 8);
            assert!(!window.contains(EventId::from_bytes(other)), "bit {bit}");
        }
    }

    /// A callback without a time of its own is another event with another `t`, and with none, however far apart these are.
    #[test]
    fn every_other_time_is_another_id() {
        let (mut window, digest) = (Window::new(60, 1000), id(7).to_bytes());
        let at = |time_ms: u64| {
            let mut bytes = digest;
            bytes[..6].copy_from_slice(&time_ms.to_be_bytes()[2..]);
            EventId::from_bytes(bytes)
        };
        window.insert(at(0), 0);
        for periods in [1, 2, 3250, 1 << 25] {
            // The lowest 22 bits of these times are 0, and some are whole seconds.
            for time_ms in [periods << 22, periods * 524_288_000] {
                let time_ms = time_ms & ((1 << 48) - 1);
                assert!(!window.contains(at(time_ms)), "{time_ms}");
            }
        }
    }

    /// A journal has an event twice if it came again after the span. After a restart, the window knows both.
    #[test]
    fn id_can_have_two_offsets() {
        let mut window = Window::new(60, 100);
        for number in [5, 6, 5] {
            window.insert(id(number), 0);
        }
        let mut offsets: Vec<_> = window.offsets(id(5), Offset(4)).collect();
        offsets.sort();
        assert_eq!(offsets, [Offset(1), Offset(3)]);
    }
}
