//! One sync call of a tenant is let in at a time, because it counts the others first. The database holds
//! that over all processes (`Db::begin_alone_for`); here whoever waits does so without a connection, of
//! which there are few for all tenants.

use shared::domain::TenantId;
use tokio::sync::{Mutex, MutexGuard};

/// Tenants share a gate by chance: they wait for each other a little, and nothing grows.
const GATES: usize = 64;

/// The gates of one process.
#[derive(Debug)]
pub(crate) struct Gates([Mutex<()>; GATES]);

/// Open until it is dropped.
pub(crate) type Passage<'a> = MutexGuard<'a, ()>;

impl Gates {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| Mutex::new(())))
    }

    /// Waits for the tenant's turn.
    pub(crate) async fn enter(&self, tenant: TenantId) -> Passage<'_> {
        // The last byte of an id is random.
        let [.., last] = *tenant.0.as_bytes();
        self.0[usize::from(last) % GATES].lock().await
    }
}
