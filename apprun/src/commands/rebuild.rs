//! `apprun rebuild`: after the artifact store lost something, queues a build of every version whose
//! binary is missing or damaged. Calls do the same by themselves; this does it before they come.

use shared::{
    config::Config,
    domain::VersionId,
    queue::{JobKind, Signals},
    store::{
        Db,
        rebuild::{self, InService, Rebuild},
    },
};

use crate::{error::CommandError, wiring};

/// Versions that are read from the database at once.
const BATCH: u16 = 500;

/// Checks every binary that can be called, by its hash, and prints what was found.
pub(super) async fn run(config: Config) -> Result<(), CommandError> {
    let artifacts = wiring::open_artifacts(&config).await?;
    let database_url = wiring::database_url(&config)?.expose();
    let db = Db::connect(database_url, 1).await?;
    db.require_schema().await?;
    let (mut checked, mut lost, mut queued, mut behind) = (0, 0, 0, None);
    loop {
        let batch = rebuild::in_service(&db, behind, BATCH).await?;
        let Some(last) = batch.last() else { break };
        behind = Some(last.version);
        for InService { version, sha256 } in batch {
            checked += 1;
            match artifacts.get(sha256).await {
                Err(error) if error.is_lost() => {
                    lost += 1;
                    queued += u32::from(queue(&db, version).await? == Rebuild::Queued);
                }
                got => drop(got?),
            }
        }
    }
    if queued > 0 {
        let signals = Signals::connect(database_url).await?;
        signals.jobs_pushed(&[JobKind::Compile]);
        signals.close().await;
    }
    db.close().await;
    println!("{checked} versions checked, {lost} without their binary, {queued} builds queued");
    Ok(())
}

async fn queue(db: &Db, version: VersionId) -> Result<Rebuild, CommandError> {
    let rebuild = rebuild::queue(db, version).await?;
    if rebuild == Rebuild::Impossible {
        println!("{version} cannot be built again: its source was given up");
    }
    Ok(rebuild)
}
