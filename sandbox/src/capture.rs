//! One output stream of a run, read as it comes and kept up to a limit.

use std::{io, os::fd::OwnedFd, time::Duration};

use tokio::io::{Interest, unix::AsyncFd};

use crate::{run::monotonic_ns, sys};

/// Taken from a stream at a time.
const READ_BYTES: usize = 16 << 10;
/// What a pipe holds at most: fs.pipe-max-size by default. Usually it is 64 KiB.
const PIPE_BYTES: usize = 1 << 20;
/// Reads closer together than this share one time, so that a long run of single bytes stays small.
const TIME_GRAIN_NS: u64 = 10_000_000;

/// A stream and what was kept of it.
pub(crate) struct Capture {
    pipe: Option<AsyncFd<OwnedFd>>,
    pub(crate) kept: Vec<u8>,
    /// How much had been kept, and when that was.
    times: Vec<(usize, u64)>,
    limit_bytes: usize,
    /// More came than was kept.
    pub(crate) overflowed: bool,
}

impl Capture {
    pub(crate) fn new(pipe: OwnedFd, limit_bytes: usize) -> io::Result<Capture> {
        rustix::io::ioctl_fionbio(&pipe, true)?;
        let pipe = Some(sys::watched(pipe, Interest::READABLE)?);
        Ok(Capture { pipe, kept: Vec::new(), times: Vec::new(), limit_bytes, overflowed: false })
    }

    /// Waits for more and takes it. Never returns once the stream has ended.
    pub(crate) async fn fill(&mut self) {
        let Some(pipe) = &self.pipe else { return std::future::pending().await };
        let Ok(mut ready) = pipe.readable().await else { return self.pipe = None };
        let mut buffer = [0; READ_BYTES];
        // `Err` here means that nothing is left and that the next call will wait.
        if let Ok(read) = ready.try_io(|pipe| Ok(rustix::io::read(pipe, &mut buffer)?)) {
            match read {
                Ok(length) if length > 0 => self.keep(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(_) | Err(_) => self.pipe = None,
            }
        }
    }

    /// Takes what is there already: at most what a pipe holds, since a daemon may go on writing.
    pub(crate) fn drain(&mut self) {
        let Some(pipe) = &self.pipe else { return };
        let mut buffer = [0; READ_BYTES];
        let mut kept = Vec::new();
        while kept.len() < PIPE_BYTES {
            match rustix::io::read(pipe.get_ref(), &mut buffer) {
                Ok(length) if length > 0 => kept.extend_from_slice(&buffer[..length]),
                Err(rustix::io::Errno::INTR) => {}
                Ok(_) | Err(_) => break,
            }
        }
        self.keep(&kept);
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = self.limit_bytes - self.kept.len();
        self.overflowed |= bytes.len() > room;
        if room == 0 {
            return;
        }
        self.kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
        let now_ns = monotonic_ns();
        match self.times.last_mut() {
            Some((end, at_ns)) if now_ns - *at_ns < TIME_GRAIN_NS => *end = self.kept.len(),
            _ => self.times.push((self.kept.len(), now_ns)),
        }
    }

    pub(crate) fn times_since(&self, start_ns: u64) -> Vec<(usize, Duration)> {
        let since = |at_ns: u64| Duration::from_nanos(at_ns.saturating_sub(start_ns));
        self.times.iter().map(|(end, at_ns)| (*end, since(*at_ns))).collect()
    }
}
