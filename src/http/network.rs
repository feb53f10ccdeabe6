//! A network of the configuration: in CIDR form, or a single address.

use std::fmt;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};
use serde::Deserialize;

/// The part of an IPv4-mapped IPv6 address before the IPv4 address, in bits.
const MAPPED_PREFIX_BITS: u8 = 96;

/// A network, for example `10.0.0.0/8` or `2001:db8::/32`, or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network(IpNet);

impl Network {
    /// Whether `address` is in the network. An IPv4-mapped IPv6 address counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }

    /// Whether the network is so large that strangers are in it. The private networks are not: 10.0.0.0/8 and fc00::/7.
    pub fn is_broad(&self) -> bool {
        match self.0 {
            IpNet::V4(network) => network.prefix_len() < 8,
            IpNet::V6(network) => network.prefix_len() < 16 && !network.addr().is_unique_local(),
        }
    }

    fn is_of_no_client(&self) -> bool {
        let first = self.0.network();
        let is_broadcast = matches!(first, IpAddr::V4(address) if address.is_broadcast());
        first.is_multicast() || is_broadcast || first.is_unspecified() && self.0.prefix_len() == self.0.max_prefix_len()
    }
}

impl std::str::FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Network, String> {
        let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).map_err(|_| {
            format!("`{text}` is not a network: give an address such as 192.0.2.1, or a network such as 10.0.0.0/8")
        })?;
        let network = Network(canonical(network).ok_or_else(|| {
            format!("`{text}` holds IPv4 and IPv6 addresses: give a network of one kind, such as 10.0.0.0/8 or 2001:db8::/32")
        })?);
        if network.is_of_no_client() {
            return Err(format!("`{text}` is the address of no client: give an address such as 192.0.2.1"));
        }
        Ok(network)
    }
}

/// Returns the network without the bits of the host: `10.1.2.3/8` is `10.0.0.0/8`. IPv4-mapped addresses become IPv4, as those of
/// clients do. `None` if it is a network of IPv4-mapped addresses that holds other addresses too.
fn canonical(network: IpNet) -> Option<IpNet> {
    let IpNet::V6(wide) = network else { return Some(network.trunc()) };
    match wide.addr().to_ipv4_mapped() {
        Some(address) => {
            let prefix = wide.prefix_len().checked_sub(MAPPED_PREFIX_BITS)?;
            Some(IpNet::from(Ipv4Net::new(address, prefix).ok()?).trunc())
        }
        None => Some(network.trunc()),
    }
}

impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Network, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_has_one_form() {
        for (text, expected) in [
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("192.0.2.1", "192.0.2.1/32"),
            ("::ffff:10.1.2.3/104", "10.0.0.0/8"),
            ("::ffff:192.0.2.1", "192.0.2.1/32"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
            ("2001:db8::1/32", "2001:db8::/32"),
            ("::/0", "::/0"),
        ] {
            assert_eq!(text.parse::<Network>().unwrap().to_string(), expected, "{text}");
        }
        assert!("::ffff:10.0.0.0/104".parse::<Network>().unwrap().contains("10.9.9.9".parse().unwrap()));
    }

    #[test]
    fn network_without_clients_is_refused() {
        for text in ["0.0.0.0", "::", "::/128", "255.255.255.255", "224.0.0.0/4", "ff00::/8", "::ffff:0.0.0.0"] {
            assert!(text.parse::<Network>().unwrap_err().contains("the address of no client"), "{text}");
        }
        for text in ["::ffff:10.0.0.0/80", "::ffff:0:0/0"] {
            assert!(text.parse::<Network>().unwrap_err().contains("holds IPv4 and IPv6 addresses"), "{text}");
        }
    }

    #[test]
    fn broad_network_holds_strangers() {
        for text in ["0.0.0.0/0", "128.0.0.0/1", "::/0", "2000::/3", "::ffff:0:0/96"] {
            assert!(text.parse::<Network>().unwrap().is_broad(), "{text}");
        }
        for text in ["10.0.0.0/8", "fc00::/7", "fd00::/8", "2001:db8::/32", "127.0.0.1", "::1"] {
            assert!(!text.parse::<Network>().unwrap().is_broad(), "{text}");
        }
    }
}
