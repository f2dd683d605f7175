//! Where the platform's own services are, as its configuration names them: what no function may reach.

use url::Url;

use super::{Config, Secret};

/// A database, a store, a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// A name or an address.
    pub host: String,
    /// Where it listens.
    pub port: u16,
}

/// What a URL that names no port means.
const DEFAULT_PORTS: [(&str, u16); 7] = [
    ("postgres", 5432),
    ("postgresql", 5432),
    ("redis", 6379),
    ("nats", 4222),
    ("tls", 4222),
    ("http", 80),
    ("https", 443),
];

impl Service {
    /// What a URL leads to; None for one that does not lead to the network.
    fn of_url(url: &str) -> Option<Self> {
        let url = Url::parse(url).ok()?;
        let host = url.host_str()?.trim_matches(['[', ']']);
        let default = DEFAULT_PORTS.iter().find(|(scheme, _)| *scheme == url.scheme());
        let port = url.port().or(default.map(|(_, port)| *port))?;
        (!host.is_empty()).then(|| Self { host: host.to_owned(), port })
    }
}

impl Config {
    /// Every service that is configured, with the database that is used.
    pub fn services(&self, database_url: &Secret) -> Vec<Service> {
        let secret = [Some(database_url), self.redis_url.as_ref(), self.nats_url.as_ref()];
        let secret = secret.into_iter().flatten().map(Secret::expose);
        secret.chain(self.s3.endpoint.as_deref()).filter_map(Service::of_url).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_found_in_their_urls() {
        let cases = [
            ("postgres://me:secret@db.internal/apprun", Some(("db.internal", 5432))),
            ("postgresql://db:6543/apprun?sslmode=require", Some(("db", 6543))),
            ("redis://[fd00::1]/0", Some(("fd00::1", 6379))),
            ("tls://broker", Some(("broker", 4222))),
            ("https://store.example.com/path", Some(("store.example.com", 443))),
            ("http://127.0.0.1:9000", Some(("127.0.0.1", 9000))),
            ("postgres:///apprun?host=/run/postgresql", None),
        ];
        for (url, expected) in cases {
            let found = Service::of_url(url);
            let found = found.as_ref().map(|service| (service.host.as_str(), service.port));
            assert_eq!(found, expected, "{url}");
        }
    }
}
