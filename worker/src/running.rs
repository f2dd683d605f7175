//! What runs in this process, so that somebody else's wish to end it finds it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use shared::queue::ClaimedJob;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// All jobs of the process; clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Running {
    by_token: Arc<Mutex<HashMap<i64, (Uuid, CancellationToken)>>>,
}

/// A job's place among those that run; left when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    running: Running,
    token: i64,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.running.lock().remove(&self.token);
    }
}

impl Running {
    /// Lets `stop` be cancelled by whoever asks for the end of the job.
    pub(crate) fn enter(&self, job: &ClaimedJob, stop: &CancellationToken) -> Place {
        if job.cancel_requested {
            stop.cancel();
        }
        self.lock().insert(job.claim.token, (job.subject, stop.clone()));
        Place { running: self.clone(), token: job.claim.token }
    }

    /// Of the claims of everything that runs here.
    pub(crate) fn tokens(&self) -> Vec<i64> {
        self.lock().keys().copied().collect()
    }

    /// Ends what runs for `subject`, if it runs here.
    pub(crate) fn cancel(&self, subject: Uuid) {
        self.lock().values().filter(|(of, _)| *of == subject).for_each(|(_, stop)| stop.cancel());
    }

    /// The map is whole after every call, so a panic elsewhere does not spoil it.
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<i64, (Uuid, CancellationToken)>> {
        self.by_token.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
