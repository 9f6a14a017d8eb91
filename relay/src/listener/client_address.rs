//! Whose connection it is: the socket's peer, or what a trusted proxy says about it.
//!
//! An address limits what a client may do and is used for nothing else; it never reaches a log.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;

/// Set by proxies: the addresses a request came through, the newest last.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// A client's address. An IPv4 address inside an IPv6 one is always the IPv4 address.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddress(IpAddr);

impl ClientAddress {
    /// Takes an address as the socket or a header has it.
    #[must_use]
    pub fn new(address: IpAddr) -> Self {
        Self(address.to_canonical())
    }

    /// The address.
    #[must_use]
    pub const fn ip(self) -> IpAddr {
        self.0
    }

    /// What limits are counted by: an IPv4 address, or the /64 of an IPv6 one, because a
    /// customer is given at least a /64 and may use any address in it.
    #[must_use]
    pub fn limit_key(self) -> IpAddr {
        match self.0 {
            IpAddr::V4(_) => self.0,
            IpAddr::V6(address) => {
                let network = address.to_bits() & !u128::from(u64::MAX);
                IpAddr::V6(Ipv6Addr::from_bits(network))
            }
        }
    }
}

impl fmt::Debug for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A request's extensions are easily logged whole.
        f.write_str("ClientAddress(..)")
    }
}

/// The networks whose `X-Forwarded-For` is believed.
#[derive(Debug)]
pub(super) struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    pub(super) fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// Whether the address is a proxy of ours.
    pub(super) fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The client that a trusted proxy names: the last address that is not itself trusted. Everything
    /// left of it was written by that client and means nothing. `None` when no proxy named one, or
    /// when what must be read to find it is not a list of addresses.
    pub(super) fn client(&self, headers: &HeaderMap) -> Option<ClientAddress> {
        // Several header lines are one list (RFC 9110 §5.3).
        for line in headers.get_all(FORWARDED_FOR).iter().rev() {
            for entry in line.to_str().ok()?.rsplit(',') {
                let address = parse(entry.trim())?;
                if !self.trusts(address) {
                    return Some(ClientAddress::new(address));
                }
            }
        }
        None
    }
}

/// An address, or an address with a port as some proxies write it.
fn parse(entry: &str) -> Option<IpAddr> {
    entry
        .parse()
        .or_else(|_| entry.parse().map(|address: SocketAddr| address.ip()))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(lines: &[&[u8]]) -> Option<String> {
        let proxies = TrustedProxies::new(vec![
            "10.0.0.0/8".parse().unwrap(),
            "2001:db8:aa::/48".parse().unwrap(),
        ]);
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(
                FORWARDED_FOR,
                axum::http::HeaderValue::from_bytes(line).unwrap(),
            );
        }
        proxies
            .client(&headers)
            .map(|client| client.ip().to_string())
    }

    #[test]
    fn the_last_untrusted_address_counts() {
        let found = |lines: &[&[u8]]| client(lines).unwrap();
        assert_eq!(found(&[b"192.0.2.1"]), "192.0.2.1");
        assert_eq!(found(&[b"192.0.2.1, 10.1.1.1"]), "192.0.2.1");
        assert_eq!(
            found(&[b"198.51.100.1,192.0.2.1,10.1.1.1, 2001:db8:aa::1"]),
            "192.0.2.1"
        );
        // What the client wrote itself is never read, well-formed or not.
        assert_eq!(found(&[b"nonsense, 192.0.2.1, 10.1.1.1"]), "192.0.2.1");
        assert_eq!(found(&[b"\xff", b"192.0.2.1"]), "192.0.2.1");
        assert_eq!(
            found(&[b"192.0.2.9", b"192.0.2.1", b"10.0.0.1"]),
            "192.0.2.1"
        );
        assert_eq!(found(&[b"192.0.2.1:4711"]), "192.0.2.1");
        assert_eq!(found(&[b"[2001:db8::1]:4711"]), "2001:db8::1");
        assert_eq!(found(&[b"2001:db8::1"]), "2001:db8::1");
        assert_eq!(found(&[b"::ffff:192.0.2.1"]), "192.0.2.1");
        // A trusted address in IPv6 dress is still trusted.
        assert_eq!(found(&[b"192.0.2.1, ::ffff:10.0.0.1"]), "192.0.2.1");
    }

    #[test]
    fn a_malformed_or_empty_list_names_nobody() {
        let lists: [&[&[u8]]; 8] = [
            &[],
            &[b""],
            &[b"nonsense"],
            &[b"192.0.2.1,"],
            &[b"192.0.2.1, unknown, 10.0.0.1"],
            &[b"192.0.2.1 10.0.0.1"],
            &[b"192.0.2.1", b"\xff"],
            &[b"10.0.0.2, 10.0.0.1"],
        ];
        for lines in lists {
            assert_eq!(client(lines), None, "{lines:?}");
        }
    }

    #[test]
    fn limits_are_counted_by_the_64_of_an_ipv6_address() {
        let key = |text: &str| {
            ClientAddress::new(text.parse().unwrap())
                .limit_key()
                .to_string()
        };
        assert_eq!(key("192.0.2.1"), "192.0.2.1");
        assert_eq!(key("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(key("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    }

    #[test]
    fn an_address_is_not_shown() {
        let address = ClientAddress::new("192.0.2.1".parse().unwrap());
        assert!(!format!("{address:?}").contains("192"));
    }
}
