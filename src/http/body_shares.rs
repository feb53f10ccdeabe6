//! Divides the memory for bodies between senders. It decides only: it reads nothing and waits for nothing.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::address_group::AddressGroup;

/// A body of at most this many bytes is small. A callback is.
const SMALL_BODY_BYTES: usize = 16 * 1024;

/// The share of all memory that the unfinished bodies of one sender may hold: a sixteenth. Eight senders then hold at most
/// half of the memory.
const SENDERS: usize = 16;

/// Why a body gets no memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoShare {
    /// The body had to make room for others.
    Displaced,
    /// No unfinished body can make room.
    NoMemory,
}

/// An unfinished body, and the bytes that it holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct UnfinishedBody {
    sender: AddressGroup,
    number: u64,
    bytes: usize,
}

impl UnfinishedBody {
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// The memory of all bodies. Each unfinished one has a `T`, which is returned if the body is displaced.
#[derive(Debug)]
pub(super) struct BodyShares<T> {
    bytes_max: usize,
    /// The part that only small bodies may use.
    small_bytes: usize,
    /// The most that the unfinished bodies of one sender may hold.
    sender_bytes_max: usize,
    used: usize,
    senders: HashMap<AddressGroup, Sender<T>>,
    by_bytes: BTreeSet<(usize, AddressGroup)>,
    next_number: u64,
}

#[derive(Debug)]
struct Sender<T> {
    bytes: usize,
    /// By size, and the oldest last among those of one size.
    unfinished: BTreeMap<(usize, Reverse<u64>), T>,
}

impl<T> BodyShares<T> {
    /// Divides `bytes_max` between bodies of at most `body_bytes_max`. An eighth is kept for small bodies, if a largest
    /// body fits into the rest. A sender may always have one largest body.
    pub(super) fn new(bytes_max: usize, body_bytes_max: usize) -> BodyShares<T> {
        let mut shares = BodyShares {
            bytes_max: 0,
            small_bytes: 0,
            sender_bytes_max: 0,
            used: 0,
            senders: HashMap::new(),
            by_bytes: BTreeSet::new(),
            next_number: 0,
        };
        shares.set_limits(bytes_max, body_bytes_max);
        shares
    }

    /// Divides another `bytes_max`, see [`BodyShares::new`]. Bodies that have memory keep it.
    pub(super) fn set_limits(&mut self, bytes_max: usize, body_bytes_max: usize) {
        self.bytes_max = bytes_max;
        self.small_bytes = (bytes_max / 8).min(bytes_max.saturating_sub(body_bytes_max));
        self.sender_bytes_max = (bytes_max / SENDERS).max(body_bytes_max);
    }

    /// The memory of all bodies, in bytes.
    pub(super) fn used(&self) -> usize {
        self.used
    }

    /// Takes memory for a whole body. Unfinished bodies make room and are added to `displaced`.
    ///
    /// # Errors
    /// No unfinished body is left to make room.
    pub(super) fn take(&mut self, bytes: usize, displaced: &mut Vec<T>) -> Result<(), NoShare> {
        self.make_room(bytes, bytes, None, displaced)?;
        self.used += bytes;
        Ok(())
    }

    /// Takes memory that may exceed the limit, because the body was admitted. The next body has to wait.
    pub(super) fn take_more(&mut self, bytes: usize) {
        self.used += bytes;
    }

    /// Gives memory of a finished body back.
    pub(super) fn give_back(&mut self, bytes: usize) {
        self.used = self.used.saturating_sub(bytes);
    }

    /// Begins a body that holds nothing yet.
    pub(super) fn begin(&mut self, sender: AddressGroup, value: T) -> UnfinishedBody {
        let body = UnfinishedBody { sender, number: self.next_number, bytes: 0 };
        self.next_number += 1;
        self.insert(&body, value);
        body
    }

    /// Takes `bytes` more for an unfinished body. Others of its sender make room for it within the share of a sender, and
    /// others of any sender within the memory of all. They are added to `displaced`.
    ///
    /// # Errors
    /// This body itself is displaced, and holds nothing from then on.
    pub(super) fn grow(
        &mut self,
        body: &mut UnfinishedBody,
        bytes: usize,
        displaced: &mut Vec<T>,
    ) -> Result<(), NoShare> {
        // A body that was displaced before must displace no other.
        if !self.is_unfinished(body) {
            return Err(NoShare::Displaced);
        }
        self.make_room(body.bytes + bytes, bytes, Some(body), displaced)?;
        let value = self.remove(body).ok_or(NoShare::Displaced)?;
        body.bytes += bytes;
        self.used += bytes;
        self.insert(body, value);
        Ok(())
    }

    /// Ends a body, which keeps its memory. Returns the bytes; 0 if it was displaced before.
    pub(super) fn finish(&mut self, body: &UnfinishedBody) -> usize {
        self.remove(body).map_or(0, |_| body.bytes)
    }

    /// Makes room for `bytes` of a body that then holds `total`. If the sender of `own` would exceed its share, that sender
    /// makes room, and otherwise the sender with the most unfinished bytes. A sender makes room by its largest body. Of
    /// bodies of one size the oldest goes, because it is the slowest.
    fn make_room(
        &mut self,
        total: usize,
        bytes: usize,
        own: Option<&UnfinishedBody>,
        displaced: &mut Vec<T>,
    ) -> Result<(), NoShare> {
        let is_small = total <= SMALL_BODY_BYTES;
        let limit = if is_small { self.bytes_max } else { self.bytes_max - self.small_bytes };
        loop {
            let sender = match own {
                Some(own) if self.held_by(own.sender) + bytes > self.sender_bytes_max => own.sender,
                _ if self.used + bytes > limit => self.by_bytes.last().ok_or(NoShare::NoMemory)?.1,
                _ => return Ok(()),
            };
            let (victim, value) = self.displace_largest(sender).ok_or(NoShare::NoMemory)?;
            if own.is_some_and(|own| own.number == victim) {
                return Err(NoShare::Displaced);
            }
            displaced.push(value);
        }
    }

    /// Removes the largest body of a sender. `None` if its unfinished bodies hold nothing.
    fn displace_largest(&mut self, sender: AddressGroup) -> Option<(u64, T)> {
        let ((bytes, Reverse(number)), _) = self.senders.get(&sender)?.unfinished.last_key_value()?;
        if *bytes == 0 {
            return None;
        }
        let victim = UnfinishedBody { sender, number: *number, bytes: *bytes };
        let value = self.remove(&victim)?;
        self.used = self.used.saturating_sub(victim.bytes);
        Some((victim.number, value))
    }

    /// Returns the bytes of all unfinished bodies of a sender.
    fn held_by(&self, sender: AddressGroup) -> usize {
        self.senders.get(&sender).map_or(0, |sender| sender.bytes)
    }

    fn is_unfinished(&self, body: &UnfinishedBody) -> bool {
        let key = (body.bytes, Reverse(body.number));
        self.senders.get(&body.sender).is_some_and(|sender| sender.unfinished.contains_key(&key))
    }

    fn insert(&mut self, body: &UnfinishedBody, value: T) {
        let sender =
            self.senders.entry(body.sender).or_insert_with(|| Sender { bytes: 0, unfinished: BTreeMap::new() });
        self.by_bytes.remove(&(sender.bytes, body.sender));
        sender.bytes += body.bytes;
        sender.unfinished.insert((body.bytes, Reverse(body.number)), value);
        self.by_bytes.insert((sender.bytes, body.sender));
    }

    /// Forgets an unfinished body. Its bytes stay in use. `None` if it was displaced.
    fn remove(&mut self, body: &UnfinishedBody) -> Option<T> {
        let sender = self.senders.get_mut(&body.sender)?;
        let value = sender.unfinished.remove(&(body.bytes, Reverse(body.number)))?;
        self.by_bytes.remove(&(sender.bytes, body.sender));
        sender.bytes -= body.bytes;
        if sender.unfinished.is_empty() {
            self.senders.remove(&body.sender);
        } else {
            self.by_bytes.insert((sender.bytes, body.sender));
        }
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    const LARGE: usize = 20_000;

    fn sender(last: u8) -> AddressGroup {
        AddressGroup::from(IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)))
    }

    /// Shares of 160,000 bytes: 20,000 are for small bodies, and each sender may hold 20,000. A value is the order in which a
    /// body began.
    fn shares() -> BodyShares<u32> {
        BodyShares::new(160_000, LARGE)
    }

    /// Begins bodies of a sender and a size.
    fn begin(shares: &mut BodyShares<u32>, bodies: &[(u8, usize)]) -> Vec<UnfinishedBody> {
        let mut displaced = Vec::new();
        let begun = (0..).zip(bodies).map(|(value, (last, bytes))| {
            let mut body = shares.begin(sender(*last), value);
            shares.grow(&mut body, *bytes, &mut displaced).unwrap();
            body
        });
        let begun = begun.collect();
        assert!(displaced.is_empty());
        begun
    }

    #[test]
    fn small_body_always_finds_room() {
        let mut shares = shares();
        let flood: Vec<_> = (0..7).map(|number| (number, LARGE)).collect();
        let _flood = begin(&mut shares, &flood);
        let mut displaced = Vec::new();
        for _ in 0..20 {
            assert_eq!(shares.take(1000, &mut displaced), Ok(()));
        }
        assert!(displaced.is_empty(), "a part is kept for small bodies");
        assert_eq!(shares.take(1000, &mut displaced), Ok(()));
        assert_eq!((displaced.len(), shares.used()), (1, 141_000), "then a large one makes room");
        for _ in 0..200 {
            let _ = shares.take(1000, &mut displaced);
        }
        assert_eq!((displaced.len(), shares.used()), (7, 160_000));
        assert_eq!(shares.take(1, &mut displaced), Err(NoShare::NoMemory), "whole bodies stay");
    }

    #[test]
    fn sender_with_most_makes_room() {
        // Each sender may hold 100,000.
        let mut shares = BodyShares::new(1_600_000, LARGE);
        shares.take_more(1_270_000);
        let mut bodies =
            begin(&mut shares, &[(1, LARGE), (2, 10_000), (2, LARGE), (2, LARGE), (2, LARGE), (3, LARGE), (3, LARGE)]);
        let mut displaced = Vec::new();
        let mut body = shares.begin(sender(1), 7);
        assert_eq!(shares.grow(&mut body, LARGE, &mut displaced), Ok(()));
        assert_eq!(displaced, [2], "the largest of sender 2, and the oldest of its size");
        assert_eq!(shares.grow(&mut bodies[2], 1, &mut displaced), Err(NoShare::Displaced));
        assert_eq!(shares.finish(&bodies[2]), 0);
        assert_eq!(shares.finish(&bodies[3]), LARGE);
        assert_eq!(shares.finish(&bodies[4]), LARGE);
        let mut own = shares.begin(sender(1), 8);
        assert_eq!(shares.grow(&mut own, 15_000, &mut displaced), Ok(()), "a small one uses the last part");
        assert_eq!(shares.grow(&mut own, 5000, &mut displaced), Ok(()));
        assert_eq!(displaced, [2, 0], "sender 1 now has the most");
    }

    #[test]
    fn body_may_displace_itself() {
        let mut shares = shares();
        let mut displaced = Vec::new();
        shares.take(10_000, &mut displaced).unwrap();
        shares.take_more(120_000);
        let mut own = shares.begin(sender(1), 0);
        assert_eq!(shares.grow(&mut own, LARGE, &mut displaced), Err(NoShare::NoMemory));
        assert_eq!(shares.grow(&mut own, 10_000, &mut displaced), Ok(()));
        assert_eq!(shares.grow(&mut own, 10_000, &mut displaced), Err(NoShare::Displaced));
        assert_eq!((shares.used(), shares.finish(&own), displaced.len()), (130_000, 0, 0));
    }

    #[test]
    fn sender_keeps_to_its_share() {
        // Each sender may hold 100,000.
        let mut shares = BodyShares::new(1_600_000, LARGE);
        let mut bodies = begin(&mut shares, &[(1, 1000), (1, LARGE), (1, LARGE), (1, LARGE), (1, LARGE), (2, LARGE)]);
        let mut displaced = Vec::new();
        assert_eq!(shares.grow(&mut bodies[0], LARGE - 1000, &mut displaced), Ok(()));
        assert!(displaced.is_empty());
        let mut small = shares.begin(sender(1), 6);
        assert_eq!(shares.grow(&mut small, 1000, &mut displaced), Ok(()));
        assert_eq!((displaced.as_slice(), shares.used()), (&[0][..], 101_000), "its own largest and oldest");
        let mut own = shares.begin(sender(1), 7);
        assert_eq!(shares.grow(&mut own, LARGE, &mut displaced), Ok(()));
        assert_eq!((displaced.as_slice(), shares.used()), (&[0, 1][..], 101_000), "other senders keep theirs");
    }

    #[test]
    fn ended_bodies_are_forgotten() {
        let mut shares = shares();
        let senders: Vec<_> = (0..7).map(|number| (number, LARGE)).collect();
        for body in begin(&mut shares, &senders) {
            assert_eq!(shares.finish(&body), LARGE);
            shares.give_back(LARGE);
        }
        assert_eq!(shares.used(), 0);
        assert!(shares.senders.is_empty() && shares.by_bytes.is_empty());
    }

    #[test]
    fn largest_body_fits_into_any_limit() {
        for (bytes_max, body_bytes_max) in [(1000, 1000), (262_144, 262_144), (300_000, 262_144)] {
            let mut shares = BodyShares::<()>::new(bytes_max, body_bytes_max);
            assert_eq!(shares.take(body_bytes_max, &mut Vec::new()), Ok(()));
            shares.give_back(body_bytes_max);
            let mut body = shares.begin(sender(1), ());
            assert_eq!(shares.grow(&mut body, body_bytes_max, &mut Vec::new()), Ok(()), "also in pieces");
        }
    }
}
