//! Makes builds possible beside the calls, and says which. What cannot be made ready now, for want of a
//! registry perhaps, is tried again: the other language builds meanwhile, and so do other workers.

use std::{future, sync::Arc, time::Duration};

use compiler::Toolchains;
use sandbox::Conditions;
use shared::telemetry::chain;
use tokio_util::sync::CancellationToken;

use crate::{
    builder::{Builder, BuilderOptions},
    jobs::Services,
    offers::Offers,
    slots::Slots,
};

/// Between two attempts, each of which may take minutes on a new machine.
const RETRY_DELAY: Duration = Duration::from_secs(10);

/// What making builds possible takes.
pub(crate) struct Opening {
    pub(crate) services: Arc<Services>,
    pub(crate) options: BuilderOptions,
    pub(crate) conditions: Conditions,
    pub(crate) slots: Slots,
}

impl Opening {
    /// Opens builds and offers them until told to stop.
    pub(crate) async fn open_builds(self, stop: CancellationToken) {
        let (db, worker) = (self.services.db.clone(), self.services.worker.name.clone());
        let mut offers = Offers::new(db, worker);
        let found = Toolchains::discover(&self.options.places).await;
        // Before the warm-up: a build that waits for that does not lack a toolchain.
        offers.announce(&found, &stop).await;
        loop {
            let is_done = tokio::select! {
                is_done = self.attempt(&mut offers, &stop) => is_done,
                () = stop.cancelled() => break,
            };
            let next_attempt = async {
                match is_done {
                    true => future::pending().await,
                    false => tokio::time::sleep(RETRY_DELAY).await,
                }
            };
            tokio::select! {
                () = offers.keep() => {}
                () = next_attempt => {}
                () = stop.cancelled() => break,
            }
        }
        offers.withdraw().await;
    }

    /// True when all that is installed can build. What cannot is not offered any more: builds that
    /// need it say what they wait for.
    async fn attempt(&self, offers: &mut Offers, stop: &CancellationToken) -> bool {
        let found = Toolchains::discover(&self.options.places).await;
        let compiler = Builder::prepare(&self.options, found, &self.conditions).await;
        let mut is_complete = !compiler.toolchains().has_trouble();
        let count = |toolchains: &Toolchains| toolchains.installed().len();
        let was_open = self.is_open();
        let told = compiler.toolchains().clone();
        if count(&told) > count(&self.ready()) {
            match Builder::open(&self.options, compiler, &self.conditions).await {
                // Builds that still run with the one before hold it until they end.
                Ok(better) => drop(self.services.builder.send_replace(Some(Arc::new(better)))),
                Err(error) => {
                    tracing::error!(error = chain(&error), "builds cannot be opened yet");
                    is_complete = false;
                }
            }
        }
        self.services.toolchains.send_replace(told);
        offers.announce(&self.ready(), stop).await;
        // Last: then a claim never brings what cannot be built here.
        if self.is_open() && !was_open {
            self.slots.add_builds(self.options.slots);
        }
        is_complete
    }

    fn is_open(&self) -> bool {
        self.services.builder.borrow().is_some()
    }

    /// What builds can be done with now.
    fn ready(&self) -> Toolchains {
        let builder = self.services.builder.borrow();
        builder.as_ref().map_or_else(Toolchains::default, |it| it.compiler.toolchains().clone())
    }
}
