//! How executions look from outside: one with all that is known of it, many as rows of a list, and
//! their numbers.

use serde_json::{Value, json};
use shared::{
    domain::{
        ExecutionId, ExecutionMode, ExecutionStatus, FunctionId, JsonText, Reason, RequestId,
        UserId,
    },
    store::execution_report as report,
};

use crate::{
    examples::{DEVELOPER, EXECUTION, FUNCTION, MOMENT, REQUEST},
    shape::{Timestamp, mebibytes, milliseconds, view},
};

view! {
    /// Where the time of an attempt went, in milliseconds; null while it is not known.
    Timings {
        /// From when it could start to when a worker took it.
        queue_ms: Option<f64> = 0.9,
        /// From there to the program's first instruction.
        setup_ms: Option<f64> = 1.1,
        /// How long the program ran.
        run_ms: Option<f64> = 1.8,
        /// To make the outcome durable.
        store_ms: Option<f64> = 0.7,
    }
}

impl From<report::Timings> for Timings {
    fn from(timings: report::Timings) -> Self {
        Self {
            queue_ms: timings.queue_ms.map(milliseconds),
            setup_ms: timings.setup_ms.map(milliseconds),
            run_ms: timings.run_ms.map(milliseconds),
            store_ms: timings.store_ms.map(milliseconds),
        }
    }
}

view! {
    /// An attempt that failed and was followed by another.
    EarlierAttempt {
        /// Which try it was.
        attempt: u32 = 1,
        /// Why it failed.
        reason: Option<Reason> = "oom",
        /// Why it failed, for people.
        error: Option<String> = "ran out of memory",
        /// The worker that ran it.
        worker: Option<String> = "host-17",
        /// Where its time went.
        timings: Timings = Timings::example(),
        /// When a worker took it.
        started_at: Option<Timestamp> = MOMENT,
        /// When it ended.
        completed_at: Timestamp = MOMENT,
    }
}

impl From<report::EarlierAttempt> for EarlierAttempt {
    fn from(row: report::EarlierAttempt) -> Self {
        Self {
            attempt: row.attempt,
            reason: row.reason,
            error: row.error,
            worker: row.worker,
            timings: row.timings.into(),
            started_at: row.started_at.map(Timestamp::from),
            completed_at: row.completed_at.into(),
        }
    }
}

view! {
    /// One call of a function, with what went in and came out.
    Execution {
        /// The execution.
        execution_id: ExecutionId = EXECUTION,
        /// Of which function.
        function_id: FunctionId = FUNCTION,
        /// Of which version.
        version: String = "1",
        /// `sync` when somebody waited for the answer.
        mode: ExecutionMode = "sync",
        /// How far it is.
        status: ExecutionStatus = "completed",
        /// Why it did not complete.
        reason: Option<Reason> = Value::Null,
        /// What the function was given, byte for byte.
        input: JsonText = json!({ "to": "ann@example.com" }),
        /// What it answered, byte for byte; null while there is no answer.
        output: Option<JsonText> = json!({ "sent": true }),
        /// Why it did not complete, for people.
        error: Option<String> = Value::Null,
        /// How long the program ran, in milliseconds.
        duration: Option<f64> = 1.8,
        /// Most memory it held, in MiB.
        memory_used: Option<f64> = 4.2,
        /// What the last attempt wrote to stderr, lines joined by `\n`.
        logs: String = "sending to ann@example.com",
        /// True when it wrote more than was kept.
        logs_truncated: bool = false,
        /// Layers of isolation that were missing while it ran, because the operator allowed that by
        /// name; empty as a rule.
        degraded: Vec<String> = json!([]),
        /// Which try this was; 0 before the first.
        attempt: u32 = 1,
        /// Where the time of this attempt went.
        timings: Timings = Timings::example(),
        /// The attempts before it, oldest first.
        earlier_attempts: Vec<EarlierAttempt> = [EarlierAttempt::example()],
        /// The worker that ran it.
        worker: Option<String> = "host-17",
        /// Who called.
        caller: Option<UserId> = DEVELOPER,
        /// The request it came with.
        request_id: RequestId = REQUEST,
        /// The execution that it repeats.
        replay_of: Option<ExecutionId> = Value::Null,
        /// Not to be started before; null: at once.
        run_at: Option<Timestamp> = Value::Null,
        /// When the call was accepted.
        queued_at: Timestamp = MOMENT,
        /// When a worker took it.
        started_at: Option<Timestamp> = MOMENT,
        /// When it ended.
        completed_at: Option<Timestamp> = MOMENT,
    }
}

impl From<report::Execution> for Execution {
    fn from(row: report::Execution) -> Self {
        let summary = ExecutionSummary::from(row.summary);
        Self {
            execution_id: summary.execution_id,
            function_id: summary.function_id,
            version: summary.version,
            mode: summary.mode,
            status: summary.status,
            reason: summary.reason,
            input: row.input,
            output: row.output,
            error: summary.error,
            duration: summary.duration,
            memory_used: summary.memory_used,
            logs: row.logs,
            logs_truncated: row.logs_truncated,
            degraded: row.degraded,
            attempt: summary.attempt,
            timings: summary.timings,
            earlier_attempts: row.earlier_attempts.into_iter().map(Into::into).collect(),
            worker: summary.worker,
            caller: summary.caller,
            request_id: summary.request_id,
            replay_of: summary.replay_of,
            run_at: summary.run_at,
            queued_at: summary.queued_at,
            started_at: summary.started_at,
            completed_at: summary.completed_at,
        }
    }
}

view! {
    /// One call of a function, as lists show it.
    ExecutionSummary {
        /// The execution.
        execution_id: ExecutionId = EXECUTION,
        /// Of which function.
        function_id: FunctionId = FUNCTION,
        /// Of which version.
        version: String = "1",
        /// `sync` when somebody waited for the answer.
        mode: ExecutionMode = "async",
        /// How far it is.
        status: ExecutionStatus = "failed",
        /// Why it did not complete.
        reason: Option<Reason> = "timeout",
        /// Why it did not complete, for people.
        error: Option<String> = "ran into its time limit of 30 s",
        /// How long the program ran, in milliseconds.
        duration: Option<f64> = 30_000.4,
        /// Most memory it held, in MiB.
        memory_used: Option<f64> = 4.2,
        /// Which try this was; 0 before the first.
        attempt: u32 = 1,
        /// Where the time of this attempt went.
        timings: Timings = Timings::example(),
        /// The worker that ran it.
        worker: Option<String> = "host-17",
        /// Who called.
        caller: Option<UserId> = DEVELOPER,
        /// The request it came with.
        request_id: RequestId = REQUEST,
        /// The execution that it repeats.
        replay_of: Option<ExecutionId> = Value::Null,
        /// Not to be started before; null: at once.
        run_at: Option<Timestamp> = Value::Null,
        /// When the call was accepted.
        queued_at: Timestamp = MOMENT,
        /// When a worker took it.
        started_at: Option<Timestamp> = MOMENT,
        /// When it ended.
        completed_at: Option<Timestamp> = MOMENT,
    }
}

impl From<report::Summary> for ExecutionSummary {
    fn from(row: report::Summary) -> Self {
        Self {
            execution_id: row.id,
            function_id: row.function,
            version: row.version.to_string(),
            mode: row.mode,
            status: row.status,
            reason: row.reason,
            error: row.error,
            duration: row.timings.run_ms.map(milliseconds),
            memory_used: row.peak_memory_bytes.map(mebibytes),
            attempt: row.attempt.unsigned_abs(),
            timings: row.timings.into(),
            worker: row.worker,
            caller: row.caller,
            request_id: row.request,
            replay_of: row.replay_of,
            run_at: row.run_at.map(Timestamp::from),
            queued_at: row.queued_at.into(),
            started_at: row.started_at.map(Timestamp::from),
            completed_at: row.completed_at.map(Timestamp::from),
        }
    }
}

view! {
    /// How many executions there are, by status.
    ExecutionCounts {
        /// Not started yet, or waiting for another attempt.
        pending: u64 = 2,
        /// Running at this moment.
        running: u64 = 1,
        /// Ended well.
        completed: u64 = 120,
        /// Ended otherwise.
        failed: u64 = 3,
        /// Ended because somebody asked for it.
        cancelled: u64 = 0,
    }
}
