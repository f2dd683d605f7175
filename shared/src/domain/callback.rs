//! Where a caller wants to be told how a call ended, and which addresses such a message may go to.
//!
//! Whoever names a URL makes the platform send a request from where it stands, inside networks that
//! the caller cannot see. So only addresses of the public internet are reached, and those that the
//! operator adds. Names are checked by what they resolve to at the moment of connecting.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use url::{Host, Url};

use super::text_enum::text_enum;

text_enum!(
    /// How far the message about an execution's end is.
    CallbackStatus {
        /// Not delivered yet.
        Pending = "pending",
        /// The receiver has it.
        Delivered = "delivered",
        /// Given up, or the receiver wants no more.
        Failed = "failed",
    }
);

/// An absolute `http` or `https` URL without credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackUrl(Url);

/// Why a text is no callback URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CallbackUrlError {
    /// Bounded, as it goes into a row.
    #[error("is longer than {} characters", CallbackUrl::MAX_CHARS)]
    TooLong,
    /// Not a URL with a scheme and a host.
    #[error("must be an absolute URL, as in 'https://example.com/hook'")]
    NotAbsolute,
    /// Nothing else is spoken.
    #[error("must begin with 'http://' or 'https://'")]
    Scheme,
    /// They would lie in rows and logs; the signature tells the receiver who sends.
    #[error("must not hold a user name or password")]
    Credentials,
}

impl CallbackUrl {
    /// Longest text.
    pub const MAX_CHARS: usize = 2048;

    /// The text as it is called.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The address, where the host is one and not a name.
    pub fn literal_address(&self) -> Option<IpAddr> {
        match self.0.host()? {
            Host::Domain(_) => None,
            Host::Ipv4(address) => Some(address.into()),
            Host::Ipv6(address) => Some(address.into()),
        }
    }
}

impl FromStr for CallbackUrl {
    type Err = CallbackUrlError;

    fn from_str(text: &str) -> Result<Self, CallbackUrlError> {
        if text.len() > Self::MAX_CHARS {
            return Err(CallbackUrlError::TooLong);
        }
        let mut url = Url::parse(text).map_err(|_| CallbackUrlError::NotAbsolute)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(CallbackUrlError::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(CallbackUrlError::Credentials);
        }
        if url.host().is_none() {
            return Err(CallbackUrlError::NotAbsolute);
        }
        url.set_fragment(None);
        Ok(Self(url))
    }
}

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

/// Which addresses callbacks may go to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// Besides the public internet.
    pub also: Vec<Network>,
}

impl Reach {
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
        let networks = text.split(',').map(|network| network.trim().parse());
        Ok(Self { also: networks.collect::<Result<_, _>>()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absolute_web_addresses_without_credentials_are_taken() {
        let cases = [
            ("", CallbackUrlError::NotAbsolute),
            ("/hook", CallbackUrlError::NotAbsolute),
            ("example.com/hook", CallbackUrlError::NotAbsolute),
            ("http://", CallbackUrlError::NotAbsolute),
            ("ftp://example.com/", CallbackUrlError::Scheme),
            ("file:///etc/passwd", CallbackUrlError::Scheme),
            ("gopher://example.com/", CallbackUrlError::Scheme),
            ("https://user@example.com/", CallbackUrlError::Credentials),
            ("https://user:secret@example.com/", CallbackUrlError::Credentials),
        ];
        for (text, error) in cases {
            assert_eq!(text.parse::<CallbackUrl>(), Err(error), "{text}");
        }
        let long = format!("https://example.com/{}", "x".repeat(CallbackUrl::MAX_CHARS));
        assert_eq!(long.parse::<CallbackUrl>(), Err(CallbackUrlError::TooLong));
        let good: CallbackUrl = "https://example.com/hook?a=1#part".parse().unwrap();
        assert_eq!(good.as_str(), "https://example.com/hook?a=1");
    }

    #[test]
    fn an_address_in_disguise_is_still_seen() {
        for text in ["http://2130706433/", "http://0x7f.1/", "http://127.1/", "http://0177.0.0.1/"]
        {
            let url: CallbackUrl = text.parse().unwrap();
            assert_eq!(url.literal_address(), Some(Ipv4Addr::LOCALHOST.into()), "{text}");
        }
        let url: CallbackUrl = "http://[::ffff:169.254.169.254]/".parse().unwrap();
        assert!(!Reach::default().includes(url.literal_address().unwrap()));
    }

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
        assert!(Network::v4(0, 0, 0, 0).contains("9.9.9.9".parse().unwrap()));
    }
}
