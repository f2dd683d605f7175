//! Where a request came from, when it came through proxies that the operator trusts.

use std::net::{IpAddr, SocketAddr};

use poem::http::{HeaderMap, HeaderName, header};
use shared::domain::Network;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The last address on the way here that is no trusted proxy's: whatever stands before it, anybody can
/// have written. A client may send the header that its proxy does not know, so when both are there
/// they must agree.
pub(crate) fn caller(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let peer = peer.to_canonical();
    let walk = |hops: Vec<&str>| (!hops.is_empty()).then(|| last_untrusted(peer, &hops, trusted));
    let by_list = walk(parts(headers, &X_FORWARDED_FOR).collect());
    let by_standard = walk(parts(headers, &header::FORWARDED).filter_map(said_for).collect());
    match (by_list, by_standard) {
        (Some(one), Some(other)) if one != other => peer,
        (one, other) => one.or(other).unwrap_or(peer),
    }
}

/// Every proxy adds whom it heard it from, at the end.
fn last_untrusted(peer: IpAddr, hops: &[&str], trusted: &[Network]) -> IpAddr {
    let mut address = peer;
    for hop in hops.iter().rev() {
        if !trusted.iter().any(|network| network.contains(address)) {
            break;
        }
        // `unknown`, or a name that only the proxy understands: it stands for all of them itself.
        let Some(before) = read(hop) else { break };
        address = before.to_canonical();
    }
    address
}

/// A list that may be spread over several headers.
fn parts<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers.get_all(name).iter().filter_map(|text| text.to_str().ok()).flat_map(|it| it.split(','))
}

/// The node of `for=192.0.2.43;proto=http` (RFC 7239).
fn said_for(element: &str) -> Option<&str> {
    element.split(';').find_map(|pair| {
        let (name, node) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| node.trim().trim_matches('"'))
    })
}

/// With or without a port; IPv6 may stand in brackets.
fn read(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']')).unwrap_or(hop);
    bare.parse().ok().or_else(|| hop.parse().ok().map(|address: SocketAddr| address.ip()))
}

#[cfg(test)]
mod tests {
    use poem::http::HeaderValue;

    use super::*;

    fn from(peer: &str, sent: &[(HeaderName, &'static str)]) -> String {
        let trusted = Network::list("10.0.0.0/8,::1").unwrap();
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(name, HeaderValue::from_static(value));
        }
        caller(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    fn listed(peer: &str, hops: &'static str) -> String {
        from(peer, &[(X_FORWARDED_FOR, hops)])
    }

    #[test]
    fn the_last_hop_that_is_not_trusted_is_who_asks() {
        assert_eq!(from("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(listed("10.0.0.1", "198.51.100.7"), "198.51.100.7");
        assert_eq!(listed("10.0.0.1", "198.51.100.7, 10.0.0.9"), "198.51.100.7");
        assert_eq!(listed("::ffff:10.0.0.1", "2001:db8::7"), "2001:db8::7");
        assert_eq!(listed("::1", "[2001:db8::7]:4711"), "2001:db8::7");
        assert_eq!(listed("10.0.0.1", "198.51.100.7:4711"), "198.51.100.7");
        let standard = r#"for="[2001:db8::7]:4711";proto=https, For=10.0.0.9"#;
        assert_eq!(from("10.0.0.1", &[(header::FORWARDED, standard)]), "2001:db8::7");
        let spread = [(X_FORWARDED_FOR, "198.51.100.7"), (X_FORWARDED_FOR, "10.0.0.9")];
        assert_eq!(from("10.0.0.1", &spread), "198.51.100.7");
        assert_eq!(listed("10.0.0.1", "10.0.0.8, 10.0.0.9"), "10.0.0.8", "all of them trusted");
    }

    #[test]
    fn what_anybody_can_have_written_is_not_believed() {
        assert_eq!(listed("198.51.100.7", "203.0.113.1"), "198.51.100.7", "no proxy of ours");
        assert_eq!(listed("10.0.0.1", "203.0.113.1, 198.51.100.7"), "198.51.100.7");
        assert_eq!(listed("10.0.0.1", "203.0.113.1, unknown"), "10.0.0.1");
        assert_eq!(listed("10.0.0.1", "203.0.113.1, , 10.0.0.9"), "10.0.0.9");
        let both = [(X_FORWARDED_FOR, "198.51.100.7"), (header::FORWARDED, "for=203.0.113.1")];
        assert_eq!(from("10.0.0.1", &both), "10.0.0.1", "one of the two is the client's");
        let agreeing = [(X_FORWARDED_FOR, "198.51.100.7"), (header::FORWARDED, "for=198.51.100.7")];
        assert_eq!(from("10.0.0.1", &agreeing), "198.51.100.7");
    }
}
