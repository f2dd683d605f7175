//! Group commit: what many callers want written goes into as few transactions as keep up with them.
//!
//! Nothing waits for a batch to fill: a flusher takes whatever is there the moment it is free, so a
//! lone caller is served at once and a crowd shares its commits.

use std::sync::Arc;

use tokio::{
    sync::{Mutex, mpsc, oneshot},
    task::JoinHandle,
};

/// Items on their way to the flushers; whoever hands in more waits.
const BACKLOG: usize = 4096;

type Waiting<T, R> = (T, oneshot::Sender<R>);

/// Hands items to flushers in batches. Dropping it ends the flushers once they have flushed what
/// was handed in.
#[derive(Debug)]
pub struct GroupCommit<T, R> {
    waiting: mpsc::Sender<Waiting<T, R>>,
    _flushers: Vec<JoinHandle<()>>,
}

impl<T: Send + 'static, R: Send + 'static> GroupCommit<T, R> {
    /// Starts `flushers` tasks. Each calls `flush` with at most `batch` items at a time, which
    /// commits them and answers for each, in order.
    pub fn start<F, A>(flushers: usize, batch: usize, flush: F) -> Self
    where
        F: Fn(Vec<T>) -> A + Clone + Send + 'static,
        A: Future<Output = Vec<R>> + Send + 'static,
    {
        let (waiting, taken) = mpsc::channel(BACKLOG);
        let taken = Arc::new(Mutex::new(taken));
        let start = |_| tokio::spawn(flush_all(taken.clone(), batch, flush.clone()));
        Self { waiting, _flushers: (0..flushers).map(start).collect() }
    }

    /// Returns what `flush` answered for this item; None when it gave no answer.
    pub async fn submit(&self, item: T) -> Option<R> {
        let (answer, answered) = oneshot::channel();
        self.waiting.send((item, answer)).await.ok()?;
        answered.await.ok()
    }
}

async fn flush_all<T, R, F, A>(
    taken: Arc<Mutex<mpsc::Receiver<Waiting<T, R>>>>,
    batch: usize,
    flush: F,
) where
    F: Fn(Vec<T>) -> A,
    A: Future<Output = Vec<R>>,
{
    loop {
        let mut waiting = Vec::new();
        if taken.lock().await.recv_many(&mut waiting, batch).await == 0 {
            return;
        }
        let (items, answers): (Vec<T>, Vec<_>) = waiting.into_iter().unzip();
        for (answer, result) in answers.into_iter().zip(flush(items).await) {
            // Whoever asked may have gone away; the item is written all the same.
            let _ = answer.send(result);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_lone_item_is_flushed_at_once_and_a_crowd_shares_batches() {
        let (sizes, mut seen) = mpsc::unbounded_channel();
        let group = GroupCommit::start(1, 8, move |items: Vec<u32>| {
            let sizes = sizes.clone();
            async move {
                let _ = sizes.send(items.len());
                tokio::task::yield_now().await;
                items.into_iter().map(|item| item * 2).collect()
            }
        });
        assert_eq!(group.submit(21).await, Some(42));
        assert_eq!(seen.recv().await, Some(1));

        let group = Arc::new(group);
        let crowd = (0..32).map(|item| {
            let group = group.clone();
            tokio::spawn(async move { (item, group.submit(item).await) })
        });
        for caller in crowd.collect::<Vec<_>>() {
            let (item, answer) = caller.await.unwrap();
            assert_eq!(answer, Some(item * 2));
        }
        let mut batches = Vec::new();
        while let Ok(size) = seen.try_recv() {
            batches.push(size);
        }
        assert!(batches.len() < 32 && batches.iter().all(|size| *size <= 8), "{batches:?}");
    }
}
