//! What a networked run has of the world, and who lets it through.
//!
//! A networked slot is as cut off as any other: a network namespace with a loopback interface. But
//! every TCP connection to an open address ends at one listening socket there, whatever its port, and
//! the sandbox's owner gets that socket. Nothing passes unless the owner passes it on.

use std::{
    fmt::Debug,
    net::{IpAddr, Ipv4Addr},
    os::fd::OwnedFd,
    pin::Pin,
};

use serde::{Deserialize, Serialize};

/// Where a networked run finds its resolver, by UDP and TCP on port 53.
pub const RESOLVER: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// Which connections a networked slot takes up, by the longest prefix that matches. Others fail at
/// once: closed ones with EHOSTUNREACH, those without any prefix with ENETUNREACH. Loopback is always
/// the run's own, and nothing but the resolver listens there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Routes {
    /// Handed to the gate. Without an IPv6 prefix here, the slot has no IPv6 at all.
    pub open: Vec<Prefix>,
    /// Refused in the slot already.
    pub closed: Vec<Prefix>,
}

impl Routes {
    /// The first address of each closed prefix, unless an open one within begins there too.
    pub(crate) fn closed_addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        let is_opened = |closed: &Prefix| {
            self.open.iter().any(|open| open.bits > closed.bits && open.address == closed.address)
        };
        let closed = self.closed.iter().filter(move |closed| !is_opened(closed));
        closed.map(|prefix| prefix.address)
    }
}

/// All addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prefix {
    /// The first of them: the kernel takes no other.
    pub address: IpAddr,
    /// How many bits are the same.
    pub bits: u8,
}

/// The inner end of one slot's network.
#[derive(Debug)]
pub struct Doors {
    /// Listens: every connection to an open address. The local address of an accepted one is where the
    /// run wanted to go.
    pub streams: OwnedFd,
    /// UDP on `RESOLVER`, port 53.
    pub queries: OwnedFd,
    /// Listens on the same port: a resolver is asked by TCP for what is long.
    pub long_queries: OwnedFd,
    /// Connections come to `streams` for as long as this is open.
    pub steering: OwnedFd,
}

impl Doors {
    /// As they are sent.
    pub(crate) fn from_fds(fds: Vec<OwnedFd>) -> Option<Doors> {
        let [streams, queries, long_queries, steering] = fds.try_into().ok()?;
        Some(Doors { streams, queries, long_queries, steering })
    }
}

/// Decides what passes.
pub trait Gate: Debug + Send + Sync {
    /// Serves one slot. The future is dropped when the slot's last process is dead, and everything that
    /// it holds must go with it.
    fn serve(&self, doors: Doors) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}
