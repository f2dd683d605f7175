//! Fetches what a source pins of other people's code, for its build: from a Go module proxy and a
//! crate registry that the operator names, over HTTP or from a directory.
//!
//! This step runs no program and unpacks nothing: it asks for files by name and hands them to the
//! sandbox, where go and cargo check them against the author's pins and build without any network.

use std::{io, path::PathBuf, time::Duration};

use compiler::{Crate, Dependency, Fetched, GoModule};
use reqwest::{Client, StatusCode};
use shared::config::{FetchSettings, Location};

/// Of one build, all together: they are held in memory on their way into the sandbox.
const MAX_TOTAL_BYTES: usize = 256 << 20;
/// Module archives of this size exist; larger ones are data, not code.
const MAX_FILE_BYTES: usize = 64 << 20;
const REQUEST_DEADLINE: Duration = Duration::from_secs(60);
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
    #[error("failed to understand {0}: it is no registry's config.json")]
    NoRegistry(String),
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

    /// What a build needs.
    pub(crate) async fn fetch(&self, needs: &[Dependency]) -> Result<Fetched, FetchError> {
        let mut fetched = Fetched::default();
        let mut download = None;
        for need in needs {
            match need {
                Dependency::GoModule(module) => {
                    fetched.add_module(module, self.module(module).await?);
                }
                Dependency::Crate(wanted) => {
                    if download.is_none() {
                        download = Some(self.download_template().await?);
                    }
                    let template = download.as_deref().unwrap_or_default();
                    let (index_line, archive) = self.package(wanted, template).await?;
                    fetched.add_crate(wanted, &index_line, archive);
                }
            }
            if fetched.total_bytes() > MAX_TOTAL_BYTES {
                let most = MAX_TOTAL_BYTES >> 20;
                let message = format!("the dependencies are larger than {most} MiB together");
                return Err(FetchError::Refused(message));
            }
        }
        Ok(fetched)
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
