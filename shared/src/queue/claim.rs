//! Claim: as many ready jobs as there is room for, fairly over the tenants and exactly within their
//! limits. The rules are in the database, `migrations/0054_claim_a_single_line.sql`, `0008` and, for builds,
//! `0035_builds_by_toolchain.sql`; here is what a worker brings.

use std::time::{Duration, Instant};

use uuid::Uuid;

use super::{
    counters::counters,
    job::{Claim, ClaimedJob, Class},
    lease::LeaseId,
    marks::Marks,
};
use crate::{
    domain::{Plan, RequestId, TenantId},
    store::{Db, StoreError},
};

/// How many jobs of each sort the worker can start at once; it never asks for more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FreeSlots {
    /// For sync and async calls together.
    pub executions: u32,
    /// How many of them async calls may have; the rest is kept free for callers who wait.
    pub background: u32,
    /// For builds, which have slots of their own so that they never hold up calls.
    pub builds: u32,
}

impl FreeSlots {
    /// True when nothing could be started.
    pub fn is_none(self) -> bool {
        self.executions == 0 && self.builds == 0
    }
}

/// One claim in this many looks at async calls before sync calls, so that a flood of the latter
/// does not starve the former.
const ASYNC_FIRST_EVERY: u32 = 8;

/// How many calls a tenant may have running at once, by plan. All workers must agree on it.
#[derive(Debug, Clone)]
pub struct CallLimits(serde_json::Value);

impl CallLimits {
    /// Asks for the limit of each plan.
    pub fn new(limit: impl Fn(Plan) -> u32) -> Self {
        let by_plan = |plan: &Plan| (plan.as_str().to_owned(), limit(*plan).into());
        Self(serde_json::Value::Object(Plan::ALL.iter().map(by_plan).collect()))
    }

    /// A JSON object: each plan's limit by the plan's name.
    pub(crate) fn by_plan(&self) -> &serde_json::Value {
        &self.0
    }
}

impl Default for CallLimits {
    /// As the contract states them.
    fn default() -> Self {
        Self::new(|plan| plan.limits().concurrent_executions)
    }
}

/// How a worker claims: the limits that hold, where its rounds over the tenants ended, and whether it
/// knows what became of its last claim.
#[derive(Debug, Clone)]
pub struct Rounds {
    limits: CallLimits,
    /// By class.
    ended_at: [Uuid; 3],
    claims: u32,
    marks: Marks,
    /// Of the lease; see `take_back_unheard`.
    epoch: i32,
    lease: Option<LeaseId>,
    unheard: bool,
}

/// What a claim brought.
#[derive(Debug, Clone, Default)]
pub struct Claimed {
    /// The worker's from now on.
    pub jobs: Vec<ClaimedJob>,
    /// Calls may be waiting that no room or a limit kept from being taken.
    pub calls_left_behind: bool,
    /// The same of builds.
    pub builds_left_behind: bool,
}

impl Rounds {
    /// Begins anywhere.
    pub fn new(limits: CallLimits) -> Self {
        Self {
            limits,
            ended_at: [Uuid::nil(); 3],
            claims: 0,
            marks: Marks::new(Instant::now()),
            epoch: 0,
            lease: None,
            unheard: false,
        }
    }

    /// True when a claim under this lease was made, or may still be, whose answer did not arrive:
    /// there may be jobs that only the database knows to be this worker's.
    pub fn is_unsure(&self, lease: LeaseId) -> bool {
        self.unheard && self.lease == Some(lease)
    }

    /// Makes the jobs of claims without an answer ready again; returns how many there were. `known`
    /// are the tokens of all jobs that this worker holds. A claim that is still on its way takes
    /// nothing any more, because it names an older epoch.
    pub async fn take_back_unheard(
        &mut self,
        db: &Db,
        lease: LeaseId,
        known: &[i64],
    ) -> Result<u64, StoreError> {
        // A new one for each try: of two tries, the one that comes late changes nothing.
        self.epoch += 1;
        let mut tx = db.begin().await?;
        // Waits for a claim that is being made under it at this moment.
        sqlx::query!("select id from q.lease where id = $1 for update", lease.0)
            .fetch_optional(&mut *tx)
            .await?;
        let taken_back = sqlx::query!(
            "with newer as (update q.lease set epoch = $2 where id = $1 and epoch < $2 returning id)
             update q.job set lease_id = null, token = null, claimed_at = null
             where lease_id in (select id from newer) and token <> all($3)",
            lease.0,
            self.epoch,
            known,
        )
        .execute(&mut *tx)
        .await?
        .rows_affected();
        tx.commit().await?;
        self.unheard = false;
        Ok(taken_back)
    }

    /// Takes at most `free` ready jobs. An expired lease gets none.
    pub async fn claim(
        &mut self,
        db: &Db,
        lease: LeaseId,
        free: FreeSlots,
    ) -> Result<Claimed, StoreError> {
        let count = |slots: u32| i32::try_from(slots).unwrap_or(i32::MAX);
        self.claims = self.claims.wrapping_add(1);
        let order =
            if self.claims.is_multiple_of(ASYNC_FIRST_EVERY) { [1, 0, 2] } else { [0, 1, 2] };
        let room = [count(free.executions), count(free.background), count(free.builds)];
        if self.lease.replace(lease) != Some(lease) {
            self.epoch = 0;
        }
        let now = Instant::now();
        let marks = self.marks.for_claim(now);
        // Until the answer is here: this future may be dropped on the way.
        self.unheard = true;
        let rows = sqlx::query_as!(
            Row,
            r#"select job_id, token, kind, subject_id, class as "class!", tenant_id as "tenant_id!",
                      function_id, request_id, attempt, redeliveries, cancel_requested, waited_ms,
                      left_behind
               from q.claim($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"#,
            lease.0,
            self.epoch,
            &order,
            &room,
            room[0],
            &self.ended_at,
            self.limits.0,
            &marks.classes,
            &marks.tenants,
            &marks.functions,
            &marks.ids,
        )
        .fetch_all(db.autocommit())
        .await?;
        let claimed = self.take_in(rows, now)?;
        self.unheard = false;
        self.marks.claim_ended(claimed.jobs.len() < (free.executions + free.builds) as usize);
        Ok(claimed)
    }

    fn take_in(&mut self, rows: Vec<Row>, now: Instant) -> Result<Claimed, StoreError> {
        let mut claimed = Claimed::default();
        for row in rows {
            let class = Class::numbered(row.class)
                .ok_or_else(|| StoreError::unreadable("a job is of no known class"))?;
            match row.left_behind {
                None => {
                    if let (Some(function), Some(id)) = (row.function_id, row.job_id) {
                        self.marks.took((class, row.tenant_id, function), id, now);
                    }
                    claimed.jobs.push(row.into_job(class)?);
                }
                Some(left_behind) => {
                    self.ended_at[class as usize] = row.tenant_id;
                    match class {
                        Class::Sync | Class::Async => claimed.calls_left_behind |= left_behind,
                        Class::Build => claimed.builds_left_behind |= left_behind,
                    }
                }
            }
        }
        Ok(claimed)
    }
}

/// A job, or the end of a class's round: see the comment of `q.claim`.
struct Row {
    class: i16,
    tenant_id: Uuid,
    /// Only at the end of a round.
    left_behind: Option<bool>,
    // From here on only of a job.
    job_id: Option<i64>,
    token: Option<i64>,
    kind: Option<String>,
    subject_id: Option<Uuid>,
    function_id: Option<Uuid>,
    request_id: Option<Uuid>,
    attempt: Option<i16>,
    redeliveries: Option<i16>,
    cancel_requested: Option<bool>,
    waited_ms: Option<f64>,
}

impl Row {
    fn into_job(self, class: Class) -> Result<ClaimedJob, StoreError> {
        let job = || {
            let waited = Duration::try_from_secs_f64(self.waited_ms? / 1000.0).unwrap_or_default();
            counters().claimed(class, waited);
            Some(ClaimedJob {
                claim: Claim { job_id: self.job_id?, token: self.token?, class },
                kind: self.kind?.parse().ok()?,
                subject: self.subject_id?,
                tenant: TenantId(self.tenant_id),
                request: RequestId(self.request_id?),
                attempt: self.attempt?,
                redeliveries: self.redeliveries?,
                cancel_requested: self.cancel_requested?,
            })
        };
        job().ok_or_else(|| StoreError::unreadable("a job of unknown kind"))
    }
}
