//! Lets functions with egress out: to public TCP services and a resolver, and to nothing else.
//!
//! A function's connections end in its slot, at a socket that this room holds. What passes is carried
//! byte by byte over a connection of the worker's own, opened after the address was checked; nothing
//! a function sends is ever looked at.

mod guard;
mod relay;
mod resolver;

use std::{
    io,
    net::{Ipv6Addr, UdpSocket},
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
};

use sandbox::{Access, Bind, Doors, Gate, Image, Prefix, Routes};
use shared::{
    config::Service,
    domain::{Network, Reach},
    telemetry::chain,
};
use tokio::sync::Semaphore;

use guard::Guard;

/// Connections that one call may have at the same time, those to the resolver included.
const CONNECTIONS_PER_CALL: usize = 64;

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
        Arc::new(Relay { guard: Arc::new(guard), resolv_conf: self.resolv_conf.as_path().into() })
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

#[derive(Debug)]
struct Relay {
    guard: Arc<Guard>,
    resolv_conf: Arc<Path>,
}

impl Gate for Relay {
    fn serve(&self, doors: Doors) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let (guard, resolv_conf) = (Arc::clone(&self.guard), Arc::clone(&self.resolv_conf));
        Box::pin(async move {
            if let Err(error) = serve(guard, resolv_conf, doors).await {
                tracing::error!(error = chain(&error), "the network of a call is not served");
            }
        })
    }
}

/// Ends only when it is dropped, or at once when the sockets cannot be used.
async fn serve(guard: Arc<Guard>, resolv_conf: Arc<Path>, doors: Doors) -> io::Result<()> {
    let Doors { streams, queries, long_queries, steering } = doors;
    let connections = Arc::new(Semaphore::new(CONNECTIONS_PER_CALL));
    let streams = relay::listener(streams)?;
    let long_queries = relay::listener(long_queries)?;
    let queries = resolver::socket(queries)?;
    let to_wanted = |stream| relay::carry_to_wanted(Arc::clone(&guard), stream);
    let to_resolver = |stream| resolver::carry(Arc::clone(&resolv_conf), stream);
    tokio::join!(
        relay::take_up(streams, Arc::clone(&connections), to_wanted),
        relay::take_up(long_queries, connections, to_resolver),
        resolver::answer(queries, Arc::clone(&resolv_conf)),
    );
    drop(steering);
    Ok(())
}
