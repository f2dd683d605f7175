//! The handle: start a sandbox for one image, run programs in it, stop it.
//!
//! A supervisor replaces the spawner when that dies. Runs that were going on then are lost and say
//! so; later ones find a new spawner, which has swept what the old one left.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    canary,
    error::{Layer, RunError, Stage, StartError, Steps},
    image::{Image, Profile},
    link::Link,
    network::Gate,
    outcome::Outcome,
    pool::{Pool, Primed, Slot},
    program::{DiskSize, Program},
    protocol::Setup,
    run::{self, Order},
    spawner::{BLOCK_UIDS, Launcher, SpawnerProcess},
};

/// What holds for every sandbox of a process.
#[derive(Debug, Clone, Default)]
pub struct Conditions {
    /// Layers that may be missing. Nothing else may.
    pub allow_degraded: Vec<Layer>,
    /// Who starts spawners. The binary's `main` must begin with `become_spawner_if_asked`.
    pub launcher: Launcher,
}

/// How a sandbox is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// What runs see.
    pub image: Image,
    /// Runs at once; more wait.
    pub slots: usize,
    /// Slots kept ready ahead of need.
    pub primed: usize,
    /// The disk of primed slots. A run whose limits say another size gets a slot made for it, and
    /// starts about a millisecond later.
    pub primed_disk: DiskSize,
    /// Who serves the network of slots of a networked image; none other has one.
    pub gate: Option<Arc<dyn Gate>>,
    /// What it may count on.
    pub conditions: Conditions,
    /// For tests: the step that fails in every slot once the canary has passed.
    #[doc(hidden)]
    pub fail_at: Option<Stage>,
}

impl Options {
    /// Eight runs at once in this image, two slots primed, with a disk of 64 MiB and 1,024 inodes.
    pub fn new(image: Image) -> Options {
        Options {
            image,
            slots: 8,
            primed: 2,
            primed_disk: DiskSize { bytes: 64 << 20, inodes: 1024 },
            gate: None,
            conditions: Conditions::default(),
            fail_at: None,
        }
    }

    /// Whether a layer may be missing.
    pub(crate) fn allows(&self, layer: Layer) -> bool {
        self.conditions.allow_degraded.contains(&layer)
    }
}

/// Runs programs in one image. Cloning gives another handle on the same sandbox; when the last one
/// is dropped, everything it runs is killed.
#[derive(Clone)]
pub struct Sandbox {
    handle: Arc<Handle>,
}

struct Handle {
    shared: Arc<Shared>,
    supervisor: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    options: Options,
    /// Of the newest spawner.
    pool: watch::Sender<Arc<Pool>>,
    /// No new runs; those that go on may end.
    closing: CancellationToken,
    /// Everything ends now.
    stopping: CancellationToken,
    missing: Vec<Layer>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.closing.cancel();
        self.shared.stopping.cancel();
    }
}

impl Sandbox {
    /// Starts the spawner, seals it, and proves with a canary that every layer holds. Fails when
    /// one does not, unless `Conditions::allow_degraded` names it. Needs a tokio runtime with IO and time. Raises
    /// this process's soft limit of open files to its hard one.
    pub async fn start(options: Options) -> Result<Sandbox, StartError> {
        check(&options)?;
        raise_open_files();
        let (pool, process) = start_spawner(&options).await?;
        let missing = match canary::prove(&pool, &options).await {
            Ok(missing) => missing,
            Err(error) => {
                shut_down(&pool, process).await;
                return Err(error);
            }
        };
        let _ = pool.steps.set(Steps { fail_at: options.fail_at });
        let shared = Arc::new(Shared {
            options,
            pool: watch::Sender::new(pool),
            closing: CancellationToken::new(),
            stopping: CancellationToken::new(),
            missing,
        });
        let supervisor = Mutex::new(Some(tokio::spawn(supervise(Arc::clone(&shared), process))));
        Ok(Sandbox { handle: Arc::new(Handle { shared, supervisor }) })
    }

    /// Runs one program in a slot of its own. Waits for one while `slots` runs go on. Cancelling
    /// ends the run with `KillReason::Cancelled`; dropping the future kills it too.
    pub async fn run(
        &self,
        program: Program,
        cancel: &CancellationToken,
    ) -> Result<Outcome, RunError> {
        let order = Order::from_program(program)?;
        run::run(self.handle.shared.take_slot(order.disk()), order, cancel).await
    }

    /// Waits for runs that still go on, removes every slot and ends the spawner. Cancel runs first
    /// to stop at once.
    pub async fn stop(self) {
        self.handle.shared.closing.cancel();
        self.handle.shared.pool().close().await;
        self.handle.shared.stopping.cancel();
        let supervisor =
            self.handle.supervisor.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(supervisor) = supervisor {
            let _ = supervisor.await;
        }
    }

    /// The user and group a slot's program runs as. With `slots: 1, primed: 0` every run is in slot
    /// 0: a trusted warm-up can be given files to write by making this user their owner.
    pub fn slot_uid(&self, slot: u32) -> u32 {
        self.handle.shared.pool().link.first_uid + slot
    }

    /// The spawner's process id. It changes when the spawner dies and is replaced.
    pub fn spawner_pid(&self) -> u32 {
        self.handle.shared.pool().link.pid
    }

    /// Layers that are missing and were allowed to be.
    pub fn missing_layers(&self) -> &[Layer] {
        &self.handle.shared.missing
    }

    /// Waits until `Options::primed` slots are ready.
    pub async fn primed(&self) {
        self.handle.shared.pool().primed().await;
    }

    /// Waits until nothing of any ended run is left.
    pub async fn settled(&self) {
        self.handle.shared.pool().settled().await;
    }
}

impl Shared {
    fn pool(&self) -> Arc<Pool> {
        Arc::clone(&self.pool.borrow())
    }

    /// Takes a slot, from the next spawner when this one dies meanwhile.
    async fn take_slot(&self, disk: DiskSize) -> Result<Slot, RunError> {
        let mut pools = self.pool.subscribe();
        loop {
            let pool = Arc::clone(&pools.borrow_and_update());
            match pool.take(disk).await {
                Err(RunError::Unavailable) if !self.closing.is_cancelled() => {
                    // A spawner that is dead, or about to be found so.
                    tokio::select! {
                        _ = pools.changed() => {}
                        () = self.closing.cancelled() => return Err(RunError::Unavailable),
                    }
                }
                other => return other,
            }
        }
    }
}

fn check(options: &Options) -> Result<(), StartError> {
    if options.gate.is_some() != (options.image.profile == Profile::Networked) {
        return Err(StartError::Gate);
    }
    if let Some(path) = options.image.bad_path() {
        return Err(StartError::ImagePath(path.to_owned()));
    }
    // One of the block's ids is for the slots' inits.
    let (asked, most) = (options.slots + options.primed, BLOCK_UIDS as usize - 1);
    if asked > most {
        return Err(StartError::TooManySlots { asked, most });
    }
    Ok(())
}

/// A slot takes some sixteen descriptors of this process, and the usual soft limit is 1,024. The
/// hard limit is the operator's word.
fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    // Up to the hard limit nothing can forbid it.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

async fn start_spawner(options: &Options) -> Result<(Arc<Pool>, SpawnerProcess), StartError> {
    let setup = Setup {
        image: options.image.clone(),
        worker: std::process::id(),
        slots: (options.slots + options.primed) as u32,
    };
    let (link, process) = Link::start(&options.conditions.launcher, &setup).await?;
    let shelf = Primed { count: options.primed, disk: options.primed_disk };
    Ok((Pool::new(Arc::new(link), options.slots, shelf, options.gate.clone()), process))
}

async fn shut_down(pool: &Pool, process: SpawnerProcess) {
    pool.close().await;
    pool.link.hang_up();
    process.reap().await;
}

/// Serves the spawner's replies, and replaces it whenever it dies, until the sandbox stops.
async fn supervise(shared: Arc<Shared>, mut process: SpawnerProcess) {
    loop {
        let pool = shared.pool();
        tokio::select! {
            () = pool.gone.cancelled() => {}
            () = shared.stopping.cancelled() => {
                pool.link.hang_up();
                return process.reap().await;
            }
        }
        tracing::error!(image = shared.options.image.name, "the spawner died and is replaced");
        // It may live on, deaf.
        process.kill();
        process.reap().await;
        process = match replace(&shared).await {
            Some(process) => process,
            None => return,
        };
    }
}

/// None when the sandbox stops before a new spawner is up.
async fn replace(shared: &Shared) -> Option<SpawnerProcess> {
    const PAUSE: Duration = Duration::from_secs(1);
    loop {
        match start_spawner(&shared.options).await {
            Ok((pool, process)) => {
                shared.pool.send_replace(pool);
                return Some(process);
            }
            Err(error) => tracing::error!(%error, "failed to replace the spawner"),
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = shared.stopping.cancelled() => return None,
        }
    }
}
