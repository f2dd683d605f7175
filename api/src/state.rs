//! What every handler can reach. Cheap to clone.

use std::{
    ops::Deref,
    sync::{Arc, atomic::AtomicBool},
    time::Instant,
};

use poem::{FromRequest, Request, RequestBody, Result};
use shared::{
    config::Registration,
    metrics::Metrics,
    queue::{CallLimits, Signals},
    seal::SecretKeys,
    store::{Db, StoreError, account},
};
use tokio::sync::Semaphore;

use crate::{
    auth::{Hasher, Outside, Tokens},
    config::ApiConfig,
    limits::Limiter,
    problem::Problem,
};

/// One API process.
#[derive(Debug, Clone)]
pub struct ApiState(Arc<Parts>);

/// What a process tells about itself at `/health` and `/metrics`.
#[derive(Debug, Clone)]
pub struct Process {
    /// Of the running program.
    pub version: &'static str,
    /// When it began to start.
    pub started_at: Instant,
    /// What it counts.
    pub metrics: Metrics,
    /// Layers of isolation that calls in this very process do without; none where it runs no calls.
    pub lacking: Vec<String>,
}

/// What an API process is made of.
#[derive(Debug)]
pub struct Parts {
    pub(crate) db: Db,
    pub(crate) signals: Signals,
    pub(crate) config: ApiConfig,
    /// How many calls a tenant may have at once, by plan.
    pub(crate) call_limits: CallLimits,
    pub(crate) tokens: Tokens,
    /// Seal the answers that are kept for repeated requests.
    pub(crate) answer_keys: SecretKeys,
    pub(crate) outside: Option<Outside>,
    pub(crate) hasher: Hasher,
    pub(crate) limiter: Limiter,
    /// One for each byte of a body that may be held.
    pub(crate) body_bytes: Arc<Semaphore>,
    /// One for each request that may wait for an execution that it only looks at: half of all, so that
    /// there are places for those who want something done.
    pub(crate) waiting_places: Semaphore,
    /// Set while this process goes on only for those who have not noticed.
    pub(crate) stopping: Arc<AtomicBool>,
    pub(crate) process: Process,
}

impl ApiState {
    /// Puts a process together.
    pub fn new(db: Db, signals: Signals, config: ApiConfig, process: Process) -> Self {
        let tokens = Tokens::new(&config.jwt_secret);
        let answer_keys = SecretKeys::derived_from(&config.jwt_secret, "kept answers");
        let pace = config.key_pace;
        let outside = config.outside_issuer.clone().map(|issuer| Outside::new(issuer, pace));
        let hasher = Hasher::new();
        let call_limits =
            CallLimits::new(|plan| config.functions.limits_of(plan).concurrent_executions);
        let limiter = Limiter::new(config.rate_limits, config.redis_url.as_ref());
        let body_bytes = Arc::new(Semaphore::new(config.max_body_bytes));
        let waiting_places = Semaphore::new(config.max_requests / 2);
        Self(Arc::new(Parts {
            db,
            signals,
            config,
            call_limits,
            tokens,
            answer_keys,
            outside,
            hasher,
            limiter,
            body_bytes,
            waiting_places,
            stopping: Arc::default(),
            process,
        }))
    }

    /// What makes the first account where registration is not open; None once there is one. Good
    /// for whoever may read this process's log, and nobody else.
    pub async fn setup_token(&self) -> Result<Option<String>, StoreError> {
        let is_asked_for = self.config.registration != Registration::Open;
        let is_fresh = is_asked_for && account::is_fresh(&self.db).await?;
        Ok(is_fresh.then(|| self.tokens.setup_token()))
    }

    /// The process that a request came into; the door put it there.
    pub(crate) fn of(request: &Request) -> Result<&Self, Problem> {
        let state = request.extensions().get();
        state.ok_or_else(|| Problem::internal("a request came in beside the door"))
    }
}

impl Deref for ApiState {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// Handlers name it as a parameter.
impl<'a> FromRequest<'a> for ApiState {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> Result<Self> {
        Ok(Self::of(request)?.clone())
    }
}
