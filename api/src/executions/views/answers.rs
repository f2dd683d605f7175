//! What a call answers: what it gave, or that it will be carried out.

use serde_json::{Value, json};
use shared::domain::{ExecutionId, ExecutionStatus, JsonText};

use crate::{
    examples::EXECUTION,
    shape::{Timestamp, view},
};

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
