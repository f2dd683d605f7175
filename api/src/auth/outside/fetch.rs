//! Fetching the keys: one small document from the address in the configuration.

use std::time::Duration;

use reqwest::{Client, redirect};
use shared::telemetry::chain;

use super::jwk::{self, Key};

/// Requests wait for it, so it may not take long.
const DEADLINE: Duration = Duration::from_secs(3);

/// Sets of a few keys are a few KiB.
const MAX_BYTES: usize = 256 * 1024;

/// Why there are no keys; for the log.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("failed to fetch the outside issuer's keys")]
    Http(#[from] reqwest::Error),
    #[error("failed to read the outside issuer's keys: more than {MAX_BYTES} bytes")]
    TooLarge,
    #[error("failed to read the outside issuer's keys: the answer is no set of keys")]
    NoSet,
}

/// The usable keys at an address.
pub(super) async fn fetch(url: &str) -> Result<Vec<Key>, FetchError> {
    let client = Client::builder()
        .timeout(DEADLINE)
        // The address is the operator's word; where else it points is not.
        .redirect(redirect::Policy::none())
        .user_agent("apprun")
        .build()?;
    let mut response = client.get(url).send().await?.error_for_status()?;
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await? {
        if body.len() + part.len() > MAX_BYTES {
            return Err(FetchError::TooLarge);
        }
        body.extend_from_slice(&part);
    }
    jwk::read_set(&body).ok_or(FetchError::NoSet)
}

/// The same; trouble goes into the log.
pub(super) async fn try_fetch(url: &str) -> Option<Vec<Key>> {
    match fetch(url).await {
        Ok(keys) => {
            tracing::info!(keys = keys.len(), "fetched the outside issuer's keys");
            Some(keys)
        }
        Err(error) => {
            tracing::warn!(
                error = chain(&error),
                url,
                "the outside issuer's keys were not fetched"
            );
            None
        }
    }
}
