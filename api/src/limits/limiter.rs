//! The limit itself: one more request of this minute, or a refusal that says when to come again.
//!
//! Minutes are those of the clock, so that all processes agree on them without talking.

use std::{
    collections::HashMap,
    fmt,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use shared::{
    config::{RateLimits, Secret},
    domain::{ErrorCode, Plan, TenantId},
    store::{Db, account},
};

use super::{counts::Counts, redis::RedisCounts};
use crate::problem::Problem;

/// A tenant's plan is asked for again after this time.
const PLAN_LIFETIME: Duration = Duration::from_secs(60);
/// Plans remembered at once.
const MAX_PLANS: usize = 10_000;
/// Passwords tried for one account from one address, a minute.
const MAX_PASSWORDS: u32 = 20;

/// Who is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    /// Everybody of a tenant together.
    Tenant(TenantId),
    /// Whoever shows no valid token, by where they come from.
    Address(IpAddr),
    /// Whoever tries passwords: where they come from, and the hash of whose.
    Guess(IpAddr, [u8; 32]),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenant(tenant) => tenant.fmt(f),
            Self::Address(address) => write!(f, "addr-{address}"),
            Self::Guess(address, whose) => write!(f, "guess-{address}-{}", hex::encode(whose)),
        }
    }
}

/// What is left of this minute, for the headers of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Allowance {
    /// Requests a minute.
    pub(crate) limit: u32,
    /// Of which these are left.
    pub(crate) remaining: u32,
    /// Seconds until there are `limit` again.
    pub(crate) reset_seconds: u32,
}

/// Counts and refuses.
#[derive(Debug)]
pub(crate) struct Limiter {
    /// None: everything is allowed.
    limits: Option<RateLimits>,
    own: Counts,
    redis: Option<RedisCounts>,
    plans: Mutex<HashMap<TenantId, (Plan, Instant)>>,
}

impl Limiter {
    pub(crate) fn new(limits: Option<RateLimits>, redis: Option<&Secret>) -> Self {
        let redis = limits.and(redis).and_then(RedisCounts::new);
        Self { limits, own: Counts::default(), redis, plans: Mutex::default() }
    }

    /// One request of a tenant.
    pub(crate) async fn tenant(
        &self,
        db: &Db,
        tenant: TenantId,
    ) -> Result<Option<Allowance>, Refused> {
        let Some(limits) = self.limits else { return Ok(None) };
        let plan = self.plan(db, tenant).await.map_err(Refused::Unknown)?;
        self.count(Key::Tenant(tenant), limits.of_plan(plan)).await
    }

    /// One request without a valid token.
    pub(crate) async fn address(&self, from: IpAddr) -> Result<Option<Allowance>, Refused> {
        let Some(limits) = self.limits else { return Ok(None) };
        self.count(Key::Address(network(from)), limits.anonymous).await
    }

    /// One password that is going to be checked, right or wrong.
    pub(crate) async fn password(
        &self,
        from: IpAddr,
        whose: [u8; 32],
    ) -> Result<Option<Allowance>, Refused> {
        if self.limits.is_none() {
            return Ok(None);
        }
        self.count(Key::Guess(network(from), whose), MAX_PASSWORDS).await
    }

    async fn count(&self, key: Key, limit: u32) -> Result<Option<Allowance>, Refused> {
        if limit == 0 {
            return Ok(None);
        }
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let (minute, second) = (now.as_secs() / 60, now.as_secs() % 60);
        let shared = match &self.redis {
            Some(redis) => redis.add(&key, minute).await,
            None => None,
        };
        // Counted here too, so that a Redis that goes away leaves a count to go on from.
        let own = self.own.add(key, minute);
        let count = shared.unwrap_or(own);
        let reset_seconds = u32::try_from(60 - second).unwrap_or(60);
        let allowance = Allowance { limit, remaining: limit.saturating_sub(count), reset_seconds };
        if count > limit { Err(Refused::Limit(allowance)) } else { Ok(Some(allowance)) }
    }

    async fn plan(&self, db: &Db, tenant: TenantId) -> Result<Plan, Problem> {
        let known = self.plans().get(&tenant).copied();
        if let Some((plan, _)) = known.filter(|(_, asked)| asked.elapsed() < PLAN_LIFETIME) {
            return Ok(plan);
        }
        let plan = account::plan(db, tenant).await?.unwrap_or(Plan::Free);
        let mut plans = self.plans();
        if plans.len() >= MAX_PLANS {
            plans.clear();
        }
        plans.insert(tenant, (plan, Instant::now()));
        Ok(plan)
    }

    fn plans(&self) -> std::sync::MutexGuard<'_, HashMap<TenantId, (Plan, Instant)>> {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a request does not go on.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The minute is used up.
    Limit(Allowance),
    /// The plan could not be asked for.
    Unknown(Problem),
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let allowance = match refused {
            Refused::Limit(allowance) => allowance,
            Refused::Unknown(problem) => return problem,
        };
        let Allowance { limit, reset_seconds, .. } = allowance;
        let message = format!(
            "more than the {limit} requests a minute that are allowed; try again in \
             {reset_seconds} s"
        );
        Self {
            retry_after_seconds: Some(reset_seconds),
            ..Self::new(ErrorCode::RateLimited, message).with("limit", limit)
        }
    }
}

/// Whoever has one IPv6 address has its whole /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let segments = address.segments();
            let [a, b, c, d, ..] = segments;
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: RateLimits = RateLimits { free: 2, paid: 3, enterprise: 4, anonymous: 2 };

    #[tokio::test]
    async fn as_many_as_the_limit_and_no_more() {
        let limiter = Limiter::new(Some(LIMITS), None);
        let home = IpAddr::from([127, 0, 0, 1]);
        // Across the turn of a minute everything is allowed again; then once more.
        let refused = async || {
            for remaining in [1, 0] {
                let allowance = limiter.address(home).await.ok()??;
                (allowance.remaining == remaining).then_some(())?;
                assert_eq!(allowance.limit, 2);
                assert!((1..=60).contains(&allowance.reset_seconds));
            }
            limiter.address(home).await.err()
        };
        let problem: Problem = loop {
            if let Some(refused) = refused().await {
                break refused.into();
            }
        };
        assert_eq!(problem.code, ErrorCode::RateLimited);
        assert!(problem.retry_after_seconds.is_some());
        assert!(limiter.address(IpAddr::from([127, 0, 0, 2])).await.is_ok());
    }

    #[tokio::test]
    async fn nothing_is_counted_when_it_is_off_or_the_limit_is_zero() {
        let home = IpAddr::from([127, 0, 0, 1]);
        let off = Limiter::new(None, None);
        let zero = Limiter::new(Some(RateLimits { anonymous: 0, ..LIMITS }), None);
        for _ in 0..10 {
            assert_eq!(off.address(home).await.ok(), Some(None));
            assert_eq!(zero.address(home).await.ok(), Some(None));
        }
    }

    #[test]
    fn an_ipv6_network_counts_as_one() {
        let one: IpAddr = "2001:db8:1:2:3:4:5:6".parse().unwrap();
        assert_eq!(network(one), "2001:db8:1:2::".parse::<IpAddr>().unwrap());
        let mapped: IpAddr = "::ffff:10.0.0.1".parse().unwrap();
        assert_eq!(network(mapped), IpAddr::from([10, 0, 0, 1]));
    }
}
