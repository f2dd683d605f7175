//! The apalis side of the queue: a backend that yields what the claimer claimed.
//!
//! Leases, retries and settling are the queue's own, and database trouble stays inside the claimer
//! and the jobs, so nothing here can fail and end the worker. See `docs/decisions/`.

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use apalis_core::{
    backend::{Backend, BackendConfig, finalize::Ephemeral},
    task::{Task, builder::TaskBuilder, task_id::RandomId},
    worker::context::WorkerContext,
};
use tokio::sync::mpsc;
use tower::layer::util::Identity;

use crate::pull::Assignment;

/// Yields assignments until the claimer is gone; then the worker finishes what runs and ends.
#[derive(Debug)]
pub(crate) struct QueueBackend {
    pub(crate) assignments: mpsc::UnboundedReceiver<Assignment>,
}

impl Backend for QueueBackend {
    type Task = Task<Assignment>;
    type Error = Infallible;

    fn poll_ready(
        &mut self,
        _: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        _: &WorkerContext,
    ) -> Poll<Option<Result<Self::Task, Infallible>>> {
        self.assignments
            .poll_recv(cx)
            .map(|next| next.map(|assignment| Ok(TaskBuilder::new(assignment).build())))
    }

    fn poll_close(
        &mut self,
        _: &mut Context<'_>,
        worker: &WorkerContext,
    ) -> Poll<Result<(), Infallible>> {
        // A source that has run dry does not end the runtime by itself. Stopping fails only before
        // the start, when there is nothing to stop.
        let _ = worker.stop();
        Poll::Ready(Ok(()))
    }
}

impl BackendConfig for QueueBackend {
    type Args = Assignment;
    type Id = RandomId;
    type Kind = Ephemeral;
    type Config = ();
    type Layer = Identity;

    fn config(&self) -> &() {
        &()
    }

    fn middleware(&mut self, _: &mut WorkerContext) -> Identity {
        Identity::new()
    }
}
