//! Who sent a request that came through proxies. A pure function of the peer, the headers and whom to believe.
//!
//! A proxy appends the address that it saw to the right of one header, so everything left of the first address that is
//! not a trusted proxy may be invented. Hence the walk from the right: past trusted proxies, to the first other address.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::http::header::FORWARDED;
use axum::http::{HeaderMap, HeaderName};

use super::Network;

/// The client of a request, as far as it can be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress {
    /// The client's address, IPv4-mapped ones as IPv4; where it is not known, that of the last trusted proxy on the way
    /// to it.
    pub address: IpAddr,
    /// False when a trusted proxy gave something other than an address, such as `unknown`. Such a client must not pass
    /// for the proxy: it may be anybody, so no list of allowed addresses holds it.
    pub is_known: bool,
}

impl ClientAddress {
    /// Whether the client is known to lie within one of the networks.
    pub fn is_within(&self, networks: &[Network]) -> bool {
        self.is_known && networks.iter().any(|network| network.contains(self.address))
    }
}

/// Finds the client of a request that came from `peer`.
///
/// `header` is read only when the peer is in `trusted_proxies`; all of its lines count as one list. `Forwarded` is read
/// as RFC 7239 has it, any other header as a list of addresses. When all are trusted, the leftmost is the client.
pub fn client_address(
    peer: IpAddr,
    headers: &HeaderMap,
    header: &HeaderName,
    trusted_proxies: &[Network],
) -> ClientAddress {
    let is_trusted = |address: IpAddr| trusted_proxies.iter().any(|network| network.contains(address));
    let mut client = ClientAddress { address: peer.to_canonical(), is_known: true };
    if !is_trusted(client.address) {
        return client;
    }
    // A line that is not ASCII is one unreadable element.
    let lines = headers.get_all(header).iter().rev().map(|line| line.to_str().unwrap_or("?"));
    for element in lines.flat_map(|line| line.rsplit(',')).map(str::trim).filter(|element| !element.is_empty()) {
        let node = if header == FORWARDED { forwarded_for(element) } else { Some(element) };
        match node.and_then(read_address) {
            Some(address) => client.address = address,
            None => {
                client.is_known = false;
                return client;
            }
        }
        if !is_trusted(client.address) {
            return client;
        }
    }
    client
}

/// The value of `for` in an element such as `for="[2001:db8::1]:443";proto=https`.
fn forwarded_for(element: &str) -> Option<&str> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| value.trim().trim_matches('"'))
    })
}

/// Reads an address, in brackets or not, with a port or not.
fn read_address(text: &str) -> Option<IpAddr> {
    let address = if let Ok(address) = text.parse::<IpAddr>() {
        address
    } else if let Ok(address) = text.parse::<SocketAddr>() {
        address.ip()
    } else {
        let within = text.strip_prefix('[')?.strip_suffix(']')?;
        IpAddr::V6(within.parse::<Ipv6Addr>().ok()?)
    };
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const PROXY: &str = "10.0.0.1";

    fn find(peer: &str, name: &'static str, lines: &[&str]) -> ClientAddress {
        let header = HeaderName::from_static(name);
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(&header, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        let trusted = ["10.0.0.0/8", "2001:db8:ffff::/48"].map(|network| network.parse().unwrap());
        client_address(peer.parse().unwrap(), &headers, &header, &trusted)
    }

    fn known(address: &str) -> ClientAddress {
        ClientAddress { address: address.parse().unwrap(), is_known: true }
    }

    fn unknown(address: &str) -> ClientAddress {
        ClientAddress { is_known: false, ..known(address) }
    }

    #[test]
    fn the_walk_from_the_right() {
        let table: &[(&str, &[&str], ClientAddress)] = &[
            // Not from a trusted proxy: the header is not even read.
            ("192.0.2.9", &["1.2.3.4"], known("192.0.2.9")),
            ("::ffff:192.0.2.9", &["1.2.3.4"], known("192.0.2.9")),
            // No header, or an empty one: the proxy itself.
            (PROXY, &[], known(PROXY)),
            (PROXY, &[""], known(PROXY)),
            (PROXY, &[" , ,"], known(PROXY)),
            // From the right, past trusted ones, over all lines.
            (PROXY, &["1.2.3.4"], known("1.2.3.4")),
            ("::ffff:10.0.0.1", &["1.2.3.4"], known("1.2.3.4")),
            (PROXY, &["6.6.6.6, 1.2.3.4"], known("1.2.3.4")),
            (PROXY, &["6.6.6.6,1.2.3.4 ,10.0.0.2"], known("1.2.3.4")),
            (PROXY, &["6.6.6.6", "1.2.3.4"], known("1.2.3.4")),
            (PROXY, &["6.6.6.6, 1.2.3.4", "10.0.0.3, 10.0.0.2"], known("1.2.3.4")),
            (PROXY, &["1.2.3.4", ""], known("1.2.3.4")),
            // All are trusted: the leftmost.
            (PROXY, &["10.0.0.3, 10.0.0.2"], known("10.0.0.3")),
            // Forms of an address.
            (PROXY, &["1.2.3.4:5678"], known("1.2.3.4")),
            (PROXY, &["\t1.2.3.4  "], known("1.2.3.4")),
            (PROXY, &["2001:db8::1"], known("2001:db8::1")),
            (PROXY, &["[2001:db8::1]"], known("2001:db8::1")),
            (PROXY, &["[2001:db8::1]:443"], known("2001:db8::1")),
            (PROXY, &["::ffff:1.2.3.4"], known("1.2.3.4")),
            (PROXY, &["[::ffff:1.2.3.4]:80"], known("1.2.3.4")),
            (PROXY, &["1.2.3.4, ::ffff:10.0.0.2"], known("1.2.3.4")),
            ("2001:db8:ffff::1", &["1.2.3.4, 2001:db8:ffff::2"], known("1.2.3.4")),
            // What is no address ends the walk at the proxy that gave it.
            (PROXY, &["unknown"], unknown(PROXY)),
            (PROXY, &["1.2.3.4, unknown"], unknown(PROXY)),
            (PROXY, &["1.2.3.4, unknown, 10.0.0.2"], unknown("10.0.0.2")),
            (PROXY, &["1.2.3.4:port"], unknown(PROXY)),
            (PROXY, &["[1.2.3.4]"], unknown(PROXY)),
            (PROXY, &["[2001:db8::1"], unknown(PROXY)),
            (PROXY, &["1.2.3.4.5"], unknown(PROXY)),
            (PROXY, &["1.2.3.4 6.6.6.6"], unknown(PROXY)),
            (PROXY, &["1.2.3.4", "\u{fc}"], unknown(PROXY)),
            // Garbage further left is never reached.
            (PROXY, &["unknown, 1.2.3.4"], known("1.2.3.4")),
        ];
        for (peer, lines, expected) in table {
            assert_eq!(find(peer, "x-forwarded-for", lines), *expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn the_forwarded_header() {
        for (line, expected) in [
            ("for=1.2.3.4", known("1.2.3.4")),
            ("proto=https; For=\"[2001:db8::1]:443\";by=10.0.0.1", known("2001:db8::1")),
            ("for=6.6.6.6, for=\"1.2.3.4:80\", for=10.0.0.2", known("1.2.3.4")),
            ("for=\"6.6.6.6, for=1.2.3.4", known("1.2.3.4")),
            ("for=_hidden", unknown(PROXY)),
            ("for=unknown", unknown(PROXY)),
            ("proto=https", unknown(PROXY)),
            ("1.2.3.4", unknown(PROXY)),
        ] {
            assert_eq!(find(PROXY, "forwarded", &[line]), expected, "{line}");
        }
    }

    #[test]
    fn an_unknown_client_is_in_no_network_not_even_the_proxys() {
        let everything: Network = "0.0.0.0/0".parse().unwrap();
        assert!(known(PROXY).is_within(&[everything]));
        assert!(!unknown(PROXY).is_within(&[everything]));
    }
}
