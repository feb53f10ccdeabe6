//! The dedupe window: the ids of the newest stored events, bounded by age and by number.
//!
//! Ages are measured on the monotonic clock, so a jump of the system clock neither empties the window nor stops it.

use std::collections::VecDeque;

use hashbrown::HashTable;

use super::super::Offset;
use crate::callback::EventId;

/// An id and when it was stored, in monotonic seconds. The id is bytes, not a number, because alignment would cost 12 bytes for
/// each of a million slots.
#[derive(Clone, Copy)]
struct Slot {
    id: [u8; 16],
    stamp_secs: u32,
}

/// The newest ids, oldest first, and a hash table over them.
pub(super) struct Window {
    slots: VecDeque<Slot>,
    /// The number of the first slot. Numbers wrap around.
    first: u32,
    /// The numbers of the slots, by id.
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
            slots: VecDeque::new(),
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
        self.slots.len()
    }

    /// Whether an id is remembered.
    pub(super) fn contains(&self, id: EventId) -> bool {
        let id = id.to_bytes();
        self.table.find(hash(&id), |number| self.slot(*number).id == id).is_some()
    }

    /// Returns the offsets of the records with an id, if the next record will be at `next`: the window holds the ids of the newest
    /// records in order, and their offsets have no gaps.
    pub(super) fn offsets(&self, id: EventId, next: Offset) -> impl Iterator<Item = Offset> {
        let id = id.to_bytes();
        let oldest = next.0 - self.slots.len() as i64;
        let numbers = self.table.iter_hash(hash(&id)).filter(move |number| self.slot(**number).id == id);
        numbers.map(move |number| Offset(oldest + i64::from(number.wrapping_sub(self.first))))
    }

    /// Remembers an id from `now_secs` on.
    pub(super) fn insert(&mut self, id: EventId, now_secs: u32) {
        while self.slots.len() >= self.ids_max.max(1) {
            self.forget_oldest();
            self.is_cut = true;
        }
        let slot = Slot { id: id.to_bytes(), stamp_secs: now_secs };
        let number = self.first.wrapping_add(self.slots.len() as u32);
        self.slots.push_back(slot);
        let (slots, first) = (&self.slots, self.first);
        self.table.insert_unique(hash(&slot.id), number, |number| hash(&slots[number.wrapping_sub(first) as usize].id));
    }

    /// Forgets ids that are older than the span.
    pub(super) fn expire(&mut self, now_secs: u32) {
        while let Some(slot) = self.slots.front()
            && now_secs.saturating_sub(slot.stamp_secs) > self.span_secs
        {
            self.forget_oldest();
            // From here on, age is the bound again.
            self.is_cut = false;
        }
    }

    /// For how long duplicates are recognised, in seconds: the span, or less if `ids_max` cut it short.
    pub(super) fn true_span_secs(&self, now_secs: u32) -> u32 {
        match self.slots.front() {
            Some(oldest) if self.is_cut => now_secs.saturating_sub(oldest.stamp_secs).min(self.span_secs),
            _ => self.span_secs,
        }
    }

    fn forget_oldest(&mut self) {
        if let Some(slot) = self.slots.front().copied() {
            self.remove_from_table(&slot, self.first);
            self.slots.pop_front();
            self.first = self.first.wrapping_add(1);
        }
    }

    fn remove_from_table(&mut self, slot: &Slot, number: u32) {
        // By number: a journal can have an id twice, if the event came again after its time in the window.
        if let Ok(entry) = self.table.find_entry(hash(&slot.id), |found| *found == number) {
            entry.remove();
        }
    }

    fn slot(&self, number: u32) -> &Slot {
        &self.slots[number.wrapping_sub(self.first) as usize]
    }
}

/// The end of an id is part of a SHA-256 digest, so it is a hash already.
fn hash(id: &[u8; 16]) -> u64 {
    let mut tail = [0; 8];
    tail.copy_from_slice(&id[8..]);
    u64::from_be_bytes(tail)
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
