//! The ids by which a duplicate is told: those of the last stored events, bounded by age and by number.
//!
//! Ages are measured on the monotonic clock, so that a jump of the wall clock forgets nothing and keeps nothing for ever.

use std::collections::VecDeque;

use hashbrown::HashTable;

use crate::callback::EventId;

/// An id and when it was stored, in monotonic seconds. The bytes are kept unaligned: a million of these are in memory.
#[derive(Clone, Copy)]
struct Slot {
    id: [u8; 16],
    stamp_secs: u32,
}

/// The last ids, oldest first, with a table over them.
pub(super) struct Window {
    slots: VecDeque<Slot>,
    /// The number of the first slot; numbers wrap around.
    first: u32,
    /// The numbers of the slots, by id.
    table: HashTable<u32>,
    span_secs: u32,
    ids_max: usize,
    /// Whether an id had to go before its time.
    is_cut: bool,
}

impl Window {
    /// An empty window that remembers ids for `span_secs`, and at most `ids_max` of them.
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

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn contains(&self, id: EventId) -> bool {
        let id = id.to_bytes();
        self.table.find(hash(&id), |number| self.slot(*number).id == id).is_some()
    }

    /// Remembers an id as of `now_secs`.
    pub(super) fn insert(&mut self, id: EventId, now_secs: u32) {
        if self.slots.len() >= self.ids_max {
            self.forget_oldest();
            self.is_cut = true;
        }
        let slot = Slot { id: id.to_bytes(), stamp_secs: now_secs };
        let number = self.first.wrapping_add(self.slots.len() as u32);
        self.slots.push_back(slot);
        let (slots, first) = (&self.slots, self.first);
        self.table.insert_unique(hash(&slot.id), number, |number| hash(&slots[number.wrapping_sub(first) as usize].id));
    }

    /// Forgets what is older than the span.
    pub(super) fn expire(&mut self, now_secs: u32) {
        while let Some(slot) = self.slots.front()
            && now_secs.saturating_sub(slot.stamp_secs) > self.span_secs
        {
            self.forget_oldest();
            self.is_cut = false;
        }
    }

    /// How far back a duplicate is told at least, in seconds: the span, or less where the bound on ids cut it short.
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
        if let Ok(entry) = self.table.find_entry(hash(&slot.id), |found| *found == number) {
            entry.remove();
        }
    }

    fn slot(&self, number: u32) -> &Slot {
        &self.slots[number.wrapping_sub(self.first) as usize]
    }
}

/// The tail of an id is part of a SHA-256 digest, so it is a hash already.
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
    fn remembers_for_the_span_and_no_longer() {
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
    fn the_bound_on_ids_cuts_the_span_and_says_so() {
        let mut window = Window::new(60, 3);
        for number in 0..5 {
            window.insert(id(number), number);
        }
        assert_eq!(window.len(), 3);
        assert!(!window.contains(id(1)) && window.contains(id(2)) && window.contains(id(4)));
        assert_eq!(window.true_span_secs(10), 8);
        window.expire(63);
        assert_eq!(window.true_span_secs(63), 60, "what went by age did not cut it");
    }

    #[test]
    fn agrees_with_a_plain_set_over_many_turns() {
        let mut window = Window::new(1000, 500);
        window.first = u32::MAX - 700; // numbers wrap on the way
        for number in 0..3000 {
            window.insert(id(number), number / 10);
            if number >= 500 {
                assert!(!window.contains(id(number - 500)));
                assert!(window.contains(id(number - 499)));
            }
        }
        assert_eq!(window.table.len(), window.len());
    }
}
