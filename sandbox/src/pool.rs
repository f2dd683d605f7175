//! Fresh slots for runs: some primed ahead of need, each used once, then removed.
//!
//! An index is taken from the free list when a slot is asked for and returns to it only after the
//! spawner has removed every trace of the slot. That bounds what exists at any time.

use std::{
    collections::BTreeSet,
    io,
    os::fd::OwnedFd,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    process::{Signal, pidfd_send_signal},
    time::Timespec,
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::{
    cgroup::Control,
    error::{RunError, Steps},
    link::{Link, SlotHandle, receive},
    network::{Doors, Gate},
    program::DiskSize,
    protocol::Status,
    sys,
};

/// Makes, keeps and takes away slots.
pub(crate) struct Pool {
    pub(crate) link: Arc<Link>,
    /// One permit per run that may go on at once.
    permits: Arc<Semaphore>,
    shelf: Mutex<Shelf>,
    /// How many indices there are: the most slots that ever exist at a time.
    indices: usize,
    /// What to keep ready.
    primed: Primed,
    /// Rung when it is a good moment to fill the shelf: a run has ended, or none is left. Making a
    /// slot holds locks in the kernel that would delay the call that has just taken one.
    refill: Notify,
    /// Rung when a slot is gone for good, or primed.
    changed: Notify,
    /// No new slot from then on.
    stopping: CancellationToken,
    /// Who serves the network of each slot.
    gate: Option<Arc<dyn Gate>>,
    /// The spawner is dead.
    pub(crate) gone: CancellationToken,
    /// For tests: what fails in each slot made from then on.
    pub(crate) steps: OnceLock<Steps>,
    /// Where slots go when their holder is done. Removal depends neither on who that is nor on how
    /// it ended.
    bin: mpsc::UnboundedSender<Used>,
}

/// What a pool keeps ready.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Primed {
    pub(crate) count: usize,
    /// Every one has a disk of this size.
    pub(crate) disk: DiskSize,
}

#[derive(Default)]
struct Shelf {
    free: BTreeSet<u32>,
    primed: Vec<Slot>,
}

/// A slot on its way out.
struct Used {
    index: u32,
    live: Option<Arc<Live>>,
    permit: Option<OwnedSemaphorePermit>,
}

/// One slot in one pair of hands. Dropping it has everything in it killed.
pub(crate) struct Slot {
    live: Arc<Live>,
    place: Place,
}

/// A slot's processes and groups.
struct Live {
    socket: AsyncFd<OwnedFd>,
    pidfd: OwnedFd,
    control: Control,
    /// What stands behind its network, in a slot that has one.
    served: Option<JoinHandle<()>>,
}

/// A taken index. Dropping it has the spawner remove what is there, then frees it.
struct Place {
    index: u32,
    live: Option<Arc<Live>>,
    permit: Option<OwnedSemaphorePermit>,
    bin: mpsc::UnboundedSender<Used>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let (live, permit) = (self.live.take(), self.permit.take());
        // Fails only when the spawner is gone.
        let _ = self.bin.send(Used { index: self.index, live, permit });
    }
}

impl Pool {
    /// A pool for `slots` runs at once, with up to `primed` more slots waiting.
    pub(crate) fn new(
        link: Arc<Link>,
        slots: usize,
        primed: Primed,
        gate: Option<Arc<dyn Gate>>,
    ) -> Arc<Pool> {
        let (bin, used) = mpsc::unbounded_channel();
        let indices = slots + primed.count;
        let pool = Arc::new(Pool {
            link,
            permits: Arc::new(Semaphore::new(slots)),
            shelf: Mutex::new(Shelf { free: (0..indices as u32).collect(), primed: Vec::new() }),
            indices,
            primed,
            refill: Notify::new(),
            changed: Notify::new(),
            stopping: CancellationToken::new(),
            gate,
            gone: CancellationToken::new(),
            steps: OnceLock::new(),
            bin,
        });
        tokio::spawn(hand_out_replies(Arc::clone(&pool)));
        tokio::spawn(empty_bin(Arc::clone(&pool), used));
        tokio::spawn(refill(Arc::clone(&pool)));
        pool
    }

    /// Takes a slot with a disk of that size, waiting while as many runs as allowed go on.
    pub(crate) async fn take(&self, disk: DiskSize) -> Result<Slot, RunError> {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.map_err(|_| RunError::Unavailable)?;
        let primed = if disk == self.primed.disk { self.take_primed() } else { None };
        let slot = match primed {
            Some(slot) => Ok(slot),
            None => self.make(disk).await,
        };
        if self.lock().primed.is_empty() {
            self.refill.notify_one();
        }
        slot.map(|mut slot| {
            slot.place.permit = Some(permit);
            slot
        })
    }

    /// No new runs; waits until every slot, used or primed, is gone.
    pub(crate) async fn close(&self) {
        self.stopping.cancel();
        self.permits.close();
        self.lock().primed.clear();
        self.settled().await;
    }

    /// Waits until no slot exists but the primed ones.
    pub(crate) async fn settled(&self) {
        self.until(|shelf| shelf.free.len() + shelf.primed.len() == self.indices).await;
    }

    /// Waits until as many slots are primed as should be.
    pub(crate) async fn primed(&self) {
        self.until(|shelf| shelf.primed.len() >= self.primed.count).await;
    }

    /// Waits for a state of the shelf, or for the end of the spawner, after which none will come.
    async fn until(&self, condition: impl Fn(&Shelf) -> bool) {
        while !self.gone.is_cancelled() {
            let mut changed = std::pin::pin!(self.changed.notified());
            // From here on no ring is missed.
            changed.as_mut().enable();
            if condition(&self.lock()) {
                return;
            }
            tokio::select! {
                () = changed => {}
                () = self.gone.cancelled() => {}
            }
        }
    }

    /// The newest primed slot whose init is still alive.
    fn take_primed(&self) -> Option<Slot> {
        loop {
            let slot = self.lock().primed.pop()?;
            if slot.live.is_alive() {
                return Some(slot);
            }
        }
    }

    /// Asks the spawner for a new slot. Whatever becomes of the wait, the index finds its way back.
    async fn make(&self, disk: DiskSize) -> Result<Slot, RunError> {
        let index = self.free_index().await?;
        let mut place = Place { index, live: None, permit: None, bin: self.bin.clone() };
        let SlotHandle { socket, pidfd, control } =
            self.link.make(index, disk, self.steps()).await?;
        rustix::io::ioctl_fionbio(&socket, true).map_err(io::Error::from)?;
        let socket = sys::watched(socket, Interest::READABLE)?;
        let mut live = Live { socket, pidfd, control, served: None };
        let connected = match &self.gate {
            Some(gate) => live.connect(gate.as_ref()).await,
            None => Ok(()),
        };
        let live = Arc::new(live);
        place.live = Some(Arc::clone(&live));
        connected.map(|()| Slot { live, place })
    }

    /// There are as many indices as slots can be wanted; one may still be on its way back.
    async fn free_index(&self) -> Result<u32, RunError> {
        loop {
            if let Some(index) = self.lock().free.pop_first() {
                return Ok(index);
            }
            self.until(|shelf| !shelf.free.is_empty()).await;
            if self.gone.is_cancelled() {
                return Err(RunError::Unavailable);
            }
        }
    }

    /// Makes a slot and waits until everything in it is ready for a request.
    async fn make_primed(&self) -> Result<Slot, RunError> {
        let slot = self.make(self.primed.disk).await?;
        match receive::<Status>(slot.socket()).await?.map(|packet| packet.message) {
            Some(Status::Primed) => Ok(slot),
            Some(Status::NotLaunched(failure)) => Err(failure.into()),
            _ => Err(RunError::Lost),
        }
    }

    fn steps(&self) -> Steps {
        self.steps.get().copied().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    pub(crate) fn socket(&self) -> &AsyncFd<OwnedFd> {
        &self.live.socket
    }

    pub(crate) fn control(&self) -> &Control {
        &self.live.control
    }

    /// Kills every process of the slot.
    pub(crate) fn kill(&self) {
        self.live.kill();
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if let Some(served) = &self.served {
            served.abort();
        }
    }
}

impl Live {
    /// A networked slot's first word brings its doors; no program is in it before they are served.
    async fn connect(&mut self, gate: &dyn Gate) -> Result<(), RunError> {
        let packet = receive::<Status>(&self.socket).await?.ok_or(RunError::Lost)?;
        match packet.message {
            Status::Connected => {
                let doors = Doors::from_fds(packet.fds).ok_or(RunError::Lost)?;
                self.served = Some(tokio::spawn(gate.serve(doors)));
                Ok(())
            }
            Status::NotLaunched(failure) => Err(failure.into()),
            _ => Err(RunError::Lost),
        }
    }

    /// Once every process is dead: nothing that served them is left either.
    async fn end_service(mut self) {
        if let Some(served) = self.served.take() {
            served.abort();
            let _ = served.await;
        }
    }

    fn kill(&self) {
        // Either suffices; the group is faster, init's namespace is always there. Being dead
        // already is no failure.
        let _ = self.control.kill();
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
    }

    /// While init lives, others may; once it is dead, nobody is left.
    fn is_alive(&self) -> bool {
        let mut fds = [PollFd::new(&self.pidfd, PollFlags::IN)];
        matches!(poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })), Ok(0))
    }

    async fn death(&self) -> io::Result<()> {
        let pidfd = sys::watched(self.pidfd.try_clone()?, Interest::READABLE)?;
        pidfd.readable().await.map(drop)
    }
}

/// Lives as long as the spawner. Nobody gets a slot here afterwards.
async fn hand_out_replies(pool: Arc<Pool>) {
    pool.link.serve().await;
    pool.stopping.cancel();
    pool.permits.close();
    pool.lock().primed.clear();
    pool.gone.cancel();
}

/// Removes used slots, each in its own task: a fork bomb takes a while to die. Without a spawner
/// there is nobody to remove them; the next one sweeps.
async fn empty_bin(pool: Arc<Pool>, mut used: mpsc::UnboundedReceiver<Used>) {
    loop {
        tokio::select! {
            Some(used) = used.recv() => drop(tokio::spawn(remove(Arc::clone(&pool), used))),
            () = pool.gone.cancelled() => return,
        }
    }
}

async fn remove(pool: Arc<Pool>, used: Used) {
    if let Some(live) = used.live {
        if live.is_alive() {
            live.kill();
        }
        // The spawner waits for the death itself if this fails.
        let _ = live.death().await;
        if let Some(live) = Arc::into_inner(live) {
            live.end_service().await;
        }
    }
    pool.link.remove(used.index).await;
    pool.lock().free.insert(used.index);
    // The permit goes back before anyone is told.
    drop(used.permit);
    pool.changed.notify_waiters();
    pool.refill.notify_one();
}

/// Keeps the shelf filled.
async fn refill(pool: Arc<Pool>) {
    /// Pause after a failure. It is logged; runs go on with slots made on demand.
    const PAUSE: Duration = Duration::from_secs(1);
    while !pool.stopping.is_cancelled() {
        if pool.lock().primed.len() >= pool.primed.count {
            tokio::select! {
                () = pool.refill.notified() => {}
                () = pool.stopping.cancelled() => {}
            }
            continue;
        }
        match pool.make_primed().await {
            Ok(slot) => {
                pool.lock().primed.push(slot);
                pool.changed.notify_waiters();
            }
            Err(error) => {
                tracing::warn!(%error, "a slot could not be primed");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    pool.lock().primed.clear();
    pool.changed.notify_waiters();
}
