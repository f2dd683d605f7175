//! What functions with egress find in their slots: routes, a resolver, and the host's certificates.

use std::{
    net::{Ipv6Addr, UdpSocket},
    path::{Path, PathBuf},
    sync::Arc,
};

use sandbox::{Access, Bind, Gate, Image, Prefix, Routes};
use shared::{
    config::Service,
    domain::{Network, Reach},
};

use super::{gate::Relay, guard::Guard};

/// Where the functions' libraries look for the certificates they trust, besides what the variable says.
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";
/// The variable that Go and the Rust libraries take the place from.
pub(crate) const CERTIFICATES_VARIABLE: (&str, &str) = ("SSL_CERT_FILE", CERTIFICATES);

/// Where distributions keep them: Debian, Fedora, SUSE, Alpine.
const CERTIFICATES_ON_HOSTS: [&str; 4] = [
    CERTIFICATES,
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// What functions with egress may reach, and by which resolvers names are found.
#[derive(Debug, Clone)]
pub struct Egress {
    /// Which addresses.
    pub reach: Reach,
    /// The platform's own, which no function reaches wherever they are.
    pub services: Vec<Service>,
    /// A file as `/etc/resolv.conf`; the name servers in it are asked.
    pub resolv_conf: PathBuf,
}

impl Egress {
    /// The image of functions with egress: the empty one, a resolver, and the certificates of the host.
    pub fn image(&self) -> Image {
        let mut image = Image::networked(routes(&self.reach, has_ipv6()));
        let known = CERTIFICATES_ON_HOSTS.map(Path::new);
        match known.into_iter().find(|path| path.is_file()) {
            Some(source) => image.binds.push(Bind {
                source: source.to_owned(),
                target: CERTIFICATES.into(),
                access: Access::ReadOnly,
            }),
            None => tracing::warn!("no certificates found here: functions cannot verify TLS peers"),
        }
        image
    }

    /// Who serves the network of that image's slots.
    pub fn gate(&self) -> Arc<dyn Gate> {
        let guard = Guard::new(self.reach.clone(), self.services.clone());
        Arc::new(Relay::new(guard, &self.resolv_conf))
    }
}

/// What cannot be reached anyway is refused in the slot, at once and for the right reason.
fn routes(reach: &Reach, ipv6: bool) -> Routes {
    let usable = |network: &Network| ipv6 || network.first_address().is_ipv4();
    let prefix =
        |network: Network| Prefix { address: network.first_address(), bits: network.prefix_bits() };
    // A route for loopback would take the place of the slot's own.
    let is_foreign = |network: &Network| !network.first_address().is_loopback();
    Routes {
        open: reach.open().filter(usable).filter(is_foreign).map(prefix).collect(),
        closed: reach.closed().filter(usable).filter(is_foreign).map(prefix).collect(),
    }
}

/// Whether this machine has a way to the public IPv6 internet. Without one, functions that prefer IPv6
/// must not be led to believe in it: their connections would be taken up and then fail.
fn has_ipv6() -> bool {
    // Any address that is given out. A datagram socket that is connected sends nothing.
    let somewhere = (Ipv6Addr::new(0x2606, 0x4700, 0, 0, 0, 0, 0, 1), 443);
    let connect = |socket: UdpSocket| socket.connect(somewhere);
    UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).and_then(connect).is_ok()
}
