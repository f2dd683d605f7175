//! What goes into calls, and how executions, their logs and their callbacks look from outside.

mod answers;
mod bodies;
mod deliveries;
mod execution;
mod log_line;

pub(crate) use answers::{Called, Queued, QueuedBatch};
pub(crate) use bodies::{InvokeBatch, InvokeFunction, InvokeLater};
pub(crate) use deliveries::{CallbackSecret, Deliveries};
pub(crate) use execution::{Execution, ExecutionCounts, ExecutionSummary};
pub(crate) use log_line::LogLine;
