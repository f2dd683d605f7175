//! What goes into calls, and how executions and their logs look from outside.

use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use serde_json::{Value, json, value::RawValue};
use shared::{
    config::PayloadLimits,
    domain::{
        CallbackStatus, CallbackUrl, ExecutionId, ExecutionMode, ExecutionStatus, FunctionId,
        JsonText, Level, LogStream, Reason, RequestId, UserId,
    },
    store::{callback, execution_report as report, log},
};

use crate::{
    functions::views::{FUNCTION, MOMENT},
    shape::{Field, Refusal, Shape, Timestamp, body, inline, view},
};

pub(crate) const EXECUTION: &str = "exec-019b5a3e-4d5e-7f60-9a1b-8c2d3e4f5a6b";
const USER: &str = "user-019b5a3b-0a1b-7c2d-8e3f-4a5b6c7d8e9f";
const REQUEST: &str = "req-019b5a3c-7c00-7d11-b3f2-5d9f6a1c0e47";

/// What stands around the large field of a body, with room to spare.
const AROUND: usize = 64 * 1024;

body! {
    /// A call.
    InvokeFunction [|payloads| payloads.input_bytes + AROUND] {
        /// What the function is given: any JSON value, passed on byte for byte; `null` when left
        /// out.
        input: Option<JsonText> = json!({ "to": "ann@example.com" }),
    }
}

body! {
    /// A call that nobody waits for.
    InvokeLater [|payloads| payloads.input_bytes + AROUND] {
        /// What the function is given: any JSON value, passed on byte for byte; `null` when left
        /// out.
        input: Option<JsonText> = json!({ "to": "ann@example.com" }),
        /// Seconds to wait before it may start, 30 days at most.
        delay: Option<u32> = 60,
        /// Not to be started before this moment, 30 days ahead at most; instead of `delay`.
        run_at: Option<Timestamp> = Value::Null,
        /// Told how the call ended, by a signed POST.
        callback_url: Option<CallbackUrl> = "https://example.com/hooks/apprun",
    }
}

body! {
    /// Many calls that nobody waits for.
    InvokeBatch [PayloadLimits::batch_body_bytes] {
        /// What the function is given, one value for each call; 1 to 100 of them.
        inputs: Inputs = json!([{ "to": "ann@example.com" }, { "to": "bob@example.com" }]),
        /// Seconds to wait before they may start, 30 days at most.
        delay: Option<u32> = Value::Null,
        /// Not to be started before this moment, 30 days ahead at most; instead of `delay`.
        run_at: Option<Timestamp> = Value::Null,
        /// Told how each call ended, by a signed POST.
        callback_url: Option<CallbackUrl> = "https://example.com/hooks/apprun",
    }
}

/// The inputs of a batch.
#[derive(Debug)]
pub(crate) struct Inputs(pub(crate) Vec<JsonText>);

impl Inputs {
    const MAX: usize = 100;
}

impl Shape for Inputs {
    fn schema() -> MetaSchemaRef {
        inline(MetaSchema {
            items: Some(Box::new(JsonText::schema())),
            min_items: Some(1),
            max_items: Some(Self::MAX),
            ..MetaSchema::new("array")
        })
    }
}

impl Field for Inputs {
    fn read(json: &RawValue) -> Result<Self, Refusal> {
        let inputs: Vec<&RawValue> = serde_json::from_str(json.get())
            .map_err(|_| Refusal::invalid("must be an array of inputs"))?;
        match inputs.len() {
            0 => Err(Refusal::invalid("must not be empty")),
            1..=Self::MAX => Ok(Self(inputs.into_iter().map(JsonText::from).collect())),
            found => Err(Refusal::Invalid(format!(
                "has {found} inputs; at most {} are allowed at once",
                Self::MAX
            ))),
        }
    }
}

view! {
    /// What a call gave.
    Called {
        /// The execution.
        execution_id: ExecutionId = EXECUTION,
        /// The version that ran.
        version: String = "1",
        /// What the function answered, byte for byte.
        output: JsonText = json!({ "sent": true }),
        /// How long the program ran, in milliseconds.
        duration: f64 = 1.8,
        /// Most memory it held, in MiB.
        memory_used: f64 = 4.2,
        /// What it wrote to stderr, lines joined by `\n`.
        logs: String = "sending to ann@example.com",
    }
}

view! {
    /// A call that will be carried out.
    Queued {
        /// The execution.
        execution_id: ExecutionId = EXECUTION,
        /// `pending`; further only in the answer to a repeated request.
        status: ExecutionStatus = "pending",
        /// The version that will run, whatever is deployed meanwhile.
        version: String = "1",
        /// Not to be started before; null: at once.
        run_at: Option<Timestamp> = Value::Null,
    }
}

view! {
    /// Calls that will be carried out.
    QueuedBatch {
        /// One for each input, in the same order.
        executions: Vec<Queued> = [Queued::example()],
    }
}

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
        caller: Option<UserId> = USER,
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
        caller: Option<UserId> = USER,
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

/// Milliseconds as they are shown: microseconds are what can be measured here.
pub(crate) fn milliseconds(measured: f64) -> f64 {
    (measured * 1000.0).round() / 1000.0
}

/// The unit in which memory is shown, with the decimals that a page of 4 KiB has.
pub(crate) fn mebibytes(bytes: u64) -> f64 {
    (bytes as f64 / 1_048_576.0 * 1000.0).round() / 1000.0
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

view! {
    /// One line that an execution wrote.
    LogLine {
        /// Who wrote it.
        execution_id: ExecutionId = EXECUTION,
        /// Its place among the lines of the execution, from 1, through all of its attempts.
        seq: u32 = 1,
        /// By which attempt.
        attempt: u32 = 1,
        /// When it was read.
        t: Timestamp = MOMENT,
        /// Where it came from.
        stream: LogStream = "stderr",
        /// How grave it is, as far as it says so.
        level: Level = "info",
        /// Without its line end.
        text: String = "sending to ann@example.com",
    }
}

impl From<log::LogEntry> for LogLine {
    fn from(row: log::LogEntry) -> Self {
        Self {
            execution_id: row.execution(),
            seq: row.place.seq.unsigned_abs(),
            attempt: row.place.attempt.unsigned_abs(),
            t: row.place.at.into(),
            stream: row.stream,
            level: row.level.unwrap_or(Level::Info),
            text: row.text,
        }
    }
}

view! {
    /// What became of the message about an execution's end.
    Deliveries {
        /// Where it goes.
        callback_url: String = "https://example.com/hooks/apprun",
        /// How far it is; null while the execution has not ended.
        status: Option<CallbackStatus> = "pending",
        /// When it is tried next; null at the end.
        next_attempt_at: Option<Timestamp> = MOMENT,
        /// What was tried, oldest first.
        attempts: Vec<DeliveryAttempt> = [DeliveryAttempt::example()],
    }
}

view! {
    /// One attempt to deliver a message.
    DeliveryAttempt {
        /// From 1; a number is missing where a worker was lost.
        attempt: u32 = 1,
        /// When it began.
        at: Timestamp = MOMENT,
        /// The worker that made it.
        worker: String = "host-17",
        /// What the receiver answered; null when it did not.
        status_code: Option<u16> = 503,
        /// Why it did not answer.
        error: Option<String> = Value::Null,
        /// How long it took, in milliseconds.
        duration: f64 = 31.5,
    }
}

impl From<callback::Deliveries> for Deliveries {
    fn from(row: callback::Deliveries) -> Self {
        let attempt = |row: callback::AttemptRow| DeliveryAttempt {
            attempt: row.attempt.unsigned_abs(),
            at: row.at.into(),
            worker: row.worker,
            status_code: row.status_code.and_then(|status| u16::try_from(status).ok()),
            error: row.error,
            duration: milliseconds(row.duration_ms),
        };
        Self {
            callback_url: row.url,
            status: row.status,
            next_attempt_at: row.due_at.map(Timestamp::from),
            attempts: row.attempts.into_iter().map(attempt).collect(),
        }
    }
}

view! {
    /// What a project's callbacks are signed with.
    CallbackSecret {
        /// The secret itself. Shown this once.
        secret: String = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw9Zb0…",
        /// When it was made.
        created_at: Timestamp = MOMENT,
        /// Until when the one before it signs too; null when there was none.
        previous_until: Option<Timestamp> = Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured_is_shown_with_three_decimals() {
        assert_eq!(milliseconds(1.234_567_8), 1.235);
        assert_eq!(milliseconds(30_000.0), 30_000.0);
        assert_eq!(mebibytes(4 * 1_048_576 + 4096), 4.004);
    }
}
