//! The worker as a whole: start the sandboxes, take a lease, claim under the apalis runtime, and,
//! when told to stop, finish what runs within the grace time and give the rest back.

use std::{path::PathBuf, sync::Arc, time::Duration};

use apalis::prelude::WorkerBuilder;
use apalis_core::{error::BoxDynError, task::data::Data};
use compiler::Compiler;
use sandbox::Sandbox;
use shared::{
    artifact::ArtifactStore,
    queue::Signals,
    store::{Db, StoreError},
};
use tokio::sync::{Notify, mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    backend::QueueBackend,
    cache::BinaryCache,
    claimer::{Assignment, Claimer},
    jobs::{self, Services},
    lease::{Held, Keeper},
    slots::Slots,
};

/// What a worker needs to start.
#[derive(Debug)]
pub struct Options {
    /// For jobs.
    pub db: Db,
    /// To be woken and to wake.
    pub signals: Signals,
    /// For the connection that beats.
    pub database_url: String,
    /// Where binaries are kept.
    pub artifacts: ArtifactStore,
    /// Calls at once.
    pub call_slots: u32,
    /// Builds at once.
    pub build_slots: u32,
    /// How long running jobs may go on after the worker was told to stop.
    pub grace: Duration,
    /// Toolchains and their caches.
    pub compiler: compiler::Options,
    /// Of the worker, for people: shown with its lease and on each execution.
    pub name: String,
}
