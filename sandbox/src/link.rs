//! The worker's end of its spawner: starts it, sends commands, hands replies to whoever waits.

use std::{
    collections::HashMap,
    io,
    os::fd::{AsFd, OwnedFd},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{io::Interest, io::unix::AsyncFd, sync::oneshot, time::timeout};

use crate::{
    cgroup::{Control, Knob},
    error::{Failure, MissingLayer, RunError, StartError, Steps},
    program::DiskSize,
    protocol::{Command, Reply, Sealed, Setup},
    spawner::{Launcher, SpawnerProcess},
    sys,
    wire::{self, Packet},
};

/// How long the spawner may take for anything. A slot takes it about a millisecond, and a fork bomb
/// is dead before its removal is asked for.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long it may take to be ready: it may have to sweep what dead instances left.
const START_PATIENCE: Duration = Duration::from_secs(60);

/// A live spawner.
pub(crate) struct Link {
    socket: AsyncFd<OwnedFd>,
    /// Who waits for the reply about which slot. None once the spawner is gone.
    waiting: Mutex<Option<Waiting>>,
    /// The spawner's process id.
    pub(crate) pid: u32,
    /// Slot `n` runs as user `first_uid + n`.
    pub(crate) first_uid: u32,
    /// Layers the spawner had to do without.
    pub(crate) missing: Vec<MissingLayer>,
}

/// By question: a slot may be asked to go while somebody no longer waits for it to come.
type Waiting = HashMap<Question, oneshot::Sender<Answer>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Question {
    Make(u32),
    Remove(u32),
}

/// The worker's hold on one slot.
#[derive(Debug)]
pub(crate) struct SlotHandle {
    pub(crate) socket: OwnedFd,
    pub(crate) pidfd: OwnedFd,
    pub(crate) control: Control,
}

enum Answer {
    Made(SlotHandle),
    NotMade(Failure),
    Removed,
}

impl Link {
    /// Starts a spawner, hands it the image and waits until it is sealed.
    pub(crate) async fn start(
        launcher: &Launcher,
        setup: &Setup,
    ) -> Result<(Link, SpawnerProcess), StartError> {
        let (ours, theirs) = wire::pair().map_err(StartError::Spawner)?;
        let process = launcher.start(theirs).map_err(StartError::Spawner)?;
        match Link::introduce(ours, process.pid, setup).await {
            Ok(link) => Ok((link, process)),
            Err(error) => {
                process.kill();
                process.reap().await;
                Err(error)
            }
        }
    }

    async fn introduce(socket: OwnedFd, pid: u32, setup: &Setup) -> Result<Link, StartError> {
        wire::send(&socket, setup, &[]).map_err(StartError::Spawner)?;
        rustix::io::ioctl_fionbio(&socket, true)
            .map_err(|error| StartError::Spawner(error.into()))?;
        let socket = sys::watched(socket, Interest::READABLE | Interest::WRITABLE)
            .map_err(StartError::Spawner)?;
        let answer = socket.async_io(Interest::READABLE, |socket| wire::receive::<Sealed>(socket));
        let answer = timeout(START_PATIENCE, answer).await.unwrap_or_else(|late| Err(late.into()));
        match answer.map_err(StartError::Spawner)?.map(|packet| packet.message) {
            Some(Sealed::Ready { first_uid, missing }) => {
                let waiting = Mutex::new(Some(HashMap::new()));
                Ok(Link { socket, waiting, pid, first_uid, missing })
            }
            Some(Sealed::Refused(missing)) => Err(StartError::Incomplete(missing)),
            None => Err(StartError::Spawner(io::ErrorKind::UnexpectedEof.into())),
        }
    }

    /// Makes a slot.
    pub(crate) async fn make(
        &self,
        index: u32,
        disk: DiskSize,
        steps: Steps,
    ) -> Result<SlotHandle, RunError> {
        match self.ask(Question::Make(index), Command::Make { index, disk, steps }).await {
            Some(Answer::Made(handle)) => Ok(handle),
            Some(Answer::NotMade(failure)) => Err(failure.into()),
            Some(Answer::Removed) | None => Err(RunError::Unavailable),
        }
    }

    /// Kills, reaps and removes a slot. Nothing of it is left when this returns; when the spawner
    /// is gone, the next one sweeps.
    pub(crate) async fn remove(&self, index: u32) {
        let _ = self.ask(Question::Remove(index), Command::Remove(index)).await;
    }

    /// Hands out replies until the spawner is gone. The pool has one task for this.
    pub(crate) async fn serve(&self) {
        while let Ok(Some(packet)) = receive::<Reply>(&self.socket).await {
            let Some((question, answer)) = understand(packet) else { break };
            let waiter = self.lock().as_mut().and_then(|waiting| waiting.remove(&question));
            // Whoever asked for a slot and gave up has asked for its removal since.
            let _ = waiter.map(|waiter| waiter.send(answer));
        }
        // Dropping the senders tells everyone who waits.
        self.lock().take();
    }

    /// Ends the spawner and everything it made, and with it `serve`.
    pub(crate) fn hang_up(&self) {
        // Fails only when it has ended already.
        let _ = rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Both);
    }

    async fn ask(&self, question: Question, command: Command) -> Option<Answer> {
        let (sender, receiver) = oneshot::channel();
        self.lock().as_mut()?.insert(question, sender);
        let sent =
            self.socket.async_io(Interest::WRITABLE, |socket| wire::send(socket, &command, &[]));
        sent.await.ok()?;
        match timeout(PATIENCE, receiver).await {
            Ok(answer) => answer.ok(),
            Err(_) => {
                // A spawner that hangs is as good as dead.
                self.hang_up();
                None
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Receives one small packet from a nonblocking socket.
pub(crate) async fn receive<T: serde::de::DeserializeOwned>(
    socket: &AsyncFd<OwnedFd>,
) -> io::Result<Option<Packet<T>>> {
    socket.async_io(Interest::READABLE, |socket| wire::receive_small(socket.as_fd())).await
}

/// None for a reply that makes no sense: the spawner is broken.
fn understand(packet: Packet<Reply>) -> Option<(Question, Answer)> {
    let mut fds = packet.fds.into_iter();
    match packet.message {
        Reply::Removed { index } => Some((Question::Remove(index), Answer::Removed)),
        Reply::NotMade { index, failure } => {
            Some((Question::Make(index), Answer::NotMade(failure)))
        }
        Reply::Made { index, knobs } => {
            let (socket, pidfd) = (fds.next()?, fds.next()?);
            let files: Vec<OwnedFd> = fds.collect();
            (files.len() == knobs.len()).then_some(())?;
            let knobs: Vec<(Knob, OwnedFd)> = knobs.into_iter().zip(files).collect();
            let control = Control::new(knobs);
            Some((Question::Make(index), Answer::Made(SlotHandle { socket, pidfd, control })))
        }
    }
}
