//! The clients that count as one sender when connections or memory run short.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IPv4 address, or the /64 network of an IPv6 address, because one machine can use all addresses of such a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressGroup(IpAddr);

impl AddressGroup {
    /// The first group in their order.
    pub(super) const FIRST: AddressGroup = AddressGroup(IpAddr::V4(Ipv4Addr::UNSPECIFIED));

    /// A number that differs for all groups, except for the IPv6 networks that no client is in.
    pub(super) fn number(self) -> u64 {
        match self.0 {
            // 0xffff begins no network of single clients.
            IpAddr::V4(address) => 0xffff_0000_0000_0000 | u64::from(address.to_bits()),
            IpAddr::V6(address) => (address.to_bits() >> 64) as u64,
        }
    }
}

impl From<IpAddr> for AddressGroup {
    /// Returns the group of an address. An IPv4-mapped IPv6 address counts as IPv4.
    fn from(address: IpAddr) -> AddressGroup {
        AddressGroup(match address.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
            address => address,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn group_is_an_address_or_a_64() {
        let group = |address: &str| AddressGroup::from(address.parse::<IpAddr>().unwrap());
        assert_eq!(group("2001:db8:1:2::1"), group("2001:db8:1:2:ffff::9"));
        assert_ne!(group("2001:db8:1:2::1"), group("2001:db8:1:3::1"));
        assert_eq!(group("::ffff:192.0.2.1"), group("192.0.2.1"));
        assert_ne!(group("192.0.2.1"), group("192.0.2.2"));
        let all =
            ["192.0.2.1", "192.0.2.2", "2001:db8:1:2::1", "2001:db8:1:3::1"].map(|address| group(address).number());
        assert!(all.iter().enumerate().all(|(at, number)| *number != 0 && !all[..at].contains(number)), "{all:?}");
    }
}
