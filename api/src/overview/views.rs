//! How overviews look from outside.

use serde_json::{Value, json};
use shared::domain::{
    BuildId, ExecutionId, FunctionId, InvitationId, Plan, ProjectId, RequestId, TenantId, TokenId,
    UserId, VersionId, VersionNumber,
};

use crate::{
    examples::{EXECUTION, MOMENT},
    executions,
    shape::{Timestamp, view},
};

view! {
    /// What an id stands for.
    Lookup {
        /// One thing; for a request, what came with it: at most ten executions, ten builds, and its place
        /// in the audit record.
        found: Vec<Found> = [Found::example()],
    }
}

view! {
    /// One thing that was found.
    Found {
        /// `project`, `function`, `version`, `build`, `execution`, `audit`, `user`, `tenant`,
        /// `project_token` or `invitation`.
        kind: &'static str = "execution",
        /// Its id.
        id: String = EXECUTION,
        /// Where it is looked at.
        link: String = executions::location(EXECUTION),
    }
}

impl Found {
    pub(super) fn project(id: ProjectId) -> Self {
        Self { kind: "project", id: id.to_string(), link: format!("/api/v1/projects/{id}") }
    }

    pub(super) fn function(id: FunctionId) -> Self {
        Self { kind: "function", id: id.to_string(), link: format!("/api/v1/functions/{id}") }
    }

    /// A version is looked at through its source.
    pub(super) fn version(id: VersionId, of: FunctionId, number: VersionNumber) -> Self {
        let link = format!("/api/v1/functions/{of}/versions/{number}/source");
        Self { kind: "version", id: id.to_string(), link }
    }

    pub(super) fn build(id: BuildId, of: FunctionId) -> Self {
        let link = format!("/api/v1/functions/{of}/builds/{id}");
        Self { kind: "build", id: id.to_string(), link }
    }

    pub(super) fn execution(id: ExecutionId) -> Self {
        Self { kind: "execution", id: id.to_string(), link: executions::location(id) }
    }

    /// All rows of the record that a request left.
    pub(super) fn audit(id: RequestId) -> Self {
        let link = format!("/api/v1/audit?request_id={id}");
        Self { kind: "audit", id: id.to_string(), link }
    }

    /// Another user is looked at through what they did.
    pub(super) fn user(id: UserId) -> Self {
        let link = format!("/api/v1/audit?user_id={id}");
        Self { kind: "user", id: id.to_string(), link }
    }

    pub(super) fn caller(id: UserId) -> Self {
        Self { kind: "user", id: id.to_string(), link: "/api/v1/auth/me".to_owned() }
    }

    pub(super) fn tenant(id: TenantId) -> Self {
        Self { kind: "tenant", id: id.to_string(), link: "/api/v1/usage".to_owned() }
    }

    pub(super) fn token(id: TokenId, of: ProjectId) -> Self {
        let link = format!("/api/v1/projects/{of}/tokens");
        Self { kind: "project_token", id: id.to_string(), link }
    }

    pub(super) fn invitation(id: InvitationId, of: ProjectId) -> Self {
        let link = format!("/api/v1/projects/{of}/invitations");
        Self { kind: "invitation", id: id.to_string(), link }
    }
}

view! {
    /// What a tenant uses of its plan.
    Usage {
        /// The plan.
        plan: Plan = "free",
        /// Functions there are.
        functions: Used = json!({ "used": 3, "limit": 10 }),
        /// Calls that run at this moment.
        concurrent_executions: Used = json!({ "used": 1, "limit": 10 }),
        /// Requests of this minute, this one included; null where they are not limited.
        requests_per_minute: Option<Used> = json!({ "used": 7, "limit": 100 }),
        /// Longest a call may take, in seconds.
        timeout: u32 = 30,
        /// Most memory a call may hold, in MiB.
        memory: u32 = 128,
    }
}

view! {
    /// How much of a limit is used.
    Used {
        /// At this moment.
        used: u32 = 3,
        /// The most there may be; null where there is no limit.
        limit: Option<u32> = 10,
    }
}

view! {
    /// What waits and runs.
    Queue {
        /// The most urgent first.
        classes: Vec<QueueClass> = [QueueClass::example()],
    }
}

view! {
    /// Calls or builds of one urgency.
    QueueClass {
        /// `sync`, `async` or `build`.
        class: &'static str = "async",
        /// Waiting for a slot.
        ready: u64 = 12,
        /// Running.
        running: u64 = 4,
        /// Put off: delayed calls, retries, and jobs given back after trouble.
        deferred: u64 = 2,
        /// How long the oldest that is ready has waited; null when none is.
        oldest_ready_seconds: Option<f64> = 0.4,
    }
}

view! {
    /// The workers of this installation.
    Workers {
        /// By name.
        workers: Vec<Worker> = [Worker::example()],
    }
}

view! {
    /// One worker.
    Worker {
        /// Its machine and process.
        name: String = "host-17",
        /// False when it has not been heard of for some seconds.
        alive: bool = true,
        /// Since when it has been there.
        started_at: Timestamp = MOMENT,
        /// Calls that it runs.
        calls: u64 = 4,
        /// Builds that it runs.
        builds: u64 = 1,
        /// What it can build with.
        toolchains: Vec<String> = json!(["go1.27.3", "rustc 1.95.0"]),
        /// Layers of isolation that it does without; empty as it should be.
        degraded: Vec<String> = json!([]),
    }
}

view! {
    /// What this server is and allows.
    Info {
        /// Of the program.
        version: String = "0.1.0",
        /// Who may register: `open`, `invite` or `closed`.
        registration: String = "open",
        /// The OpenID Connect issuer whose tokens are accepted besides this server's; null: none is.
        outside_issuer: Option<String> = Value::Null,
        /// Whether requests per minute are limited.
        rate_limits: bool = true,
        /// Whether several API processes count them together.
        shared_limits: bool = false,
        /// What each plan allows.
        plans: Vec<PlanAllows> = [PlanAllows::example()],
        /// Longest a call may take whatever the plan, in seconds.
        max_timeout: u32 = 300,
        /// Most memory a call may hold whatever the plan, in MiB.
        max_memory: u32 = 512,
        /// Longest input of a call.
        max_input_bytes: u64 = 1_048_576,
        /// Longest output of a call.
        max_output_bytes: u64 = 1_048_576,
        /// Longest log that is kept of a call.
        max_log_bytes: u64 = 262_144,
        /// How many days executions and their logs are kept.
        retention_days: u32 = 30,
    }
}

view! {
    /// What a plan allows.
    PlanAllows {
        /// Which one.
        plan: Plan = "free",
        /// Longest a call may take, in seconds.
        timeout: u32 = 30,
        /// Most memory a call may hold, in MiB.
        memory: u32 = 128,
        /// Calls of a tenant that run at once.
        concurrent_executions: u32 = 10,
        /// Functions of a tenant; null: as many as it likes.
        functions: Option<u32> = 10,
        /// Requests of a tenant; null where they are not limited.
        requests_per_minute: Option<u32> = 100,
    }
}
