//! Where a request comes from: the peer of its connection, or, where that is a proxy of ours, whom it speaks for.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::{Extensions, HeaderMap, HeaderName, header};
use ipnet::IpNet;

use super::server::Link;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The proxies in front of the server.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    /// Whose word is taken for whom they speak for.
    pub trusted: Vec<IpNet>,
    /// How they say it.
    pub header: Forwarding,
}

/// In which header proxies say whom they speak for. Only one is read: the other may come from the client itself, through
/// a proxy that knows nothing of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Forwarding {
    /// `X-Forwarded-For`: a list of addresses.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// Who counts as one sender: an IPv4 address, or the network that an IPv6 subscriber has to itself, a /64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Address {
    V4(Ipv4Addr),
    V6([u16; 4]),
}

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Address {
        match address.to_canonical() {
            IpAddr::V4(address) => Address::V4(address),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Address::V6([a, b, c, d])
            }
        }
    }
}

impl Address {
    /// Of a request. One of which it is not known where it came from is nobody's in particular.
    pub(super) fn of(from: Option<IpAddr>) -> Address {
        from.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)).into()
    }
}

impl Proxies {
    /// Where a request comes from; none for what did not come over a connection of the server's.
    pub(super) fn sender(&self, extensions: &Extensions, headers: &HeaderMap) -> Option<IpAddr> {
        let ConnectInfo(link) = extensions.get::<ConnectInfo<Link>>()?;
        Some(self.client(link.peer, headers))
    }

    /// From the peer back through the proxies that are ours, each of which has put down whom it heard; what is further back
    /// is anybody's word.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        let hops = self.hops(headers);
        for hop in hops.into_iter().rev() {
            if !self.is_trusted(client) {
                break;
            }
            match hop {
                Some(hop) => client = hop,
                None => break,
            }
        }
        client
    }

    /// Whether an address is a proxy's whose word is taken.
    pub(super) fn is_trusted(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(&address))
    }

    /// Whom the header names, the farthest first; none for what is no address.
    fn hops(&self, headers: &HeaderMap) -> Vec<Option<IpAddr>> {
        if self.trusted.is_empty() {
            return Vec::new();
        }
        let name = match self.header {
            Forwarding::XForwardedFor => X_FORWARDED_FOR,
            Forwarding::Forwarded => header::FORWARDED,
        };
        let mut hops = Vec::new();
        for value in headers.get_all(name) {
            let text = String::from_utf8_lossy(value.as_bytes());
            hops.extend(text.split(',').map(|hop| match self.header {
                Forwarding::XForwardedFor => address(hop),
                Forwarding::Forwarded => address(speaks_for(hop)?),
            }));
        }
        hops
    }
}

/// The `for` of an element of `Forwarded`.
fn speaks_for(element: &str) -> Option<&str> {
    let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let mut named = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for"));
    named.next().map(|(_, value)| value)
}

/// An address as proxies write it: bare, in quotes, with a port, in brackets.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .unwrap_or(text);
    let found = bare.parse::<IpAddr>();
    let found = found.or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip()));
    found.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn proxies(header: Forwarding) -> Proxies {
        let trusted = ["10.0.0.0/8", "192.0.2.7/32", "2001:db8:aaaa::/48"];
        Proxies {
            trusted: trusted
                .iter()
                .map(|network| network.parse().expect("a network"))
                .collect(),
            header,
        }
    }

    fn client(proxies: &Proxies, peer: &str, headers: &[(&'static str, &str)]) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().expect("a header value"));
        }
        proxies.client(ip(peer), &map).to_string()
    }

    #[test]
    fn an_ipv6_network_is_one_sender_and_a_mapped_address_is_the_one_it_maps() {
        let same = |one: &str, other: &str| Address::from(ip(one)) == Address::from(ip(other));

        assert!(same("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert!(!same("2001:db8:1:2::1", "2001:db8:1:3::1"));
        assert!(same("::ffff:192.0.2.1", "192.0.2.1"));
        assert!(!same("192.0.2.1", "192.0.2.2"));
    }

    #[test]
    fn nobody_but_a_proxy_of_ours_says_whom_it_speaks_for() {
        let header = ("x-forwarded-for", "203.0.113.9");
        let proxies = proxies(Forwarding::XForwardedFor);

        assert_eq!(client(&proxies, "198.51.100.1", &[header]), "198.51.100.1");
        assert_eq!(client(&Proxies::default(), "10.0.0.1", &[header]), "10.0.0.1");
        assert_eq!(client(&proxies, "10.0.0.1", &[header]), "203.0.113.9");
        assert_eq!(client(&proxies, "::ffff:10.0.0.1", &[header]), "203.0.113.9");
        assert_eq!(client(&proxies, "10.0.0.1", &[]), "10.0.0.1");
        // It came through our proxy from the client, which does not write this one.
        assert_eq!(
            client(&proxies, "10.0.0.1", &[("forwarded", "for=203.0.113.9")]),
            "10.0.0.1"
        );
    }

    #[test]
    fn what_a_client_claims_itself_is_behind_what_our_proxy_has_put_down() {
        let proxies = proxies(Forwarding::XForwardedFor);
        for (headers, expected) in [
            (vec!["1.1.1.1, 203.0.113.9"], "203.0.113.9"),
            (vec!["1.1.1.1", "203.0.113.9"], "203.0.113.9"),
            (vec!["1.1.1.1, 203.0.113.9, 10.1.2.3, 192.0.2.7"], "203.0.113.9"),
            (vec!["10.9.9.9, 203.0.113.9"], "203.0.113.9"),
            (vec!["203.0.113.9:4711"], "203.0.113.9"),
            (vec!["2001:db8::1"], "2001:db8::1"),
            (vec!["[2001:db8::1]:4711, 2001:db8:aaaa::5"], "2001:db8::1"),
            // All are ours.
            (vec!["10.4.4.4, 10.5.5.5"], "10.4.4.4"),
            // What stands there is no address: whoever put it down counts.
            (vec!["203.0.113.9, unknown"], "10.0.0.1"),
            (vec!["203.0.113.9, , 10.5.5.5"], "10.5.5.5"),
            (vec![""], "10.0.0.1"),
        ] {
            let headers: Vec<_> = headers.into_iter().map(|value| ("x-forwarded-for", value)).collect();
            assert_eq!(client(&proxies, "10.0.0.1", &headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn forwarded_is_read_as_its_rfc_has_it() {
        let proxies = proxies(Forwarding::Forwarded);
        for (value, expected) in [
            ("for=203.0.113.9", "203.0.113.9"),
            ("For=\"203.0.113.9:80\";proto=https;by=10.0.0.1", "203.0.113.9"),
            ("for=1.1.1.1, proto=http; for=\"[2001:db8::1]:4711\"", "2001:db8::1"),
            ("for=1.1.1.1, for=203.0.113.9, for=10.1.2.3", "203.0.113.9"),
            ("for=\"x, for=203.0.113.9", "203.0.113.9"),
            ("for=203.0.113.9, for=_hidden", "10.0.0.1"),
            ("for=203.0.113.9, proto=https", "10.0.0.1"),
        ] {
            assert_eq!(
                client(&proxies, "10.0.0.1", &[("forwarded", value)]),
                expected,
                "{value}"
            );
        }
    }
}
