//! Plans and what they allow. Source of the numbers: the product's contract, "Limits by plan".

use super::text_enum::text_enum;

text_enum!(
    /// What a tenant pays for.
    Plan { Free = "free", Paid = "paid", Enterprise = "enterprise" }
);

/// What a plan allows. An operator may change each number: `functions.plans` and `rate_limits` in
/// `apprun.yaml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanLimits {
    /// Longest timeout a function may ask for.
    pub timeout_seconds: u32,
    /// Most memory a function may ask for, MiB.
    pub memory_mib: u32,
    /// Executions running at once, over the tenant.
    pub concurrent_executions: u32,
    /// Functions a tenant may have; None: as many as it likes.
    pub functions: Option<u32>,
    /// API requests a minute, over the tenant.
    pub requests_per_minute: u32,
}

impl Plan {
    /// The limits as the contract states them.
    pub const fn limits(self) -> PlanLimits {
        match self {
            Self::Free => PlanLimits {
                timeout_seconds: 30,
                memory_mib: 128,
                concurrent_executions: 10,
                functions: Some(10),
                requests_per_minute: 100,
            },
            Self::Paid => PlanLimits {
                timeout_seconds: 300,
                memory_mib: 512,
                concurrent_executions: 100,
                functions: Some(100),
                requests_per_minute: 1_000,
            },
            Self::Enterprise => PlanLimits { requests_per_minute: 10_000, ..Self::Paid.limits() },
        }
    }
}
