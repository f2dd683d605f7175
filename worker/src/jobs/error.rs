//! Why a job failed through no fault of its function or its source.

use shared::{artifact::ArtifactError, queue::SettleError, store::StoreError};

use super::execute::SecretsError;
use crate::{cache::CacheError, fetch::FetchError, pull::Interrupted};

/// Why a job could not be carried out: always trouble on our side.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JobError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    #[error(transparent)]
    Cache(#[from] CacheError),
    #[error(transparent)]
    Sandbox(#[from] sandbox::RunError),
    #[error(transparent)]
    Build(#[from] compiler::BuildError),
    #[error("failed to plan a build")]
    Plan(#[from] tokio::task::JoinError),
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    #[error("failed to run: the binary is being built again")]
    BeingRebuilt,
    #[error("failed to run with egress: it is off on this worker (APPRUN_EGRESS)")]
    NoEgress,
    #[error("failed to build: no compiler is ready")]
    NoBuilder,
    #[error("failed to read a stored version")]
    UnreadableVersion,
    #[error("failed to finish: the lease was lost")]
    LeaseLost,
    #[error("failed to settle: the claim is stale")]
    Stale,
}

impl<E: Into<Self>> From<Interrupted<E>> for JobError {
    fn from(interrupted: Interrupted<E>) -> Self {
        match interrupted {
            Interrupted::LeaseLost => Self::LeaseLost,
            Interrupted::Failed(error) => error.into(),
        }
    }
}

impl From<SettleError> for JobError {
    fn from(error: SettleError) -> Self {
        match error {
            SettleError::Stale => Self::Stale,
            SettleError::Store(error) => Self::Store(error),
        }
    }
}
