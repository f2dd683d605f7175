//! Cancel of what runs: it ends as cancelled, and nothing of it goes on.

use std::{fs, time::Duration};

use shared::{
    config::Location,
    queue::CancelledJob,
    store::cancel::{self, Cancelled},
};
use tokio::{net::TcpListener, time::timeout};

use crate::fixture::{ENDLESS_BUILD, Fixture, HELLO, RunningWorker, SLEEPER};

/// A request to a proxy gives up by itself after twice as long.
const PATIENCE: Duration = Duration::from_secs(30);

/// Command lines of the live processes that `wanted` accepts, by their number.
fn processes(wanted: impl Fn(u32) -> bool) -> Vec<String> {
    let numbers = fs::read_dir("/proc").unwrap().flatten();
    numbers
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| wanted(*pid))
        .filter_map(|pid| fs::read(format!("/proc/{pid}/cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .collect()
}

/// Those whose environment names the execution.
fn processes_of(execution: &str) -> Vec<String> {
    processes(|pid| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        String::from_utf8_lossy(&environment).contains(execution)
    })
}

fn parent_of(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}

/// The compilers among the descendants of this process.
fn compilers() -> Vec<String> {
    let ours = |pid| {
        std::iter::successors(Some(pid), |pid| parent_of(*pid)).any(|pid| pid == std::process::id())
    };
    processes(ours).into_iter().filter(|line| line.contains("rustc")).collect()
}

impl Fixture {
    /// A sleeping call, and the worker that runs it.
    async fn sleeping(&self) -> (RunningWorker, shared::domain::ExecutionId) {
        let worker = self.start_worker(Duration::from_secs(30)).await;
        let function = self.built(SLEEPER, 300).await;
        let id = self.call(function, "{}").await;
        self.until_running("execution", id.0).await;
        while processes_of(&id.to_string()).is_empty() {
            tokio::task::yield_now().await;
        }
        (worker, id)
    }

    async fn cancel(&self, id: shared::domain::ExecutionId) -> Option<Cancelled> {
        let mut tx = self.db.begin().await.unwrap();
        let cancelled = cancel::cancel(&mut tx, self.actor.tenant, id).await.unwrap();
        tx.commit().await.unwrap();
        cancelled
    }
}

#[tokio::test]
async fn a_cancelled_call_ends_and_its_process_is_gone_before_it_says_so() {
    let f = Fixture::new().await;
    let (worker, id) = f.sleeping().await;
    assert_eq!(f.cancel(id).await, Some(Cancelled::Asked));
    f.signals.cancel_requested(id.0);

    assert_eq!(f.final_status("execution", id.0).await, "cancelled");
    assert_eq!(processes_of(&id.to_string()), Vec::<String>::new());
    let too_late = Cancelled::TooLate(shared::domain::ExecutionStatus::Cancelled);
    assert_eq!(f.cancel(id).await, Some(too_late));
    worker.stop().await;
    assert_eq!(f.live_jobs().await, 0);
}

#[tokio::test]
async fn a_cancel_whose_signal_is_lost_is_found_by_the_beat() {
    let f = Fixture::new().await;
    let (worker, id) = f.sleeping().await;
    assert_eq!(f.cancel(id).await, Some(Cancelled::Asked));
    assert_eq!(f.final_status("execution", id.0).await, "cancelled");
    assert_eq!(processes_of(&id.to_string()), Vec::<String>::new());
    worker.stop().await;
}

#[tokio::test]
async fn a_cancelled_build_ends_and_its_compilers_are_gone_before_it_says_so() {
    let f = Fixture::new().await;
    let worker = f.start_worker(Duration::from_secs(30)).await;
    let function = f.create(ENDLESS_BUILD, 30).await;
    let id = f.build_of(function).await;
    f.until_running("build", id.0).await;
    while compilers().is_empty() {
        tokio::task::yield_now().await;
    }
    let cancel = async || {
        let mut tx = f.db.begin().await.unwrap();
        let cancelled = cancel::cancel_build(&mut tx, f.actor.tenant, id).await.unwrap();
        tx.commit().await.unwrap();
        cancelled
    };
    assert_eq!(cancel().await, CancelledJob::Asked);
    f.signals.cancel_requested(id.0);

    assert_eq!(f.final_status("build", id.0).await, "failed");
    assert_eq!(compilers(), Vec::<String>::new());
    let reason = f.text("select reason from build where id = $1", id.0).await;
    assert_eq!(reason.as_deref(), Some("cancelled"));
    assert_eq!(f.final_status("function", function.0).await, "failed");
    assert_eq!(cancel().await, CancelledJob::NotLive);
    worker.stop().await;
    assert_eq!(f.live_jobs().await, 0);
}

#[tokio::test]
async fn a_build_is_cancelled_while_it_waits_for_a_proxy_that_says_nothing() {
    let f = Fixture::new().await;
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    let worker = f.start_worker_with_proxy(Location::Url(address)).await;
    let go_mod = "module shop\n\ngo 1.21\n";
    let files = [("go.mod", go_mod), ("go.sum", "a.b/c v1.0.0 h1:x\n"), ("handler.go", HELLO)];
    let function = f.create_go(&files).await;
    let id = f.build_of(function).await;
    let _held_open = proxy.accept().await.unwrap();
    let mut tx = f.db.begin().await.unwrap();
    let cancelled = cancel::cancel_build(&mut tx, f.actor.tenant, id).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(cancelled, CancelledJob::Asked);
    f.signals.cancel_requested(id.0);

    assert_eq!(timeout(PATIENCE, f.final_status("build", id.0)).await.unwrap(), "failed");
    let reason = f.text("select reason from build where id = $1", id.0).await;
    assert_eq!(reason.as_deref(), Some("cancelled"));
    worker.stop().await;
    assert_eq!(f.live_jobs().await, 0);
}

#[tokio::test]
async fn a_build_that_was_cancelled_while_it_waited_is_not_built() {
    let f = Fixture::new().await;
    let function = f.create(ENDLESS_BUILD, 30).await;
    let id = f.build_of(function).await;
    let mut tx = f.db.begin().await.unwrap();
    let cancelled = cancel::cancel_build(&mut tx, f.actor.tenant, id).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(cancelled, CancelledJob::Removed);
    assert_eq!(f.final_status("build", id.0).await, "failed");
    assert_eq!(f.live_jobs().await, 0);
}

#[tokio::test]
async fn a_build_whose_worker_was_lost_after_the_cancel_is_cancelled_by_the_next() {
    let f = Fixture::new().await;
    let id = f.build_of(f.create(ENDLESS_BUILD, 30).await).await;
    let (lease, _) = f.claim_and_die().await;
    let mut tx = f.db.begin().await.unwrap();
    let cancelled = cancel::cancel_build(&mut tx, f.actor.tenant, id).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(cancelled, CancelledJob::Asked);
    f.expire(lease).await;

    let worker = f.start_worker(Duration::from_secs(30)).await;
    assert_eq!(f.final_status("build", id.0).await, "failed");
    let reason = f.text("select reason from build where id = $1", id.0).await;
    assert_eq!(reason.as_deref(), Some("cancelled"));
    worker.stop().await;
}
