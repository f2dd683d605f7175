//! Proves at start that isolation holds, by sending probes through the real launch path.

use std::{io, time::Duration};

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::{
    error::{Layer, MissingLayer, RunError, Stage, StartError},
    outcome::{Ended, KillReason, Outcome},
    pool::Pool,
    program::Limits,
    run::{self, Order},
    sandbox::Options,
    slot::Probe,
};

/// A canary that hangs is caught by its own deadline; this is for one that cannot be removed.
const REMOVAL_PATIENCE: Duration = Duration::from_secs(10);

/// Runs every probe. Gives the missing layers that are allowed to be missing; any other is an error.
pub(crate) async fn prove(pool: &Pool, options: &Options) -> Result<Vec<Layer>, StartError> {
    let mut missing = pool.link.missing.clone();
    match probe(pool).await {
        Ok(found) => missing.extend(found),
        // What the spawner had to do without explains why the canary could not run at all.
        Err(_) if missing.iter().any(|missing| !options.allows(missing.layer)) => {}
        Err(StartError::Canary(RunError::Setup { stage: Stage::Network, source })) => {
            missing.push(no_network(&source));
        }
        Err(error) => return Err(error),
    }
    if timeout(REMOVAL_PATIENCE, pool.settled()).await.is_err() {
        missing.push(MissingLayer {
            layer: Layer::KillAll,
            why: "a process the canary left behind could not be removed".into(),
            fix: "use Linux 5.14 or newer with cgroup2 mounted".into(),
        });
    }
    let (allowed, fatal): (Vec<_>, Vec<_>) =
        missing.into_iter().partition(|missing| options.allows(missing.layer));
    for missing in &allowed {
        tracing::error!(image = options.image.name, "isolation is degraded: {missing}");
    }
    if fatal.is_empty() {
        Ok(allowed.into_iter().map(|missing| missing.layer).collect())
    } else {
        Err(StartError::Incomplete(fatal))
    }
}

/// All that setting up a network takes is tried for the first time by the canary.
fn no_network(source: &io::Error) -> MissingLayer {
    let why = format!("cannot set up the network of a slot: {source}");
    let fix = "use Linux 5.9 or newer with BPF maps of sockets (CONFIG_BPF_STREAM_PARSER), and allow the bpf call".into();
    MissingLayer { layer: Layer::Network, why, fix }
}

async fn probe(pool: &Pool) -> Result<Vec<MissingLayer>, StartError> {
    let mut missing = break_out(pool).await?;
    missing.extend(eat(pool).await?);
    Ok(missing)
}

fn limits() -> Limits {
    Limits {
        wall_time: Duration::from_secs(10),
        cpu_time: Duration::from_secs(10),
        cpu_millicores: 1000,
        memory_bytes: 32 << 20,
        pids: 8,
        stdout_bytes: 16 << 10,
        stderr_bytes: 16 << 10,
        open_files: 64,
        file_bytes: 1 << 20,
        disk_bytes: 1 << 20,
        disk_inodes: 16,
    }
}

/// Every line the probe writes names a layer that gave way.
async fn break_out(pool: &Pool) -> Result<Vec<MissingLayer>, StartError> {
    let outcome = send(pool, Probe::BreakOut).await?;
    let text = String::from_utf8_lossy(&outcome.stdout);
    let mut missing: Vec<_> = text.lines().map(understand).collect();
    if outcome.ended != Ended::Exited(0) {
        let why = format!("the canary ended unexpectedly: {:?}", outcome.ended);
        let fix = "look for a security module or container profile that interferes".into();
        missing.push(MissingLayer { layer: Layer::Seccomp, why, fix });
    }
    Ok(missing)
}

async fn eat(pool: &Pool) -> Result<Option<MissingLayer>, StartError> {
    let outcome = send(pool, Probe::Eat).await?;
    let stopped = outcome.ended == Ended::Killed(KillReason::OutOfMemory);
    Ok((!stopped).then(|| MissingLayer {
        layer: Layer::Memory,
        why: format!("a process over its memory limit ended as {:?}", outcome.ended),
        fix: "make the memory controller available to this group (see sandbox/README.md)".into(),
    }))
}

async fn send(pool: &Pool, probe: Probe) -> Result<Outcome, StartError> {
    let order = Order::from_probe(probe, limits());
    run::run(pool.take(order.disk()), order, &CancellationToken::new())
        .await
        .map_err(StartError::Canary)
}

fn understand(line: &str) -> MissingLayer {
    let (name, why) = line.split_once(": ").unwrap_or(("", line));
    let layer = Layer::from_name(name).unwrap_or(Layer::Seccomp);
    let fix = "run on a host or in a container set up as sandbox/README.md says".into();
    MissingLayer { layer, why: why.into(), fix }
}
