//! The open connections by address, and which of them makes place for a new one. It decides only: it closes nothing.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::address_group::AddressGroup;

/// How many connections of one address are compared: half of them the oldest, half of them in turn.
const COMPARED_MAX: usize = 64;

/// After this many connections no further address is looked at.
const EXAMINED_MAX: usize = 128;

/// A connection in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ConnectionKey {
    group: AddressGroup,
    number: u64,
}

/// Open connections by the group of their address. Each change and each choice costs the same, however many there are.
#[derive(Debug)]
pub(super) struct ConnectionIndex<T> {
    /// The connections of each group, by their number in the order of arrival.
    groups: HashMap<AddressGroup, BTreeMap<u64, T>>,
    /// The groups by the count of their connections.
    by_count: BTreeSet<(usize, AddressGroup)>,
    next_number: u64,
    /// Where the comparison in turn goes on within a group.
    turn: u64,
    /// Where the comparison in turn goes on between groups of one size.
    group_turn: AddressGroup,
}

impl<T> ConnectionIndex<T> {
    pub(super) fn new() -> ConnectionIndex<T> {
        ConnectionIndex {
            groups: HashMap::new(),
            by_count: BTreeSet::new(),
            next_number: 0,
            turn: 0,
            group_turn: AddressGroup::FIRST,
        }
    }

    /// Adds a connection from an address of `group`.
    pub(super) fn insert(&mut self, group: AddressGroup, connection: T) -> ConnectionKey {
        let number = self.next_number;
        self.next_number += 1;
        let members = self.groups.entry(group).or_default();
        self.by_count.remove(&(members.len(), group));
        members.insert(number, connection);
        self.by_count.insert((members.len(), group));
        ConnectionKey { group, number }
    }

    /// Removes a connection.
    pub(super) fn remove(&mut self, key: ConnectionKey) {
        let Some(members) = self.groups.get_mut(&key.group) else { return };
        self.by_count.remove(&(members.len(), key.group));
        members.remove(&key.number);
        if members.is_empty() {
            self.groups.remove(&key.group);
        } else {
            self.by_count.insert((members.len(), key.group));
        }
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.groups.values().flat_map(BTreeMap::values)
    }

    /// Returns the connection that makes place for a new one: the one of the smallest rank in the group with the most
    /// connections. Groups of the same size count as one. If no connection there has a rank, smaller groups follow.
    ///
    /// A proxy sends the requests of many clients from one address. So within the group, the largest `crowd` makes place first.
    /// A connection without a crowd is alone.
    ///
    /// In a crowd it compares only some. Of many groups of one size it takes some in turn. Of a large group it takes the
    /// oldest, because a stuck one is among them, and some in turn.
    pub(super) fn victim<R: Ord>(
        &mut self,
        rank: impl Fn(&T) -> Option<R>,
        crowd: impl Fn(&T) -> Option<u64>,
    ) -> Option<&T> {
        let mut found: Vec<(R, Option<u64>, &T)> = Vec::new();
        let mut examined = 0;
        let mut larger = usize::MAX;
        while found.is_empty()
            && let Some((count, _)) = self.by_count.range(..(larger, AddressGroup::FIRST)).next_back()
        {
            let turn = (*count, self.group_turn);
            let begin = self.by_count.range((*count, AddressGroup::FIRST)..turn);
            let rest = self.by_count.range(turn..(count + 1, AddressGroup::FIRST));
            for (_, group) in rest.chain(begin) {
                if examined >= EXAMINED_MAX {
                    return first_of_largest_crowd(found);
                }
                self.group_turn = *group;
                let Some(members) = self.groups.get(group) else { continue };
                let oldest = members.iter().take(COMPARED_MAX / 2);
                let in_turn = members.range(self.turn..).chain(members.range(..self.turn));
                let others = members.len().saturating_sub(COMPARED_MAX / 2).min(COMPARED_MAX / 2);
                for (number, connection) in oldest.chain(in_turn.take(others)) {
                    examined += 1;
                    self.turn = number + 1;
                    found.extend(rank(connection).map(|rank| (rank, crowd(connection), connection)));
                }
            }
            larger = *count;
        }
        first_of_largest_crowd(found)
    }
}

/// Returns the connection of the smallest rank in the largest crowd.
fn first_of_largest_crowd<R: Ord, T>(found: Vec<(R, Option<u64>, &T)>) -> Option<&T> {
    let mut sizes: HashMap<u64, usize> = HashMap::new();
    for crowd in found.iter().filter_map(|(_, crowd, _)| *crowd) {
        *sizes.entry(crowd).or_default() += 1;
    }
    let size = |crowd: Option<u64>| crowd.and_then(|crowd| sizes.get(&crowd)).copied().unwrap_or(1);
    let ranked = found.into_iter().map(|(rank, crowd, connection)| ((Reverse(size(crowd)), rank), connection));
    // The first of several equal ones.
    ranked.min_by(|(one, _), (other, _)| one.cmp(other)).map(|(_, connection)| connection)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::net::Ipv4Addr;

    use super::*;

    fn group(last: u8) -> AddressGroup {
        AddressGroup::from(std::net::IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)))
    }

    /// An index of connections whose value is their rank; `None` means that they must stay.
    fn index(connections: &[(u8, Option<u32>)]) -> ConnectionIndex<Option<u32>> {
        let mut index = ConnectionIndex::new();
        for (address, rank) in connections {
            index.insert(group(*address), *rank);
        }
        index
    }

    #[test]
    fn largest_group_makes_place() {
        for (connections, victim) in [
            (&[][..], None),
            (&[(1, Some(5))], Some(5)),
            // The smaller rank of another address does not matter.
            (&[(1, Some(1)), (2, Some(9)), (2, Some(8))], Some(8)),
            // Addresses with the same number of connections are compared.
            (&[(1, Some(3)), (2, Some(1)), (3, Some(2))], Some(1)),
            // A busy address lets the next one make place.
            (&[(1, Some(3)), (2, None), (2, None)], Some(3)),
            (&[(1, None), (2, None)], None),
        ] {
            assert_eq!(index(connections).victim(|rank| *rank, |_| None).copied().flatten(), victim, "{connections:?}");
        }
    }

    /// All connections come from one proxy. Each is its rank and its client.
    #[test]
    fn largest_crowd_of_a_proxy_makes_place() {
        for (connections, victim) in [
            (&[(3, None), (1, None), (2, None)][..], 1),
            // An idle connection of the proxy, a genuine request, and two requests of a flood.
            (&[(1, None), (2, Some(7)), (4, Some(8)), (3, Some(8))], 3),
            (&[(1, Some(7)), (2, Some(8))], 1),
            (&[(1, Some(7)), (2, None)], 1),
        ] {
            let mut index = ConnectionIndex::new();
            for connection in connections {
                index.insert(group(1), *connection);
            }
            assert_eq!(
                index.victim(|(rank, _)| Some(*rank), |(_, client)| *client).unwrap().0,
                victim,
                "{connections:?}"
            );
        }
    }

    #[test]
    fn choice_costs_the_same_in_any_crowd() {
        let mut index = ConnectionIndex::new();
        for number in 0..10_000_u32 {
            index.insert(group((number % 3) as u8), number);
        }
        let looks = Cell::new(0);
        assert!(
            index
                .victim(
                    |number| {
                        looks.set(looks.get() + 1);
                        Some(*number)
                    },
                    |_| None,
                )
                .is_some()
        );
        assert!(looks.get() <= 2 * EXAMINED_MAX, "{}", looks.get());
        let alone = 9_000;
        let tries = (0..10_000).find(|_| index.victim(|number| (*number == alone).then_some(0), |_| None).is_some());
        assert!(tries.is_some_and(|tries| tries < 400), "each gets its turn: {tries:?}");
    }

    /// A flood from thousands of addresses: each makes place in turn, and not the same few every time.
    #[test]
    fn groups_of_one_size_get_their_turn() {
        let mut index = ConnectionIndex::new();
        for number in 0..10_000_u32 {
            index.insert(AddressGroup::from(std::net::IpAddr::V4(Ipv4Addr::from_bits(number))), number);
        }
        for alone in [0, 5_000, 9_999] {
            let tries = (0..100).find(|_| index.victim(|number| (*number == alone).then_some(0), |_| None).is_some());
            assert!(tries.is_some(), "{alone}");
        }
    }

    #[test]
    fn removed_connections_are_forgotten() {
        let mut index = ConnectionIndex::new();
        let keys: Vec<_> = (0..4).map(|number| index.insert(group(number % 2), number)).collect();
        for key in &keys[1..] {
            index.remove(*key);
            index.remove(*key);
        }
        assert_eq!(index.values().copied().collect::<Vec<_>>(), [0]);
        assert_eq!(index.victim(|number| Some(*number), |_| None), Some(&0));
        index.remove(keys[0]);
        assert!(index.groups.is_empty() && index.by_count.is_empty());
    }
}
