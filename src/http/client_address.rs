//! Finds the client of a request that came through proxies, from the peer's address and a header.
//!
//! Each proxy appends the address that it saw to the right end of the header. The first address from the right that is
//! not a trusted proxy is the client: everything to the left of it may be invented.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::http::header::FORWARDED;
use axum::http::{HeaderMap, HeaderName};

use super::Network;

/// The client of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress {
    /// The address of the client. If it is not known, the address of the trusted proxy nearest to it. An IPv4-mapped
    /// address is given as IPv4.
    pub address: IpAddr,
    /// False if a trusted proxy gave something else than an address, for example `unknown`. The client may then be
    /// anybody, so it is in no list of allowed addresses, even if the proxy is.
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
/// `header` is read only if the peer is in `trusted_proxies`. All lines of the header count as one list. `Forwarded`
/// has the form of RFC 7239, any other header is a list of addresses. If all addresses are trusted, the leftmost is the
/// client.
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
    // A line that is not ASCII counts as one element that cannot be read.
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

/// Returns the value of `for` in an element, for example in `for="[2001:db8::1]:443";proto=https`.
fn forwarded_for(element: &str) -> Option<&str> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        // RFC 7239 wants quotes around an address with a colon.
        name.trim().eq_ignore_ascii_case("for").then(|| value.trim().trim_matches('"'))
    })
}

/// Reads an address, with or without brackets, with or without a port.
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
    fn address_list_is_read_from_the_right() {
        let table: &[(&str, &[&str], ClientAddress)] = &[
            // The peer is not a trusted proxy: the header is not read.
            ("192.0.2.9", &["1.2.3.4"], known("192.0.2.9")),
            ("::ffff:192.0.2.9", &["1.2.3.4"], known("192.0.2.9")),
            // Without a header, or with an empty one, the proxy is the client.
            (PROXY, &[], known(PROXY)),
            (PROXY, &[""], known(PROXY)),
            (PROXY, &[" , ,"], known(PROXY)),
            // From the right, past trusted addresses, over all lines.
            (PROXY, &["1.2.3.4"], known("1.2.3.4")),
            ("::ffff:10.0.0.1", &["1.2.3.4"], known("1.2.3.4")),
            (PROXY, &["6.6.6.6, 1.2.3.4"], known("1.2.3.4")),
            (PROXY, &["6.6.6.6,1.2.3.4 ,10.0.0.2"], known("1.2.3.4")),
            (PROXY, &["6.6.6.6", "1.2.3.4"], known("1.2.3.4")),
            (PROXY, &["6.6.6.6, 1.2.3.4", "10.0.0.3, 10.0.0.2"], known("1.2.3.4")),
            (PROXY, &["1.2.3.4", ""], known("1.2.3.4")),
            // If all are trusted, the leftmost is the client.
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
            // An element that is not an address ends the walk at the proxy that gave it.
            (PROXY, &["unknown"], unknown(PROXY)),
            (PROXY, &["1.2.3.4, unknown"], unknown(PROXY)),
            (PROXY, &["1.2.3.4, unknown, 10.0.0.2"], unknown("10.0.0.2")),
            (PROXY, &["1.2.3.4:port"], unknown(PROXY)),
            (PROXY, &["[1.2.3.4]"], unknown(PROXY)),
            (PROXY, &["[2001:db8::1"], unknown(PROXY)),
            (PROXY, &["1.2.3.4.5"], unknown(PROXY)),
            (PROXY, &["1.2.3.4 6.6.6.6"], unknown(PROXY)),
            (PROXY, &["1.2.3.4", "\u{fc}"], unknown(PROXY)),
            // Garbage to the left of the client is never reached.
            (PROXY, &["unknown, 1.2.3.4"], known("1.2.3.4")),
        ];
        for (peer, lines, expected) in table {
            assert_eq!(find(peer, "x-forwarded-for", lines), *expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn forwarded_header_is_read() {
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
    fn unknown_client_is_in_no_network() {
        let everything: Network = "0.0.0.0/0".parse().unwrap();
        assert!(known(PROXY).is_within(&[everything]));
        assert!(!unknown(PROXY).is_within(&[everything]));
    }
}
