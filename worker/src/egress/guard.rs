//! Decides about one address at the moment it is to be connected to. Names are none of its business:
//! what a name resolved to earlier, or for somebody else, says nothing.

use std::{
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
};

use shared::{config::Service, domain::Reach};

/// Why an address is not connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("not a public address")]
    NotPublic,
    #[error("an address of this machine")]
    OwnAddress,
    #[error("a service of the platform")]
    OwnService,
}

#[derive(Debug)]
pub(super) struct Guard {
    reach: Reach,
    services: Vec<Service>,
}

impl Guard {
    pub(super) fn new(reach: Reach, services: Vec<Service>) -> Self {
        Self { reach, services }
    }

    pub(super) async fn check(&self, wanted: SocketAddr) -> Result<(), Refusal> {
        if !self.reach.includes(wanted.ip()) {
            return Err(Refusal::NotPublic);
        }
        if !is_elsewhere(wanted.ip()) {
            return Err(Refusal::OwnAddress);
        }
        for service in self.services.iter().filter(|service| service.port == wanted.port()) {
            // A service that cannot be found could be anywhere.
            let found = tokio::net::lookup_host((service.host.as_str(), service.port)).await;
            if found.map_or(true, |mut all| all.any(|it| it.ip().to_canonical() == wanted.ip())) {
                return Err(Refusal::OwnService);
            }
        }
        Ok(())
    }
}

/// True for an address that none of this machine's interfaces has, now: nothing can be bound to it.
fn is_elsewhere(address: IpAddr) -> bool {
    let bound = UdpSocket::bind((address, 0));
    bound.is_err_and(|error| error.kind() == io::ErrorKind::AddrNotAvailable)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(guard: &Guard, wanted: &str) -> Result<(), Refusal> {
        guard.check(wanted.parse().unwrap()).await
    }

    #[tokio::test]
    async fn public_addresses_pass_and_others_do_not() {
        let guard = Guard::new(Reach::default(), Vec::new());

        assert_eq!(check(&guard, "1.1.1.1:443").await, Ok(()));
        for inside in ["10.0.0.1:80", "169.254.169.254:80", "[fd00:ec2::254]:80", "0.0.0.0:80"] {
            assert_eq!(check(&guard, inside).await, Err(Refusal::NotPublic), "{inside}");
        }
    }

    #[tokio::test]
    async fn addresses_of_this_machine_are_refused_even_where_the_network_is_open() {
        let guard = Guard::new("127.0.0.0/8,10.0.0.0/8".parse().unwrap(), Vec::new());

        assert_eq!(check(&guard, "127.0.0.1:5432").await, Err(Refusal::OwnAddress));
        assert_eq!(check(&guard, "10.0.0.1:80").await, Ok(()));
    }

    #[tokio::test]
    async fn services_of_the_platform_are_refused_at_their_port() {
        let service = |host: &str, port| Service { host: host.to_owned(), port };
        let services =
            vec![service("93.184.216.34", 5432), service("does-not-exist.invalid", 6379)];
        let guard = Guard::new(Reach::default(), services);

        assert_eq!(check(&guard, "93.184.216.34:5432").await, Err(Refusal::OwnService));
        assert_eq!(check(&guard, "93.184.216.34:443").await, Ok(()));
        assert_eq!(check(&guard, "93.184.216.35:5432").await, Ok(()));
        // Nobody knows where it is.
        assert_eq!(check(&guard, "1.1.1.1:6379").await, Err(Refusal::OwnService));
    }
}
