//! The network of one slot: an interface, routes, and the sockets behind which its owner stands.
//!
//! Everything is a local address here, so that the kernel itself takes up connections to any host, and
//! none of them leaves the namespace. What is closed has a route that says so.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, listen, recv, send,
    socket_with, sockopt,
};

use super::steer::steer;
use crate::network::{Prefix, RESOLVER, Routes};

const DNS_PORT: u16 = 53;
/// Connections that may wait to be taken up.
const BACKLOG: i32 = 64;
/// What a connection may hold in each direction on this side, before the kernel doubles it for its own
/// needs: the memory of sockets is not counted on every layout of control groups.
const BUFFER_BYTES: usize = 64 << 10;
/// A connection whose other end is gone is noticed after this time and three attempts.
const IDLE_BEFORE_PROBE: Duration = Duration::from_secs(15);
const PROBE_PAUSE: Duration = Duration::from_secs(5);
const PROBES: u32 = 3;

/// Sets up the network namespace this process is in. Gives the `Doors`, in their order.
pub(super) fn open(routes: &Routes) -> io::Result<[OwnedFd; 4]> {
    configure(routes)?;
    let anywhere: IpAddr = match routes.open.iter().any(|prefix| prefix.address.is_ipv6()) {
        // Takes IPv4 as well.
        true => Ipv6Addr::UNSPECIFIED.into(),
        false => Ipv4Addr::UNSPECIFIED.into(),
    };
    let resolver = SocketAddr::from((RESOLVER, DNS_PORT));
    let streams = listening((anywhere, 0).into())?;
    let queries = bound(resolver, SocketType::DGRAM)?;
    let long_queries = listening(resolver)?;
    let steering = steer(streams.as_fd())?;
    Ok([streams, queries, long_queries, steering])
}

fn bound(address: SocketAddr, kind: SocketType) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(family, kind, flags, None)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, false)?;
    }
    bind(&socket, &address)?;
    Ok(socket)
}

/// What is set here, every connection inherits.
fn listening(address: SocketAddr) -> io::Result<OwnedFd> {
    let socket = bound(address, SocketType::STREAM)?;
    sockopt::set_socket_send_buffer_size(&socket, BUFFER_BYTES)?;
    sockopt::set_socket_recv_buffer_size(&socket, BUFFER_BYTES)?;
    sockopt::set_socket_keepalive(&socket, true)?;
    sockopt::set_tcp_keepidle(&socket, IDLE_BEFORE_PROBE)?;
    sockopt::set_tcp_keepintvl(&socket, PROBE_PAUSE)?;
    sockopt::set_tcp_keepcnt(&socket, PROBES)?;
    listen(&socket, BACKLOG)?;
    Ok(socket)
}

/// Brings the loopback interface up and adds the routes.
fn configure(routes: &Routes) -> io::Result<()> {
    let kernel = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    tell(&kernel, &interface_up())?;
    for prefix in &routes.open {
        tell(&kernel, &route(*prefix, Kind::Local))?;
    }
    for prefix in &routes.closed {
        tell(&kernel, &route(*prefix, Kind::Unreachable))?;
    }
    Ok(())
}

/// Sends one request and waits for its acknowledgement, a `struct nlmsgerr`.
fn tell(kernel: &OwnedFd, request: &[u8]) -> io::Result<()> {
    send(kernel, request, SendFlags::empty())?;
    let mut answer = [0_u8; 256];
    let (length, _) = recv(kernel, &mut answer, RecvFlags::empty())?;
    let errno = answer[..length].get(16..20).and_then(|bytes| bytes.try_into().ok());
    match errno.map(i32::from_ne_bytes) {
        Some(0) => Ok(()),
        Some(errno) => Err(io::Error::from_raw_os_error(-errno)),
        None => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// The loopback interface is the first of every namespace.
const LOOPBACK: u32 = 1;

/// A `struct ifinfomsg` that sets the one flag.
fn interface_up() -> Vec<u8> {
    const RTM_NEWLINK: u16 = 16;
    const IFF_UP: u32 = 1;
    let mut body = vec![0; 4];
    for word in [LOOPBACK, IFF_UP, IFF_UP] {
        body.extend(word.to_ne_bytes());
    }
    request(RTM_NEWLINK, 0, &body)
}

/// The kernel's RTN_LOCAL and RTN_UNREACHABLE.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Local = 2,
    Unreachable = 7,
}

/// A `struct rtmsg` with its attributes. The table of local addresses is asked before all others.
fn route(prefix: Prefix, kind: Kind) -> Vec<u8> {
    const RTM_NEWROUTE: u16 = 24;
    const CREATE_OR_REPLACE: u16 = 0x400 | 0x100;
    const TABLE_LOCAL: u8 = 255;
    const BY_ADMINISTRATOR: u8 = 4;
    const SCOPE_HOST: u8 = 254;
    const DESTINATION: u16 = 1;
    const OUT_INTERFACE: u16 = 4;
    const PREFERRED_SOURCE: u16 = 7;
    let is_local_v4 = kind == Kind::Local && prefix.address.is_ipv4();
    let scope = if is_local_v4 { SCOPE_HOST } else { 0 };
    let family = if prefix.address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let kind_byte = kind as u8;
    let mut body =
        vec![family as u8, prefix.bits, 0, 0, TABLE_LOCAL, BY_ADMINISTRATOR, scope, kind_byte];
    body.extend([0; 4]);
    match prefix.address {
        IpAddr::V4(address) => attribute(&mut body, DESTINATION, &address.octets()),
        IpAddr::V6(address) => attribute(&mut body, DESTINATION, &address.octets()),
    }
    if kind == Kind::Local {
        attribute(&mut body, OUT_INTERFACE, &LOOPBACK.to_ne_bytes());
    }
    if is_local_v4 {
        // Else a connection would come from the address it goes to, and might meet itself.
        attribute(&mut body, PREFERRED_SOURCE, &Ipv4Addr::LOCALHOST.octets());
    }
    request(RTM_NEWROUTE, CREATE_OR_REPLACE, &body)
}

fn attribute(body: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = 4 + value.len() as u16;
    body.extend(length.to_ne_bytes());
    body.extend(kind.to_ne_bytes());
    body.extend(value);
}

/// A `struct nlmsghdr` and its body.
fn request(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    const REQUEST_AND_ACKNOWLEDGE: u16 = 0x1 | 0x4;
    let mut message = (16 + body.len() as u32).to_ne_bytes().to_vec();
    message.extend(kind.to_ne_bytes());
    message.extend((flags | REQUEST_AND_ACKNOWLEDGE).to_ne_bytes());
    message.extend([0; 8]);
    message.extend(body);
    message
}
