//! Artifacts in a bucket of an S3-compatible store: `<prefix>/ab/abcdef…`. A PUT is atomic and names
//! its content, so every request here may be sent again, and is, with growing pauses.

use std::time::Duration;

use s3::{Region, creds::Credentials, error::S3Error};
use time::{OffsetDateTime, format_description::well_known::Rfc2822};

use super::ArtifactError;
use crate::config::S3Settings;

/// Pauses before the second, third and fourth try: a server that restarts is back in between.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(100),
    Duration::from_millis(400),
    Duration::from_millis(1600),
    Duration::from_millis(3200),
];
/// 64 MiB over a slow line.
const REQUEST_DEADLINE: Duration = Duration::from_secs(30);
/// Somebody waits for the start.
const TRY_OUT_DEADLINE: Duration = Duration::from_secs(5);

/// A bucket and the place in it.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    bucket: Box<s3::Bucket>,
    prefix: String,
}

impl Bucket {
    /// Asks nobody yet.
    pub(super) fn new(
        name: &str,
        prefix: &str,
        settings: &S3Settings,
    ) -> Result<Self, ArtifactError> {
        let wrong = |error: S3Error| ArtifactError::Settings(error.to_string());
        let (Some(access_key), Some(secret_key)) = (&settings.access_key, &settings.secret_key)
        else {
            let needed = "an s3:// store needs s3_access_key and s3_secret_key \
                          (APPRUN_S3_ACCESS_KEY and APPRUN_S3_SECRET_KEY, or AWS's variables)";
            return Err(ArtifactError::Settings(needed.to_owned()));
        };
        let keys = (Some(access_key.expose()), Some(secret_key.expose()));
        let credentials = Credentials::new(keys.0, keys.1, None, None, None)
            .map_err(|error| wrong(error.into()))?;
        let region = match &settings.endpoint {
            Some(endpoint) => {
                Region::Custom { region: settings.region.clone(), endpoint: endpoint.clone() }
            }
            None => settings.region.parse().map_err(|_| {
                ArtifactError::Settings(format!("{:?} is no region of S3", settings.region))
            })?,
        };
        // Our own pauses are enough; the library would multiply the tries.
        s3::set_retries(0);
        let bucket = s3::Bucket::new(name, region, credentials).map_err(wrong)?;
        // Stores of one's own rarely have a host name per bucket.
        let bucket = bucket.with_path_style();
        let bucket = bucket.with_request_timeout(REQUEST_DEADLINE).map_err(wrong)?;
        Ok(Self { bucket, prefix: prefix.to_owned() })
    }

    /// Writes, reads and deletes one object.
    pub(super) async fn try_out(&self) -> Result<(), ArtifactError> {
        let key = self.key(&format!("try-out-{}", uuid::Uuid::now_v7().simple()));
        let quick = self.bucket.with_request_timeout(TRY_OUT_DEADLINE);
        let quick = quick.map_err(|source| self.failed(&key, source))?;
        let tried = async {
            quick.put_object(&key, b"apprun").await?;
            let read = quick.get_object(&key).await?;
            quick.delete_object(&key).await?;
            Ok(read.bytes().as_ref() == b"apprun")
        };
        match tried.await {
            Ok(true) => Ok(()),
            Ok(false) => {
                let place = self.place(&key);
                Err(ArtifactError::Settings(format!("{place} reads back other bytes")))
            }
            Err(source) => Err(self.failed(&key, source)),
        }
    }

    pub(super) async fn put(&self, sha256: [u8; 32], binary: &[u8]) -> Result<(), ArtifactError> {
        let key = self.key_of(sha256);
        let put = persevere(|| self.bucket.put_object(&key, binary));
        put.await.map(drop).map_err(|source| self.failed(&key, source))
    }

    pub(super) async fn get(&self, sha256: [u8; 32]) -> Result<Vec<u8>, ArtifactError> {
        let key = self.key_of(sha256);
        match persevere(|| self.bucket.get_object(&key)).await {
            Ok(object) => Ok(object.bytes().to_vec()),
            Err(error) if is_missing(&error) => {
                Err(ArtifactError::Missing { sha256: hex::encode(sha256) })
            }
            Err(source) => Err(self.failed(&key, source)),
        }
    }

    pub(super) async fn remove_older(
        &self,
        sha256: [u8; 32],
        age: Duration,
    ) -> Result<bool, ArtifactError> {
        let key = self.key_of(sha256);
        let head = match persevere(|| self.bucket.head_object(&key)).await {
            Ok((head, _)) => head,
            Err(error) if is_missing(&error) => return Ok(false),
            Err(source) => return Err(self.failed(&key, source)),
        };
        let put_at = head.last_modified.as_deref().and_then(read_time);
        // Without a time it is kept: a store that tells none is no reason to lose anything.
        if put_at.is_none_or(|put_at| OffsetDateTime::now_utc() - put_at < age) {
            return Ok(false);
        }
        let removed = persevere(|| self.bucket.delete_object(&key));
        removed.await.map(|_| true).map_err(|source| self.failed(&key, source))
    }

    fn key_of(&self, sha256: [u8; 32]) -> String {
        let name = hex::encode(sha256);
        self.key(&format!("{}/{name}", &name[..2]))
    }

    fn key(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_owned() } else { format!("{}/{name}", self.prefix) }
    }

    fn place(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket.name())
    }

    fn failed(&self, key: &str, source: S3Error) -> ArtifactError {
        ArtifactError::S3 { place: self.place(key), source: Box::new(source) }
    }
}

/// Tries again what may go well later.
async fn persevere<T, Answer>(request: impl Fn() -> Answer) -> Result<T, S3Error>
where
    Answer: Future<Output = Result<T, S3Error>>,
{
    for pause in PAUSES {
        match request().await {
            Err(error) if is_passing(&error) => tokio::time::sleep(pause).await,
            answer => return answer,
        }
    }
    request().await
}

/// The network, or a server that is busy or in trouble.
fn is_passing(error: &S3Error) -> bool {
    match error {
        S3Error::HttpFailWithBody(status, _) => matches!(status, 408 | 429 | 500..=599),
        S3Error::Reqwest(_) | S3Error::Io(_) => true,
        _ => false,
    }
}

fn is_missing(error: &S3Error) -> bool {
    matches!(error, S3Error::HttpFailWithBody(404, _))
}

/// `Wed, 12 Oct 2009 17:50:00 GMT`
fn read_time(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(&text.replace("GMT", "+0000"), &Rfc2822).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_passing_trouble_is_tried_again() {
        let status = |status| is_passing(&S3Error::HttpFailWithBody(status, String::new()));
        assert!([500, 503, 429, 408].into_iter().all(status));
        assert!(![400, 403, 404, 412].into_iter().any(status));
    }

    #[test]
    fn times_are_read_as_servers_write_them() {
        let read = read_time("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        assert_eq!(read.unix_timestamp(), 784_111_777);
        assert_eq!(read_time("yesterday"), None);
    }
}
