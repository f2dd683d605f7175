//! What becomes of a call whose binary the artifact store has lost: it has the binary built again.

use shared::{
    domain::VersionId,
    queue::JobKind,
    store::rebuild::{self, Rebuild},
};

use super::{JobError, Services};
use crate::{cache::CacheError, lease::Held, pull::through_trouble};

/// Queues the build, or finds that it waits or runs, and says how the call comes back: counted as our
/// failure when it had to ask for a build, so that one which fails again and again has an end, and
/// uncounted while it only waits.
pub(super) async fn rebuild(
    services: &Services,
    held: &Held,
    version: VersionId,
    lost: CacheError,
) -> JobError {
    match through_trouble(held, || rebuild::queue(&services.db, version)).await {
        Ok(Rebuild::Underway) => JobError::BeingRebuilt,
        Ok(Rebuild::Queued) => {
            tracing::warn!(%version, "its binary is lost and will be built again");
            services.signals.jobs_pushed(&[JobKind::Compile]);
            lost.into()
        }
        Ok(Rebuild::Impossible) => lost.into(),
        Err(error) => error.into(),
    }
}
