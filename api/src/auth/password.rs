//! Passwords: argon2id with 19 MiB, two passes and one lane, as OWASP advises; never more at once
//! than there are cores, because each holds its 19 MiB and a core for some 20 ms.

use std::{sync::Arc, time::Duration};

use argon2::{
    Argon2, PasswordVerifier,
    password_hash::{PasswordHasher, phc::PasswordHash},
};
use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use serde_json::value::RawValue;
use shared::{config::Secret, domain::TextError};
use tokio::sync::Semaphore;

use crate::{
    problem::Problem,
    shape::{Field, MAX_SECRET_CHARS, Refusal, Shape, inline},
};

/// A password that may be chosen. Length is what counts (NIST SP 800-63B, 5.1.1.2).
#[derive(Debug)]
pub(crate) struct NewPassword(pub(crate) Secret);

impl NewPassword {
    const MIN_CHARS: usize = 8;
}

impl Field for NewPassword {
    fn read(json: &RawValue) -> Result<Self, Refusal> {
        let secret = Secret::read(json)?;
        match secret.expose().chars().count() {
            found if found < Self::MIN_CHARS => {
                Err(Refusal::invalid(TextError::TooShort { limit: Self::MIN_CHARS, found }))
            }
            _ => Ok(Self(secret)),
        }
    }
}

impl Shape for NewPassword {
    fn schema() -> MetaSchemaRef {
        inline(MetaSchema {
            min_length: Some(Self::MIN_CHARS),
            max_length: Some(MAX_SECRET_CHARS),
            ..MetaSchema::new_with_format("string", "password")
        })
    }
}

/// Somebody who waited this long for a core is told to try again.
const PATIENCE: Duration = Duration::from_secs(5);

/// Checked for users that do not exist, so that the answer takes as long as for those who do. Written
/// down, because making one at every start would leave an idle process with the memory it took.
const DECOY: &str = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA\
                     $AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Hashes and checks passwords, within bounds.
#[derive(Debug)]
pub(crate) struct Hasher {
    cores: Arc<Semaphore>,
}

impl Hasher {
    pub(crate) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { cores: Arc::new(Semaphore::new(cores)) }
    }

    /// A PHC string with a salt of its own.
    pub(crate) async fn hash(&self, password: Secret) -> Result<String, Problem> {
        let hashed = self.on_a_core(move || hash(password.expose().as_bytes())).await?;
        hashed.map_err(|error| Problem::internal(format!("failed to hash a password: {error}")))
    }

    /// Whether the password is the one behind `hash`; takes as long, and says no, without a hash.
    pub(crate) async fn verify(
        &self,
        password: Secret,
        hash: Option<String>,
    ) -> Result<bool, Problem> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| DECOY.to_owned());
        let matches = self
            .on_a_core(move || {
                let password = password.expose().as_bytes();
                Argon2::default().verify_password(password, hash.as_str()).is_ok()
            })
            .await?;
        Ok(known && matches)
    }

    async fn on_a_core<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let core = tokio::time::timeout(PATIENCE, self.cores.clone().acquire_owned()).await;
        let Ok(Ok(core)) = core else {
            return Err(Problem::overloaded("too many logins at once; try again"));
        };
        // The core goes along: work that nobody waits for any more still occupies it.
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(core);
            result
        });
        done.await.map_err(|error| Problem::internal(error.to_string()))
    }
}

fn hash(password: &[u8]) -> Result<String, argon2::password_hash::Error> {
    let hash: PasswordHash = Argon2::default().hash_password(password)?;
    Ok(hash.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parameters_are_the_promised_ones() {
        let hash = hash(b"x").unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
    }

    #[tokio::test]
    async fn a_user_who_does_not_exist_costs_a_check_like_any_other_and_is_refused() {
        let hasher = Hasher::new();
        let real = hash(b"x").unwrap();
        let parameters = "$argon2id$v=19$m=19456,t=2,p=1$";
        assert!(real.starts_with(parameters) && DECOY.starts_with(parameters));
        assert_eq!(DECOY.len(), real.len(), "salt and hash are as long as real ones");
        let checked = Argon2::default().verify_password(b"x", DECOY);
        assert_eq!(checked, Err(argon2::password_hash::Error::PasswordInvalid), "it is computed");
        assert!(!hasher.verify(Secret::new("nobody's password"), None).await.unwrap());
    }

    #[tokio::test]
    async fn a_password_matches_its_own_hash_only() {
        let hasher = Hasher::new();
        let hash = hasher.hash(Secret::new("correct horse")).await.unwrap();
        assert!(hasher.verify(Secret::new("correct horse"), Some(hash.clone())).await.unwrap());
        assert!(!hasher.verify(Secret::new("correct house"), Some(hash)).await.unwrap());
    }

    #[test]
    fn two_hashes_of_one_password_differ() {
        assert_ne!(hash(b"x").unwrap(), hash(b"x").unwrap());
    }
}
