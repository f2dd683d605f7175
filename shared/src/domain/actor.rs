//! Who asks.

use super::{TenantId, UserId};

/// A user, acting inside one of their tenants. Every query about somebody's things takes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actor {
    /// Who.
    pub user: UserId,
    /// Inside which tenant.
    pub tenant: TenantId,
}
