//! `apprun migrate`: the schema, up to date. The migrations are part of the binary.

use shared::{config::Config, store::Db};

use crate::{error::CommandError, wiring};

/// Applies what is missing. Several at once wait for each other on a lock in the database.
pub(super) async fn run(config: Config) -> Result<(), CommandError> {
    let db = Db::connect(wiring::database_url(&config)?.expose(), 1).await?;
    db.migrate().await?;
    db.close().await;
    println!("the schema is up to date");
    Ok(())
}
