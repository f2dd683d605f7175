//! A database of the test's own, and the few steps every test is made of.

use shared::{
    domain::{
        Actor, ExecutionId, ExecutionMode, FunctionId, JsonText, Plan, ProjectId, RequestId, Role,
        TenantId, UserId,
    },
    queue::{
        self, CallLimits, ClaimedJob, Class, FreeSlots, JobKind, LeaseId, NewJob, Rounds,
        SettleError,
    },
    store::{Db, call},
};
use sqlx::PgPool;
use test_support::TestDatabase;
use uuid::Uuid;

pub(crate) const PLENTY: FreeSlots = FreeSlots { executions: 1000, background: 1000, builds: 1000 };

pub(crate) fn rounds() -> Rounds {
    Rounds::new(CallLimits::default())
}

pub(crate) struct Fixture {
    pub(crate) db: Db,
    pub(crate) sql: PgPool,
    pub(crate) database: TestDatabase,
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        let database = TestDatabase::create().await;
        let db = Db::connect(database.url(), 8).await.unwrap();
        Self { db, sql: database.pool().await, database }
    }

    /// A job of a tenant that has no plan, and so no limits.
    pub(crate) async fn push(&self, class: Class) -> Uuid {
        self.push_for(class, TenantId::new(), FunctionId::new()).await
    }

    pub(crate) async fn push_for(
        &self,
        class: Class,
        tenant: TenantId,
        function: FunctionId,
    ) -> Uuid {
        self.push_many(class, tenant, function, 1).await[0]
    }

    pub(crate) async fn push_many(
        &self,
        class: Class,
        tenant: TenantId,
        function: FunctionId,
        count: usize,
    ) -> Vec<Uuid> {
        let kind = if class == Class::Build { JobKind::Compile } else { JobKind::Execute };
        let job = |_| {
            let (subject, request) = (Uuid::now_v7(), RequestId::new());
            NewJob { kind, class, subject, tenant, function, request }
        };
        let jobs: Vec<_> = (0..count).map(job).collect();
        let mut tx = self.db.begin().await.unwrap();
        queue::push_many(&mut tx, &jobs).await.unwrap();
        tx.commit().await.unwrap();
        jobs.iter().map(|job| job.subject).collect()
    }

    pub(crate) async fn lease(&self) -> LeaseId {
        queue::open_lease(&self.db, &"test".into()).await.unwrap()
    }

    /// A lease that needs no beats, for tests that take their time.
    pub(crate) async fn lasting_lease(&self) -> LeaseId {
        let lease = self.lease().await;
        sqlx::query("update q.lease set expires_at = now() + interval '1 hour' where id = $1")
            .bind(lease.0)
            .execute(&self.sql)
            .await
            .unwrap();
        lease
    }

    pub(crate) async fn claim(&self, lease: LeaseId, free: FreeSlots) -> Vec<ClaimedJob> {
        rounds().claim(&self.db, lease, free).await.unwrap().jobs
    }

    pub(crate) async fn claim_one(&self, lease: LeaseId) -> ClaimedJob {
        let mut jobs = self.claim(lease, PLENTY).await;
        assert_eq!(jobs.len(), 1);
        jobs.remove(0)
    }

    pub(crate) async fn settle(&self, job: &ClaimedJob) -> Result<(), SettleError> {
        let mut tx = self.db.begin().await.unwrap();
        queue::settle(&mut tx, job.claim).await?;
        tx.commit().await?;
        Ok(())
    }

    pub(crate) async fn expire(&self, lease: LeaseId) {
        sqlx::query("update q.lease set expires_at = now() - interval '1 second' where id = $1")
            .bind(lease.0)
            .execute(&self.sql)
            .await
            .unwrap();
    }

    pub(crate) async fn reap(&self) -> queue::Reaped {
        let mut tx = self.db.begin().await.unwrap();
        let reaped = queue::reap(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        reaped
    }

    /// An async call of a function that serves.
    pub(crate) async fn call(&self, owner: Owner, function: FunctionId) -> ExecutionId {
        let id = ExecutionId::new();
        let call = call::NewCalls {
            function,
            least_role: Role::Viewer,
            mode: ExecutionMode::Async,
            calls: &[(id, JsonText::parse("{\"n\": 1}".to_owned()).unwrap())],
            cause: RequestId::new().into(),
            terms: call::Terms::default(),
        };
        let actor = Actor { user: owner.user, tenant: owner.tenant };
        let mut tx = self.db.begin().await.unwrap();
        let (_, accepted) = call::accept(&mut tx, actor, &call).await.unwrap().unwrap();
        assert!(accepted.is_some());
        tx.commit().await.unwrap();
        id
    }

    /// Status and reason of an execution.
    pub(crate) async fn outcome(&self, id: ExecutionId) -> (String, Option<String>) {
        sqlx::query_as("select status, reason from execution where id = $1")
            .bind(id.0)
            .fetch_one(&self.sql)
            .await
            .unwrap()
    }

    pub(crate) async fn live_jobs(&self) -> i64 {
        sqlx::query_scalar("select count(*) from q.job").fetch_one(&self.sql).await.unwrap()
    }

    /// A tenant on a plan, and so with limits.
    pub(crate) async fn tenant(&self, plan: Plan) -> Owner {
        let owner =
            Owner { tenant: TenantId::new(), user: UserId::new(), project: ProjectId::new() };
        sqlx::query(
            "with t as (insert into tenant (id, name, plan) values ($1, 't', $2)),
                  u as (insert into user_account (id, realm_id, email, name, password_hash)
                        values ($3, '00000000-0000-0000-0000-000000000000', $3::text, 'u', ''))
             insert into tenant_member (tenant_id, user_id, role) values ($1, $3, 'owner')",
        )
        .bind(owner.tenant.0)
        .bind(plan.as_str())
        .bind(owner.user.0)
        .execute(&self.sql)
        .await
        .unwrap();
        sqlx::query(
            "insert into project (id, tenant_id, name, created_by) values ($1, $2, 'p', $3)",
        )
        .bind(owner.project.0)
        .bind(owner.tenant.0)
        .bind(owner.user.0)
        .execute(&self.sql)
        .await
        .unwrap();
        owner
    }

    /// A function whose only version serves.
    pub(crate) async fn function(&self, owner: Owner, max_concurrency: Option<i32>) -> FunctionId {
        let function = FunctionId::new();
        for statement in [
            "insert into function (id, tenant_id, project_id, name, trigger, status,
                                   current_version, latest_version, created_by)
             select $1, tenant_id, id, $1::text, 'http', 'active', 1, 1, created_by
             from project where id = $2 and $3::int is distinct from 0",
            "insert into artifact (key, sha256, size_bytes, toolchain)
             select sha256($1::text::bytea), sha256($2::text::bytea), 1, 'none'
             where $3::int is distinct from 0",
            "insert into function_version (id, tenant_id, function_id, number, runtime, timeout_seconds,
                                           memory_mib, artifact_key, created_by, max_concurrency)
             select gen_random_uuid(), tenant_id, $1, 1, 'rust', 30, 128, sha256($1::text::bytea),
                    created_by, $3
             from project where id = $2",
        ] {
            sqlx::query(statement)
                .bind(function.0)
                .bind(owner.project.0)
                .bind(max_concurrency)
                .execute(&self.sql)
                .await
                .unwrap();
        }
        function
    }
}

/// A tenant with one project and one user.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owner {
    pub(crate) tenant: TenantId,
    pub(crate) user: UserId,
    pub(crate) project: ProjectId,
}
