//! Which addresses may be reached for somebody from where the platform stands.
//!
//! Whoever names a URL, or writes a function with egress, makes the platform connect from inside
//! networks that he cannot see. So only addresses of the public internet are reached, and those that
//! the operator adds. Names are checked by what they resolve to at the moment of connecting.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// A range of addresses, `10.0.0.0/8` or a single one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix_bits: u8,
}

/// Why a text is no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be addresses or networks with commas between them, as in 10.0.0.0/8,::1")]
pub struct NotANetwork;

impl Network {
    const fn v4(a: u8, b: u8, c: u8, prefix_bits: u8) -> Self {
        Self { address: IpAddr::V4(Ipv4Addr::new(a, b, c, 0)), prefix_bits }
    }

    const fn v6(first: u16, second: u16, prefix_bits: u8) -> Self {
        let address = IpAddr::V6(Ipv6Addr::new(first, second, 0, 0, 0, 0, 0, 0));
        Self { address, prefix_bits }
    }

    /// Networks with commas between them.
    pub fn list(text: &str) -> Result<Vec<Self>, NotANetwork> {
        text.split(',').map(|network| network.trim().parse()).collect()
    }

    /// The first of its addresses, whichever of them it was named by.
    pub fn first_address(&self) -> IpAddr {
        let tail = |bits: u32| bits - u32::from(self.prefix_bits);
        match self.address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(tail(32)).unwrap_or(0);
                Ipv4Addr::from_bits(address.to_bits() & mask).into()
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(tail(128)).unwrap_or(0);
                Ipv6Addr::from_bits(address.to_bits() & mask).into()
            }
        }
    }

    /// How many of its addresses' bits are the same.
    pub fn prefix_bits(&self) -> u8 {
        self.prefix_bits
    }

    /// True for a network all of which is within.
    fn holds(&self, other: &Network) -> bool {
        self.prefix_bits <= other.prefix_bits && self.contains(other.address)
    }

    /// True for an address within, of the same family.
    pub fn contains(&self, address: IpAddr) -> bool {
        let same_head = |one: u128, other: u128, bits: u32| {
            let tail = bits - u32::from(self.prefix_bits);
            one.checked_shr(tail) == other.checked_shr(tail)
        };
        match (self.address, address) {
            (IpAddr::V4(one), IpAddr::V4(other)) => {
                same_head(one.to_bits().into(), other.to_bits().into(), 32)
            }
            (IpAddr::V6(one), IpAddr::V6(other)) => same_head(one.to_bits(), other.to_bits(), 128),
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.trim().parse().map_err(|_| NotANetwork)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix_bits = match prefix {
            Some(bits) => bits.trim().parse().map_err(|_| NotANetwork)?,
            None => most,
        };
        if prefix_bits <= most { Ok(Self { address, prefix_bits }) } else { Err(NotANetwork) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix_bits)
    }
}

/// What of IPv4 is not the public internet: IANA's special-purpose registry (RFC 6890), multicast,
/// and what is reserved. Cloud metadata services lie in 169.254/16 and 100.64/10.
const SPECIAL_V4: [Network; 15] = [
    Network::v4(0, 0, 0, 8),
    Network::v4(10, 0, 0, 8),
    Network::v4(100, 64, 0, 10),
    Network::v4(127, 0, 0, 8),
    Network::v4(169, 254, 0, 16),
    Network::v4(172, 16, 0, 12),
    Network::v4(192, 0, 0, 24),
    Network::v4(192, 0, 2, 24),
    Network::v4(192, 88, 99, 24),
    Network::v4(192, 168, 0, 16),
    Network::v4(198, 18, 0, 15),
    Network::v4(198, 51, 100, 24),
    Network::v4(203, 0, 113, 24),
    Network::v4(224, 0, 0, 4),
    Network::v4(240, 0, 0, 4),
];

/// The one part of IPv6 that is given out to the public internet.
const GLOBAL_V6: Network = Network::v6(0x2000, 0, 3);

/// What is special inside it: protocol assignments with Teredo, documentation, and 6to4, which
/// carries any IPv4 address.
const SPECIAL_V6: [Network; 4] = [
    Network::v6(0x2001, 0, 23),
    Network::v6(0x2001, 0x0db8, 32),
    Network::v6(0x2002, 0, 16),
    Network::v6(0x3fff, 0, 20),
];

fn is_public(address: IpAddr) -> bool {
    let is_within = |networks: &[Network]| networks.iter().any(|it| it.contains(address));
    match address {
        IpAddr::V4(_) => !is_within(&SPECIAL_V4),
        IpAddr::V6(_) => GLOBAL_V6.contains(address) && !is_within(&SPECIAL_V6),
    }
}

/// Which addresses callbacks and functions with egress may go to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// Besides the public internet.
    pub also: Vec<Network>,
}

impl Reach {
    /// Those of the networks that are special, and are not within what the operator adds.
    pub fn closed(&self) -> impl Iterator<Item = Network> + '_ {
        let special = SPECIAL_V4.into_iter().chain(SPECIAL_V6);
        special.filter(|closed| !self.also.iter().any(|open| open.holds(closed)))
    }

    /// All that is open but for what is closed in it: a longer prefix decides.
    pub fn open(&self) -> impl Iterator<Item = Network> + '_ {
        [Network::v4(0, 0, 0, 0), GLOBAL_V6].into_iter().chain(self.also.iter().copied())
    }

    /// An IPv4 address in the clothes of an IPv6 one is what it is inside.
    pub fn includes(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        is_public(address) || self.also.iter().any(|network| network.contains(address))
    }
}

impl FromStr for Reach {
    type Err = NotANetwork;

    /// Networks with commas between them.
    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        Ok(Self { also: Network::list(text)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_internet_is_reached_and_nothing_else() {
        let reach = Reach::default();
        let public = ["1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "192.169.0.1"];
        let public_v6 = ["2606:4700:4700::1111", "2a00:1450:4001::1", "::ffff:8.8.8.8"];
        for text in public.iter().chain(&public_v6) {
            assert!(reach.includes(text.parse().unwrap()), "{text}");
        }
        let inside = [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:10.0.0.1",
            "::ffff:127.0.0.1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ];
        for text in inside {
            assert!(!reach.includes(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn what_is_closed_and_open_as_networks_says_the_same() {
        let reach: Reach = "10.1.0.0/16,192.168.0.0/16,fd00::/8".parse().unwrap();
        let longest = |networks: Vec<Network>, address| {
            let within = networks.into_iter().filter(|network| network.contains(address));
            within.map(|network| i16::from(network.prefix_bits)).max().unwrap_or(-1)
        };
        for text in ["8.8.8.8", "10.1.2.3", "10.2.0.1", "192.168.1.1", "127.0.0.1", "100.64.0.1"]
            .into_iter()
            .chain(["2606:4700::1", "2001:db8::1", "2002:7f00:1::", "fd00::1", "fe80::1", "::1"])
        {
            let address: IpAddr = text.parse().unwrap();
            let open = longest(reach.open().collect(), address);
            let closed = longest(reach.closed().collect(), address);
            assert_eq!(open > closed, reach.includes(address), "{text}");
        }
    }

    #[test]
    fn an_operator_can_add_networks() {
        let reach: Reach = "127.0.0.0/8, 10.1.0.0/16,::1".parse().unwrap();
        for text in ["127.0.0.1", "127.9.9.9", "10.1.255.1", "::1", "::ffff:10.1.0.1", "8.8.8.8"] {
            assert!(reach.includes(text.parse().unwrap()), "{text}");
        }
        for text in ["10.2.0.1", "::2", "192.168.0.1"] {
            assert!(!reach.includes(text.parse().unwrap()), "{text}");
        }
        for bad in ["", "x", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "1.1.1.1,"] {
            assert_eq!(bad.parse::<Reach>(), Err(NotANetwork), "{bad}");
        }
        for (text, first) in [
            ("10.1.2.3/30", "10.1.2.0"),
            ("10.1.2.3", "10.1.2.3"),
            ("10.1.2.3/0", "0.0.0.0"),
            ("fd00::ff/8", "fd00::"),
            ("fd00::ff/0", "::"),
        ] {
            let network: Network = text.parse().unwrap();
            assert_eq!(network.first_address(), first.parse::<IpAddr>().unwrap(), "{text}");
        }
        assert!(Network::v4(0, 0, 0, 0).contains("9.9.9.9".parse().unwrap()));
    }
}
