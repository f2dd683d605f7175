//! Fetches what a source pins of other people's code, for its build: from a Go module proxy and a
//! crate registry that the operator names, over HTTP or from a directory.
//!
//! This step runs no program and unpacks nothing: it asks for files by name and hands them to the
//! sandbox, where go and cargo check them against the author's pins and build without any network.

use std::{io, panic::resume_unwind, path::PathBuf, sync::Arc, time::Duration};

use compiler::{Crate, Dependency, Fetched, GoModule};
use reqwest::{Client, StatusCode};
use shared::config::{FetchSettings, Location};
use tokio::task::JoinSet;

/// Of one build, all together: they are held in memory on their way into the sandbox.
const MAX_TOTAL_BYTES: usize = 256 << 20;
/// Module archives of this size exist; larger ones are data, not code.
const MAX_FILE_BYTES: usize = 64 << 20;
const REQUEST_DEADLINE: Duration = Duration::from_secs(60);
/// Of one build, all together: it holds a slot meanwhile.
const FETCH_DEADLINE: Duration = Duration::from_secs(300);
/// Of one build: a source may name hundreds of small files, and a registry is not only there for it.
const REQUESTS_AT_ONCE: usize = 4;
/// A registry that redirects more often goes in circles.
const MAX_REDIRECTS: usize = 5;

/// Why dependencies could not be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// For the author: another try would end the same way.
    #[error("{0}")]
    Refused(String),
    /// Our trouble: the proxy or registry does not answer, or not as it should.
    #[error("failed to fetch {url}")]
    Http {
        url: String,
        #[source]
        source: reqwest::Error,
    },
    #[error("failed to fetch {url}: the answer was {status}")]
    Status { url: String, status: StatusCode },
    #[error("failed to read {path}")]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("failed to fetch the dependencies within {} s", FETCH_DEADLINE.as_secs())]
    TooSlow,
    #[error("failed to understand {0}: it is no registry's config.json")]
    NoRegistry(String),
}

/// One dependency, and what was fetched for it.
enum Found {
    Module(GoModule, Vec<u8>),
    /// With the line of the index, and the archive.
    Crate(Crate, String, Vec<u8>),
}

/// Where dependencies come from.
#[derive(Debug, Clone)]
pub(crate) struct Fetcher {
    settings: FetchSettings,
    client: Client,
}

impl Fetcher {
    pub(crate) fn new(settings: FetchSettings) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .timeout(REQUEST_DEADLINE)
            .redirect(reqwest::redirect::Policy::limited(MAX_REDIRECTS))
            .user_agent("apprun")
            .build()?;
        Ok(Self { settings, client })
    }

    /// What a build needs, within one deadline for all of it.
    pub(crate) async fn fetch(&self, needs: &[Dependency]) -> Result<Fetched, FetchError> {
        let all = self.fetch_all(needs);
        tokio::time::timeout(FETCH_DEADLINE, all).await.map_err(|_| FetchError::TooSlow)?
    }

    async fn fetch_all(&self, needs: &[Dependency]) -> Result<Fetched, FetchError> {
        let has_crates = needs.iter().any(|need| matches!(need, Dependency::Crate(_)));
        let template = if has_crates { self.download_template().await? } else { String::new() };
        let template: Arc<str> = template.into();
        let (mut waiting, mut under_way) = (needs.iter().cloned(), JoinSet::new());
        let mut fetched = Fetched::default();
        loop {
            let free = REQUESTS_AT_ONCE - under_way.len();
            for need in waiting.by_ref().take(free) {
                under_way.spawn(self.clone().fetch_one(need, template.clone()));
            }
            let Some(found) = under_way.join_next().await else { return Ok(fetched) };
            match found.unwrap_or_else(|panic| resume_unwind(panic.into_panic()))? {
                Found::Module(module, content) => fetched.add_module(&module, content),
                Found::Crate(wanted, line, archive) => fetched.add_crate(&wanted, &line, archive),
            }
            if fetched.total_bytes() > MAX_TOTAL_BYTES {
                let most = MAX_TOTAL_BYTES >> 20;
                let message = format!("the dependencies are larger than {most} MiB together");
                return Err(FetchError::Refused(message));
            }
        }
    }

    async fn fetch_one(self, need: Dependency, template: Arc<str>) -> Result<Found, FetchError> {
        match need {
            Dependency::GoModule(module) => {
                let content = self.module(&module).await?;
                Ok(Found::Module(module, content))
            }
            Dependency::Crate(wanted) => {
                let (line, archive) = self.package(&wanted, &template).await?;
                Ok(Found::Crate(wanted, line, archive))
            }
        }
    }

    async fn module(&self, module: &GoModule) -> Result<Vec<u8>, FetchError> {
        let GoModule { path, version, .. } = module;
        let allowed = &self.settings.go_allow;
        if !allowed.is_empty() && !allowed.iter().any(|prefix| is_below(path, prefix)) {
            let message = format!(
                "module {path} is not allowed here; allowed are those below {}",
                allowed.join(", ")
            );
            return Err(FetchError::Refused(message));
        }
        let proxy = self.settings.go_proxy.as_ref();
        let found = match proxy {
            Some(proxy) => self.get(&proxy.join(&module.proxy_path())).await?,
            None => None,
        };
        found.ok_or_else(|| {
            FetchError::Refused(format!("the module proxy does not have {path}@{version}"))
        })
    }

    /// The line of the index about a crate, and its archive.
    async fn package(
        &self,
        wanted: &Crate,
        template: &str,
    ) -> Result<(String, Vec<u8>), FetchError> {
        let Crate { name, version, .. } = wanted;
        let refused = |why: &str| FetchError::Refused(format!("crate {name} {version} {why}"));
        let registry = self.settings.cargo_registry.as_ref();
        let registry = registry.ok_or_else(|| refused("cannot be fetched here"))?;
        let index = self.get(&registry.join(&wanted.index_path())).await?;
        let index = index.ok_or_else(|| refused("is not in the registry"))?;
        let index = String::from_utf8_lossy(&index);
        let line = wanted
            .index_line(&index)
            .ok_or_else(|| refused("is not in the registry with the checksum in Cargo.lock"))?;
        let place = registry.resolve(&download_url(template, wanted));
        let archive = self.get(&place).await?;
        let archive = archive.ok_or_else(|| refused("has no archive in the registry"))?;
        if !wanted.is(&archive) {
            return Err(refused("is not what its checksum in Cargo.lock says"));
        }
        Ok((line.to_owned(), archive))
    }

    /// `dl` of the registry's `config.json`
    /// (<https://doc.rust-lang.org/cargo/reference/registry-index.html#index-configuration>).
    async fn download_template(&self) -> Result<String, FetchError> {
        #[derive(serde::Deserialize)]
        struct RegistryConfig {
            dl: String,
        }
        let registry = self.settings.cargo_registry.as_ref();
        let place = registry.map(|registry| registry.join("config.json"));
        let place = place.ok_or_else(|| FetchError::NoRegistry("nothing".to_owned()))?;
        let text = self.get(&place).await?.unwrap_or_default();
        let config: Result<RegistryConfig, _> = serde_json::from_slice(&text);
        config.map(|it| it.dl).map_err(|_| FetchError::NoRegistry(place.to_string()))
    }

    /// The content, or None where there is none. Bounded.
    async fn get(&self, place: &Location) -> Result<Option<Vec<u8>>, FetchError> {
        match place {
            Location::Directory(path) => read(path).await,
            Location::Url(url) => self.download(url).await,
        }
    }

    async fn download(&self, url: &str) -> Result<Option<Vec<u8>>, FetchError> {
        let failed = |source| FetchError::Http { url: url.to_owned(), source };
        let mut answer = self.client.get(url).send().await.map_err(failed)?;
        match answer.status() {
            StatusCode::OK => {}
            // What a proxy answers for what it has not, or no more, or may not give away.
            StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::FORBIDDEN => return Ok(None),
            status => return Err(FetchError::Status { url: url.to_owned(), status }),
        }
        let mut content = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            if content.len() + chunk.len() > MAX_FILE_BYTES {
                return Err(too_large(url));
            }
            content.extend_from_slice(&chunk);
        }
        Ok(Some(content))
    }
}

async fn read(path: &PathBuf) -> Result<Option<Vec<u8>>, FetchError> {
    match tokio::fs::read(path).await {
        Ok(content) if content.len() > MAX_FILE_BYTES => Err(too_large(&path.to_string_lossy())),
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(FetchError::File { path: path.clone(), source }),
    }
}

fn too_large(place: &str) -> FetchError {
    let name = place.rsplit('/').next().unwrap_or_default();
    FetchError::Refused(format!("{name} is larger than {} MiB", MAX_FILE_BYTES >> 20))
}

/// `golang.org/x` allows itself and what is below, not `golang.org/xyz`.
fn is_below(path: &str, prefix: &str) -> bool {
    let prefix = prefix.trim_end_matches('/');
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn download_url(template: &str, wanted: &Crate) -> String {
    let Crate { name, version, sha256 } = wanted;
    let index_path = wanted.index_path();
    let prefix = index_path.rsplit_once('/').map_or("", |(prefix, _)| prefix);
    let markers = [
        ("{crate}", name.as_str()),
        ("{version}", version),
        ("{prefix}", prefix),
        ("{lowerprefix}", prefix),
        ("{sha256-checksum}", &hex::encode(sha256)),
    ];
    if !markers.iter().any(|(marker, _)| template.contains(marker)) {
        return format!("{}/{name}/{version}/download", template.trim_end_matches('/'));
    }
    markers.iter().fold(template.to_owned(), |url, (marker, value)| url.replace(marker, value))
}

#[cfg(test)]
mod tests;
